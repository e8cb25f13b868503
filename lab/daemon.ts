/** The net-routed daemon in a lab host. */

import { request } from 'node:http';
import { outside } from './namespace.ts';
import { type Home, Service } from './service.ts';
import { torAs, underlay } from './topology.ts';

/** The daemon of a host. */
export const daemon = (home: Home): Service => new Service('net-routed', home);

/** The arguments by which a host's daemon peers with the fabric router. */
export function torPeer(host: string): string[] {
  return ['--peer', underlay(host).tor4, '--peer-as', String(torAs)];
}

/** Starts it by way of `launcher`, words before its command line, and waits for nothing. */
export async function launchDaemon(home: Home, args: string[], launcher: string[]): Promise<void> {
  await daemon(home).start({ argv: [...launcher, 'net-routed', 'daemon', ...args], ready: () => true });
}

/** Starts it unless it was launched, and waits until Docker and operators are answered. */
export async function startDaemon(home: Home, args: string[]): Promise<void> {
  await daemon(home).start({
    argv: ['net-routed', 'daemon', ...args],
    ready: async () => {
      const calls = [
        answers(home, '/run/docker/plugins/net-routed.sock', 'POST', '/Plugin.Activate'),
        answers(home, '/run/docker/plugins/ipam-routed.sock', 'POST', '/Plugin.Activate'),
        answers(home, '/run/net-routed/api.sock', 'GET', '/v1/networks'),
      ];
      return (await Promise.all(calls)).every(Boolean);
    },
  });
}

/**
 * Whether somebody serves: that a connection is accepted is not enough, as the socket of a process that was killed may
 * live a moment longer in a child that it was just starting.
 */
function answers(home: Home, socket: string, method: string, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socketPath = outside(home.init, socket);
    const sent = request({ socketPath, method, path, agent: false, timeout: 2000 }, (response) => {
      response.resume();
      response.on('close', () => resolve(response.statusCode === 200));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false)); // not there yet: the one who waits has the deadline
    sent.end();
  });
}
