/** The net-routed daemon in a lab host. */

import { answers } from './frr.ts';
import { outside } from './namespace.ts';
import { type Home, Service } from './service.ts';
import { torAs, underlay } from './topology.ts';

/** The daemon of a host. */
export const daemon = (home: Home): Service => new Service('net-routed', home);

/** Starts it, peering with the fabric router, and waits until Docker and operators are answered. */
export async function startDaemon(home: Home, args: string[]): Promise<void> {
  const { tor4 } = underlay(home.host);
  const plugins = ['net-routed', 'ipam-routed'].map((name) => `/run/docker/plugins/${name}.sock`);
  const sockets = [...plugins, '/run/net-routed/api.sock'];
  await daemon(home).start({
    argv: ['net-routed', 'daemon', '--peer', tor4, '--peer-as', String(torAs), ...args],
    ready: async () =>
      (await Promise.all(sockets.map((path) => answers(outside(home.init, path))))).every(Boolean),
  });
}
