/** Ten thousand routes from one host into another's kernel, at once. */
import type { Host } from '../../lab/host.ts';
import type { DriverClient, EndpointIds } from '../driver.ts';
import { inFlight, timed } from '../flight.ts';
import { memoryOf } from '../memory.ts';
import { RouteMonitor, wallClock } from '../monitor.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';
import { driverOf, enginePid, eventually, fresh, PARALLEL, removeSandboxes, sandboxes } from '../stage.ts';

/** Aliases of each endpoint. */
const ALIASES = 100;

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const [from, to, router] = [lab.host('h1'), lab.host('h2'), lab.tor];
  for (const host of [from, to]) await fresh(host, true);
  const driver = driverOf(from);
  const number = count(100, 5);
  const total = number * ALIASES;
  say(`joining ${number} endpoints with ${ALIASES} aliases each`);
  const endpoints: EndpointIds[] = [];
  const joinMs = await timed(() => joinAll(from, driver, number, endpoints));
  const there = new Watch();
  const between = new Watch();
  const monitors = [
    await RouteMonitor.start(to, there.heard),
    await RouteMonitor.start(router, between.heard),
  ];
  const come: number[] = [];
  const middle: number[] = [];
  const spread: number[] = [];
  const gone: number[] = [];
  const memory: number[][] = [];
  for (let round = 0; round < count(5, 1); round++) {
    for (const watch of [there, between]) watch.clear();
    const announced = wallClock();
    const pool = await driver.requestPool('10.9.0.0/16');
    await eventually('all routes are there', () => there.come === total && between.come === total);
    come.push((there.last - announced) / 1000);
    middle.push((between.last - announced) / 1000);
    spread.push((there.last - there.first) / 1000);
    if (round === 0) memory.push(await memories(from), await memories(to));
    for (const watch of [there, between]) watch.clear();
    const withdrawn = wallClock();
    await driver.releasePool(pool.PoolID);
    await eventually('all routes are gone', () => there.gone === total && between.gone === total);
    gone.push((there.last - withdrawn) / 1000);
  }
  for (const monitor of monitors) await monitor.end();
  await removeSandboxes(from);
  await inFlight(PARALLEL, number, (at) => driver.deleteEndpoint(endpoints[at]!));
  driver.close();
  const whose = ['announcing', 'learning'];
  return {
    figures: [
      figure(`${total} announced -> the last in the other host's kernel`, 's', come, {
        against: middle,
        goal: '< 2 s',
      }),
      figure(`${total} announced -> the last in the router's kernel`, 's', middle),
      figure("from the first to the last in the other host's kernel", 's', spread),
      figure(`${total} withdrawn -> the last gone from the other host's kernel`, 's', gone, {
        goal: '< 2 s',
      }),
      figure(`Join of the ${number} endpoints, one by one, all ${total} local routes made`, 's', [
        joinMs / 1000,
      ]),
      ...memory.flatMap(([daemon = 0, engine = 0], at) => [
        figure(`daemon RSS, ${whose[at]} ${total}`, 'MB', [daemon]),
        figure(`gobgpd RSS, ${whose[at]} ${total}`, 'MB', [engine]),
      ]),
    ],
    notes: [
      `${number} joined endpoints have ${ALIASES} aliases each in a prefix that is no pool, so the local paths stand ` +
        'and nothing is announced; RequestPool of that prefix makes all announceable at once. From the sending of ' +
        'that call; the daemon plans, tells gobgpd, which tells FRR, which tells the other gobgpd, whose daemon ' +
        'tells its kernel (ip monitor). ReleasePool withdraws them. All of these share the processors of one machine.',
    ],
  };
}

/** Counts alias routes as they come and go. */
class Watch {
  readonly #come = new Set<string>();
  readonly #gone = new Set<string>();
  first = 0;
  last = 0;

  readonly heard = ({ gone, prefix, at }: { gone: boolean; prefix: string; at: number }): void => {
    if (!prefix.startsWith('10.9.')) return;
    (gone ? this.#gone : this.#come).add(prefix);
    this.first ||= at;
    this.last = at;
  };

  get come(): number {
    return this.#come.size;
  }

  get gone(): number {
    return this.#gone.size;
  }

  clear(): void {
    this.#come.clear();
    this.#gone.clear();
    this.first = 0;
  }
}

async function joinAll(
  host: Host,
  driver: DriverClient,
  number: number,
  joined: EndpointIds[],
): Promise<void> {
  const paths = await sandboxes(host, number);
  const ids = await driver.createNetwork('10.1.0.0/16');
  for (const [at, path] of paths.entries()) {
    const aliases = Array.from({ length: ALIASES }, (_, alias) => addressOf(at * ALIASES + alias + 1));
    const options = { 'ip-aliases': aliases.join(',') };
    const endpoint = await driver.createEndpoint(ids, await driver.requestAddress(ids), options);
    await driver.join(endpoint, path);
    await move(host, endpoint, path);
    joined.push(endpoint);
  }
}

/** As Docker moves the interface, so that the aliases get their place in the sandbox. */
async function move(host: Host, { endpoint }: EndpointIds, path: string): Promise<void> {
  const peer = `nr${endpoint.slice(0, 10)}c`;
  const name = path.slice(path.lastIndexOf('/') + 1);
  await host.must(['ip', 'link', 'set', peer, 'netns', name]);
  await host.must(['ip', '-n', name, 'link', 'set', peer, 'up']);
}

const addressOf = (number: number): string => `10.9.${number >> 8}.${number & 255}`;

/** RSS of daemon and engine, in MB. */
async function memories(host: Host): Promise<number[]> {
  const daemon = await memoryOf(host, await daemonPid(host));
  const engine = await memoryOf(host, (await enginePid(host))!);
  return [daemon.rss / 1e6, engine.rss / 1e6];
}

async function daemonPid(host: Host): Promise<number> {
  return Number((await host.must(['cat', '/run/lab/net-routed.pid'])).trim());
}

export const routesRow: Row = { name: 'routes', lab: 'daemon', run };
