/** Memory of daemon and engine, with nothing and with 10,000 endpoints known. */
import type { Host } from '../../lab/host.ts';
import { known } from '../fill.ts';
import { pause } from '../flight.ts';
import { type Memory, memoryOf, memoryOfChildren } from '../memory.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';
import { driverOf, enginePid, fresh, wellOn } from '../stage.ts';

interface Sample {
  readonly daemon: Memory;
  readonly children: Memory;
  readonly engine: Memory;
}

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const host = lab.host('h1');
  const restMs = count(5000, 500);
  await fresh(host, true);
  const empty = await look(host, restMs);
  const present = count(10_000, 500);
  say(`making ${present} endpoints`);
  const driver = driverOf(host);
  await known(driver, await driver.createNetwork('10.1.0.0/16'), present);
  driver.close();
  const filled = await look(host, restMs);
  await host.stopDaemon();
  await host.startDaemon();
  await wellOn(host);
  const restarted = await look(host, restMs);
  return {
    figures: [
      ...figures(`${present} endpoints known, just made`, filled, empty, '< 100 MB'),
      ...figures(`${present} endpoints known, after a restart`, restarted, empty, '< 100 MB'),
      ...figures('nothing known', empty),
    ],
    notes: [
      `MB of 1,000,000 bytes, by /proc/PID/smaps_rollup, ${restMs} ms after the last call; endpoints made by calls and not ` +
        'joined; with routes: see row routes',
    ],
  };
}

async function look(host: Host, restMs: number): Promise<Sample> {
  await pause(restMs);
  const pid = Number((await host.must(['cat', '/run/lab/net-routed.pid'])).trim());
  const engine = await enginePid(host);
  if (engine === undefined) throw new Error('no engine runs');
  return {
    daemon: await memoryOf(host, pid),
    children: await memoryOfChildren(host, pid),
    engine: await memoryOf(host, engine),
  };
}

function figures(where: string, sample: Sample, against?: Sample, goal?: string): Figure[] {
  const one = (what: string, get: (sample: Sample) => number, asks?: string) =>
    figure(`${what}, ${where}`, 'MB', [get(sample) / 1e6], {
      ...(against && { against: [get(against) / 1e6] }),
      ...(asks && { goal: asks }),
    });
  return [
    one('daemon RSS', ({ daemon }) => daemon.rss, goal),
    one('daemon PSS', ({ daemon }) => daemon.pss),
    one("PSS of the daemon's ip and nft processes", ({ children }) => children.pss),
    one('gobgpd RSS', ({ engine }) => engine.rss),
  ];
}

export const memoryRow: Row = { name: 'memory', lab: 'daemon', run };
