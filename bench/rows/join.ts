/** Join, Leave and DeleteEndpoint with real network namespaces as sandboxes. */
import type { Host } from '../../lab/host.ts';
import type { DriverClient, EndpointIds, NetworkIds } from '../driver.ts';
import { known } from '../fill.ts';
import { inFlight, timed } from '../flight.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';
import { driverOf, fresh, PARALLEL, removeSandboxes, sandboxes } from '../stage.ts';

interface Samples {
  readonly join: number[];
  readonly leave: number[];
  readonly remove: number[];
}

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const host = lab.host('h1');
  await fresh(host);
  const number = count(200, 20);
  const paths = await sandboxes(host, number);
  const driver = driverOf(host);
  const ids = await driver.createNetwork('10.1.0.0/16');
  await measure(driver, ids, paths, PARALLEL); // to warm up
  const few = await measure(driver, ids, paths, 1);
  const fewParallel = await measure(driver, ids, paths, PARALLEL);
  const present = count(10_000, 300);
  say(`filling up to ${present} endpoints`);
  await known(driver, ids, present);
  const many = await measure(driver, ids, paths, 1);
  const manyParallel = await measure(driver, ids, paths, PARALLEL);
  driver.close();
  const floor = await withIpAlone(host, number);
  await removeSandboxes(host);
  const among = `${present} present`;
  return {
    figures: [
      ...figures(`${among}, 1 in flight`, many, few, 'p99 < 20 ms'),
      ...figures('0 present, 1 in flight', few, undefined, 'p99 < 20 ms'),
      ...figures(`${among}, ${PARALLEL} in flight`, manyParallel, fewParallel),
      ...figures(`0 present, ${PARALLEL} in flight`, fewParallel),
      figure('an endpoint by one ip -batch of many', 'ms', [floor.make]),
      figure('its removal by one ip -batch of many', 'ms', [floor.remove]),
    ],
    notes: [
      'sandboxes are namespaces of ip netns; the interface is not moved into them; the ip -batch (veth, address, ' +
        'route, up; without firewall, sysctls and journal) is what the kernel needs at least, mean of all',
    ],
  };
}

async function measure(
  driver: DriverClient,
  ids: NetworkIds,
  paths: readonly string[],
  parallel: number,
): Promise<Samples> {
  const endpoints: EndpointIds[] = await known(driver, ids, paths.length);
  const samples: Samples = { join: [], leave: [], remove: [] };
  await inFlight(parallel, paths.length, async (at) => {
    samples.join.push(await timed(() => driver.join(endpoints[at]!, paths[at]!)));
  });
  await inFlight(parallel, paths.length, async (at) => {
    samples.leave.push(await timed(() => driver.leave(endpoints[at]!)));
    samples.remove.push(await timed(() => driver.deleteEndpoint(endpoints[at]!)));
    await driver.releaseAddress(endpoints[at]!);
  });
  return samples;
}

function figures(where: string, samples: Samples, against?: Samples, goal?: string): Figure[] {
  const more = (of: keyof Samples) => (against ? { against: against[of] } : {});
  return [
    figure(`Join, ${where}`, 'ms', samples.join, { ...more('join'), ...(goal && { goal }) }),
    figure(`Leave, ${where}`, 'ms', samples.leave, more('leave')),
    figure(`DeleteEndpoint, ${where}`, 'ms', samples.remove, more('remove')),
  ];
}

/** Milliseconds for each endpoint, with nothing but the kernel and ip. */
async function withIpAlone(host: Host, count: number): Promise<{ make: number; remove: number }> {
  const all = Array.from({ length: count }, (_, at) => at);
  const make = all.map((at) =>
    [
      `link add nx${at} type veth peer name nx${at}c`,
      `link set nx${at} up`,
      `address add 169.254.1.1/32 dev nx${at}`,
      `route add 10.250.${at >> 8}.${at & 255}/32 dev nx${at}`,
    ].join('\n'),
  );
  const batch = (lines: readonly string[]) =>
    timed(() => host.must(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` }));
  const made = await batch(make);
  const removed = await batch(all.map((at) => `link delete nx${at}`));
  return { make: made / count, remove: removed / count };
}

export const joinRow: Row = { name: 'join', lab: 'daemon', run };
