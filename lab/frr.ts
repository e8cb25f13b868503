/** FRR in a lab host: the daemons, and the configuration that they load. */
import { copyFileSync, existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { enter, environment, outside } from './namespace.ts';
import { checkout } from './paths.ts';
import { must } from './run.ts';
import { type Home, Service } from './service.ts';
import { torAs } from './topology.ts';

/** Daemons in the order in which they start; mgmtd exists from FRR 9 on and has zebra's configuration there. */
const daemons = ['mgmtd', 'zebra', 'bgpd'];

const frrDaemon = (home: Home, daemon: string): Service => new Service(daemon, home);

/** Starts FRR with a configuration of the checkout's `frr` folder and waits until it is loaded. */
export async function startFrr(home: Home, configuration: string): Promise<void> {
  // Running daemons keep the configuration that they have, with what somebody may have typed into it since.
  const running = frrDaemon(home, 'bgpd').find() !== undefined;
  const inHost = (argv: string[]) => must([...enter(home.init), ...argv], { env: environment() });
  await inHost(['install', '-d', '-o', 'frr', '-g', 'frr', '/run/frr']);
  for (const [from, to] of [
    [configuration, 'frr.conf'],
    ['vtysh.conf', 'vtysh.conf'],
  ] as const)
    copyFileSync(join(checkout, 'frr', from), outside(home.init, `/etc/frr/${to}`));
  for (const daemon of daemons.filter((name) => existsSync(outside(home.init, `/usr/lib/frr/${name}`)))) {
    await frrDaemon(home, daemon).start({
      argv: [`/usr/lib/frr/${daemon}`, '--log', 'stdout', '-A', '127.0.0.1'],
      ready: () => answers(outside(home.init, `/run/frr/${daemon}.vty`)),
    });
  }
  if (!running) await inHost(['vtysh', '-b']);
}

/**
 * Has the fabric router call these neighbours. It takes whoever calls, too, but GoBGP waits up to ten seconds before
 * its own first call. Neighbours that it has already stay as they are.
 */
export async function callNeighbours(home: Home, addresses: string[]): Promise<void> {
  const bgp = ['configure terminal', `router bgp ${torAs}`];
  const lines = [...bgp, ...addresses.map((address) => `neighbor ${address} peer-group hosts`)];
  const argv = ['vtysh', ...lines.flatMap((line) => ['-c', line])];
  await must([...enter(home.init), ...argv], { env: environment() });
}

/** Whether somebody accepts connections at this unix socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const say = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.on('connect', () => say(true));
    socket.on('error', () => say(false)); // not there yet: the one who waits has the deadline
  });
}
