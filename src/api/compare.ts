import { Prefix } from '../net/prefix.ts';
import { same } from '../plan/tracker.ts';
import type { Route } from '../ports/kernel.ts';
import type { Announcement, LearnedRoute } from '../ports/speaker.ts';
import type { ProblemView, RouteView, SideView } from './views.ts';

/** Everything that is known of routes; a side that could not be read is undefined. */
export interface Compared {
  /** Kernel routes by key, and the owner of each: `endpoint ID` or `learned PREFIX`. */
  readonly wanted: ReadonlyMap<string, Route>;
  readonly owners: ReadonlyMap<string, string>;
  readonly kernel: ReadonlyMap<string, Route> | undefined;
  /** Next hop by prefix that shall be announced. */
  readonly announcing: ReadonlyMap<string, string>;
  /** Prefixes that are wanted and shall not be announced, with the reason. */
  readonly local: ReadonlyMap<string, string>;
  readonly engine: ReadonlyMap<string, Announcement> | undefined;
  readonly learned: ReadonlyMap<string, LearnedRoute>;
  /** By key of kernel or speaker. */
  readonly errors: ReadonlyMap<string, ProblemView>;
  readonly containerOf: (endpoint: string) => string | undefined;
}

/** One row for each route that is wanted, there or learned, ordered by prefix; pure. */
export function compareRoutes(all: Compared): RouteView[] {
  const rows: RouteView[] = [];
  const shown = { announced: new Set<string>(), learned: new Set<string>() };
  for (const key of new Set([...all.wanted.keys(), ...(all.kernel?.keys() ?? [])])) {
    const { prefix } = (all.wanted.get(key) ?? all.kernel?.get(key))!;
    const [kind = '', id = ''] = (all.owners.get(key) ?? '').split(' ');
    const row: RouteView = { prefix, wanted: 'none', kernel: kernelSide(key, all) };
    if (kind === 'endpoint') {
      const container = all.containerOf(id);
      row.wanted = 'endpoint';
      row.endpoint = { id, ...(container !== undefined && { container }) };
      Object.assign(row, announcementOf(prefix, all));
      shown.announced.add(prefix);
    } else if (kind === 'learned') {
      row.wanted = 'learned';
      const learned = all.learned.get(prefix);
      if (learned) row.learned = showLearned(learned);
      // Kept from before a restart, until the engine has told everything.
      else row.note = 'not told by a peer since the start';
      shown.learned.add(prefix);
    }
    rows.push(row);
  }
  for (const prefix of new Set([...all.announcing.keys(), ...(all.engine?.keys() ?? [])])) {
    if (!shown.announced.has(prefix)) rows.push({ prefix, wanted: 'none', ...announcementOf(prefix, all) });
  }
  for (const [prefix, route] of all.learned) {
    if (shown.learned.has(prefix)) continue;
    rows.push({
      prefix,
      wanted: 'none',
      learned: showLearned(route),
      note: 'not used: no way to its next hop',
    });
  }
  return rows.sort((a, b) => byPrefix(a.prefix, b.prefix));
}

function kernelSide(key: string, { wanted, kernel, errors }: Compared): SideView {
  const plan = wanted.get(key);
  const there = kernel?.get(key);
  return side(kernel !== undefined, plan, there, errors.get(key), pathOf);
}

function announcementOf(prefix: string, all: Compared): Pick<RouteView, 'engine' | 'note'> {
  const note = all.local.get(prefix);
  const nextHop = all.announcing.get(prefix);
  const there = all.engine?.get(prefix);
  if (nextHop === undefined && there === undefined) return note === undefined ? {} : { note };
  const problem = all.errors.get(`announcement ${prefix}`);
  const plan = nextHop === undefined ? undefined : { nextHop };
  const found = there && { nextHop: there.nextHop };
  const engine = side(all.engine !== undefined, plan, found, problem, (one) => `via ${one.nextHop}`);
  return { engine, ...(note !== undefined && { note }) };
}

/** One side of the comparison: what is planned against what is there. */
function side<T>(
  readable: boolean,
  plan: T | undefined,
  there: T | undefined,
  problem: ProblemView | undefined,
  render: (content: T) => string,
): SideView {
  const detail = render((there ?? plan)!);
  if (!readable) return { state: 'unknown', detail };
  if (plan && there && same(plan, there)) return { state: 'ok', detail };
  if (problem) return { state: 'pending', detail, problem };
  if (!plan) return { state: 'stray', detail };
  return { state: there ? 'differs' : 'missing', detail };
}

function pathOf(route: Route): string {
  if (route.type !== 'unicast') return route.type;
  const hops = route.nextHops.map(({ via, dev }) =>
    [via === undefined ? '' : `via ${via}`, dev === undefined ? '' : `dev ${dev}`].filter(Boolean).join(' '),
  );
  return hops.join(', ');
}

function showLearned({ holder, nextHops, anycast, asPath }: LearnedRoute): RouteView['learned'] {
  const hops = nextHops.map(({ via, dev }) => (dev === undefined ? via : `${via}%${dev}`));
  return { holder, nextHops: hops, anycast, asPath: [...asPath] };
}

/** IPv4 first, then by address, then the shorter prefix. */
export function byPrefix(a: string, b: string): number {
  const [left, right] = [Prefix.parse(a), Prefix.parse(b)];
  if (left.family !== right.family) return left.family - right.family;
  if (!left.address.equals(right.address)) return left.address.value < right.address.value ? -1 : 1;
  return left.length - right.length;
}
