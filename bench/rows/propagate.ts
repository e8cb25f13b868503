/** From Join to the route in another host's kernel. */
import type { EndpointIds } from '../driver.ts';
import { known } from '../fill.ts';
import { RouteMonitor, wallClock } from '../monitor.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';
import { driverOf, eventually, fresh, removeSandboxes, sandboxes } from '../stage.ts';

const GOAL = 'p99 < 100 ms';

async function run({ lab, count }: Bench): Promise<Finding> {
  const [from, to, router] = [lab.host('h1'), lab.host('h2'), lab.tor];
  await fresh(from);
  const number = count(200, 10);
  const paths = await sandboxes(from, number);
  const driver = driverOf(from);
  const endpoints = await known(driver, await driver.createNetwork('10.1.0.0/16'), number);
  const come = { there: new Map<string, number>(), router: new Map<string, number>() };
  const gone = new Map<string, number>();
  const monitors = [
    await RouteMonitor.start(to, ({ gone: went, prefix, at }) => (went ? gone : come.there).set(prefix, at)),
    await RouteMonitor.start(router, ({ gone: went, prefix, at }) => {
      if (!went) come.router.set(prefix, at);
    }),
  ];
  const bare = ({ address }: EndpointIds) => address.split('/')[0]!;
  const answered: number[] = [];
  const asked: number[] = [];
  const left: number[] = [];
  for (const [at, endpoint] of endpoints.entries()) {
    asked.push(wallClock());
    await driver.join(endpoint, paths[at]!);
    answered.push(wallClock());
    await eventually('the route comes', () => come.there.has(bare(endpoint)));
  }
  for (const endpoint of endpoints) {
    left.push(wallClock());
    await driver.leave(endpoint);
    await eventually('the route goes', () => gone.has(bare(endpoint)));
    await driver.deleteEndpoint(endpoint);
  }
  for (const monitor of monitors) await monitor.end();
  driver.close();
  await removeSandboxes(from);
  const since = (times: readonly number[], seen: ReadonlyMap<string, number>) =>
    endpoints.map((endpoint, at) => (seen.get(bare(endpoint)) ?? Number.NaN) - times[at]!);
  return {
    figures: [
      figure("Join answered -> route in the other host's kernel", 'ms', since(answered, come.there), {
        against: since(answered, come.router),
        goal: GOAL,
      }),
      figure("Join answered -> route in the router's kernel", 'ms', since(answered, come.router)),
      figure("Join asked -> route in the other host's kernel", 'ms', since(asked, come.there)),
      figure("Leave asked -> route gone from the other host's kernel", 'ms', since(left, gone)),
    ],
    notes: [
      'one endpoint at a time; h1 -> FRR router -> h2, and FRR holds each change for 50 ms (its work queue); by the time stamps of ip monitor, on one clock; below 0: the ' +
        'route was there before the answer was',
    ],
  };
}

export const propagateRow: Row = { name: 'propagate', lab: 'daemon', run };
