/** dockerd's boot with and without a network of ours. */
import { existsSync } from 'node:fs';
import type { Host } from '../../lab/host.ts';
import { clear, createNetwork, DockerApi } from '../dockerapi.ts';
import { timed, untilFirst } from '../flight.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';
import { driverOf, SOCKET, wellOn } from '../stage.ts';

/** What systemd does for a .socket unit, without systemd. */
const HOLDER = '/usr/bin/systemd-socket-activate';

async function run({ lab, count }: Bench): Promise<Finding> {
  const host = lab.host('h1');
  const rounds = count(7, 1);
  const without: number[] = [];
  const up: number[] = [];
  const held: number[] = [];
  const start: number[] = [];
  const holds = existsSync(HOLDER);
  await boot(host);
  for (let round = 0; round < rounds; round++) {
    without.push(await boot(host));
    await createNetwork(host, 'bench', '10.1.0.0/16');
    up.push(await boot(host));
    if (holds) {
      held.push(await heldFor(host, () => boot(host)));
      start.push(await heldFor(host, () => answer(host)));
    }
    await clear(host);
  }
  await wellOn(host);
  const none = 'no systemd-socket-activate here: nothing measured with the daemon down and its socket held';
  return {
    figures: [
      figure('dockerd to its first answer, a network of ours, daemon up', 'ms', up, {
        against: without,
        goal: 'ratio 1.0',
      }),
      figure('dockerd to its first answer, no network of ours', 'ms', without),
      ...(holds
        ? [
            figure('the same, daemon down, socket held: starts it', 'ms', held, { against: without }),
            figure('daemon down, socket held: its first answer to a call', 'ms', start),
          ]
        : []),
    ],
    notes: [
      'by the start of dockerd until it answers; no containers',
      holds
        ? 'socket held by systemd-socket-activate, which starts the daemon at the first connection'
        : none,
    ],
  };
}

/** Milliseconds that dockerd takes to its first answer. */
async function boot(host: Host): Promise<number> {
  await host.stopDocker();
  const starting = host.startDocker();
  const api = new DockerApi(host);
  const ms = await untilFirst('an answer of dockerd', () => api.ping());
  api.close();
  await starting;
  return ms;
}

/** With the daemon's sockets held by a process that starts it when somebody calls. */
async function heldFor(host: Host, work: () => Promise<number>): Promise<number> {
  await host.stopDaemon();
  const listen = ['net-routed', 'ipam-routed'].flatMap((name) => ['-l', `/run/docker/plugins/${name}.sock`]);
  const names = '--fdname=net-routed:ipam-routed';
  // The engine and its peers stay as they are; the daemon's session with the router is not what is measured.
  const activated = ['/bin/sh', '-c', 'exec net-routed daemon --peer 192.168.1.1 --peer-as 65000'];
  const service = host.service('activated');
  await host.must(['rm', '-f', SOCKET, '/run/docker/plugins/ipam-routed.sock']);
  await service.start({
    argv: [HOLDER, ...listen, names, `--setenv=PATH=${await pathOf(host)}`, ...activated],
    ready: () => existsSync(host.path('/run/docker/plugins/ipam-routed.sock')),
  });
  const ms = await work();
  await service.stop();
  await host.startDaemon();
  return ms;
}

const pathOf = async (host: Host): Promise<string> => (await host.must(['sh', '-c', 'echo "$PATH"'])).trim();

async function answer(host: Host): Promise<number> {
  const driver = driverOf(host);
  const ms = await timed(() => driver.activate());
  driver.close();
  return ms;
}

export const bootRow: Row = { name: 'boot', lab: 'docker', run };
