/** RequestAddress and CreateEndpoint, with few and with 10,000 endpoints present. */
import type { Host } from '../../lab/host.ts';
import type { DriverClient, EndpointIds, NetworkIds } from '../driver.ts';
import { inFlight } from '../flight.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';
import { driverOf, fresh, PARALLEL } from '../stage.ts';

interface Samples {
  readonly request: number[];
  readonly create: number[];
  readonly both: number[];
}

const GOAL = 'p99 < 5 ms';

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const host = lab.host('h1');
  await fresh(host);
  const driver = driverOf(host);
  const pairs = count(2000, 200);
  await warm(driver, count(1500, 100));

  const ids = await driver.createNetwork('10.1.0.0/16');
  const empty = await make(driver, ids, PARALLEL, pairs);
  const present = count(10_000, 500);
  say(`filling up to ${present} endpoints`);
  const fillMs = await inFlight(PARALLEL, present - pairs, () => pair(driver, ids, samplesOf()));
  const cpuBefore = await cpuOf(host);
  const full = await make(driver, ids, PARALLEL, pairs);
  const cpuMs = ((await cpuOf(host)) - cpuBefore) / pairs;
  const alone = await make(driver, ids, 1, Math.ceil(pairs / 4));
  driver.close();

  const rate = ((present - pairs) / fillMs) * 1000;
  const among = `${present} present`;
  return {
    figures: [
      ...figures(`${among}, ${PARALLEL} in flight`, full, empty, GOAL),
      ...figures(`0 present, ${PARALLEL} in flight`, empty),
      ...figures(`${among}, 1 in flight`, alone, undefined, GOAL),
      figure(`CPU time of the daemon for both calls, ${among}`, 'ms', [cpuMs]),
      figure(`both calls a second while filling, ${PARALLEL} in flight`, '1/s', [rate]),
    ],
    notes: [
      'endpoints made by calls on the plugin socket and not joined count as present; over kept connections, as ' +
        'Docker does; in flight: each caller makes its next call at once, so the daemon is always fully busy and a ' +
        `call's time is that of ${PARALLEL} calls`,
    ],
  };
}

/** CPU time that the daemon has used, in milliseconds, in steps of the kernel's clock of 10 ms. */
async function cpuOf(host: Host): Promise<number> {
  const stat = await host.must(['sh', '-c', 'cat /proc/$(cat /run/lab/net-routed.pid)/stat']);
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * 10;
}

const samplesOf = (): Samples => ({ request: [], create: [], both: [] });

/** So that the daemon's code is compiled as in one that has run for a while. */
async function warm(driver: DriverClient, pairs: number): Promise<void> {
  const ids = await driver.createNetwork('10.2.0.0/16');
  const endpoints: EndpointIds[] = [];
  await inFlight(PARALLEL, pairs, async () => {
    endpoints.push(await pair(driver, ids, samplesOf()));
  });
  await inFlight(PARALLEL, pairs, (at) => driver.deleteEndpoint(endpoints[at]!));
  await driver.deleteNetwork(ids);
}

async function pair(driver: DriverClient, ids: NetworkIds, samples: Samples): Promise<EndpointIds> {
  const started = performance.now();
  const address = await driver.requestAddress(ids);
  const between = performance.now();
  const endpoint = await driver.createEndpoint(ids, address);
  const ended = performance.now();
  samples.request.push(between - started);
  samples.create.push(ended - between);
  samples.both.push(ended - started);
  return endpoint;
}

async function make(
  driver: DriverClient,
  ids: NetworkIds,
  parallel: number,
  pairs: number,
): Promise<Samples> {
  const samples = samplesOf();
  await inFlight(parallel, pairs, () => pair(driver, ids, samples));
  return samples;
}

function figures(where: string, samples: Samples, against?: Samples, goal?: string): Figure[] {
  const one = (what: string, of: keyof Samples, asks?: string) =>
    figure(`${what}, ${where}`, 'ms', samples[of], {
      ...(against && { against: against[of] }),
      ...(asks && { goal: asks }),
    });
  return [one('RequestAddress', 'request'), one('CreateEndpoint', 'create'), one('both calls', 'both', goal)];
}

export const addressRow: Row = { name: 'address', lab: 'daemon', run };
