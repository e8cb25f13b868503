import { CodedError } from '../errors.ts';
import { kernelKey, ROUTE_PROTOCOL, type Route } from '../ports/kernel.ts';
import { showGroup, showLink, showRoute } from './commands.ts';
import type { Coprocess } from './coprocess.ts';
import { list } from './listing.ts';
import { type LinkState, parseLink, parseRoute } from './parse.ts';

/** Up to here asking for each by name is cheaper than listing all. */
const FEW = 32;

/** Looks at single objects, ours or not, to decide what an error meant or whether something may be touched. */
export class Inspector {
  readonly #ip: Coprocess;
  readonly #program: string;

  constructor(ip: Coprocess, program: string) {
    this.#ip = ip;
    this.#program = program;
  }

  /** The links of these names that exist. @throws NR_KERNEL_* */
  async links(names: readonly string[]): Promise<Map<string, LinkState>> {
    const found = new Map<string, LinkState>();
    const take = (element: unknown) => {
      const state = parseLink(element);
      if (state) found.set(state.name, state);
    };
    if (names.length <= FEW) {
      const reads = names.map((name) => this.#ip.read(showLink(name)).catch(absent));
      for (const element of (await Promise.all(reads)).flat()) take(element);
      return found;
    }
    const wanted = new Set(names);
    await list(this.#program, ['addr', 'show'], (element) => {
      const name = (element as { ifname?: unknown }).ifname;
      if (typeof name === 'string' && wanted.has(name)) take(element);
    });
    return found;
  }

  /** All links of a group. @throws NR_KERNEL_* */
  async group(group: number): Promise<LinkState[]> {
    const elements = await this.#ip.read(showGroup(group));
    return elements.map(parseLink).filter((state) => state !== undefined);
  }

  /** Our routes that have the keys of these, by key. @throws NR_KERNEL_* */
  async routes(routes: readonly Route[]): Promise<Map<string, Route>> {
    const wanted = new Set(routes.map(kernelKey));
    const found = new Map<string, Route>();
    const take = (element: unknown, like?: Route) => {
      const parsed = parseRoute(element);
      // A listing of one table may leave the table's number out.
      const route = parsed && like ? { ...parsed, table: like.table } : parsed;
      if (route && wanted.has(kernelKey(route))) found.set(kernelKey(route), route);
    };
    if (routes.length > FEW) {
      const words = ['route', 'show', 'table', 'all', 'proto', String(ROUTE_PROTOCOL)];
      await list(this.#program, words, (element) => take(element));
      return found;
    }
    const reads = routes.map(async (route) => {
      const elements = await this.#ip.read(showRoute(route)).catch(absent);
      for (const element of elements) take(element, route);
    });
    await Promise.all(reads);
    return found;
  }
}

/** What is not there is no error to an inspection. */
function absent(error: unknown): [] {
  const known = /does not exist|Cannot find device|No such (device|process)/;
  if (error instanceof CodedError && error.code === 'NR_KERNEL_REFUSED' && known.test(error.what)) return [];
  throw error;
}
