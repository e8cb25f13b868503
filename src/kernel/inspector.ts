import { kernelKey, ROUTE_PROTOCOL, type Route } from '../ports/kernel.ts';
import { showGroup, showLink, showRoute } from './commands.ts';
import { list, query } from './listing.ts';
import { type LinkState, parseLink, parseRoute } from './parse.ts';

/** Up to here asking for each by name is cheaper than listing all. */
const FEW = 32;

/** Looks at single objects, ours or not, to decide what an error meant or whether something may be touched. */
export class Inspector {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  /** The links of these names that exist. @throws NR_KERNEL_* */
  async links(names: readonly string[]): Promise<Map<string, LinkState>> {
    const found = new Map<string, LinkState>();
    const wanted = new Set(names);
    const take = (element: unknown) => {
      const state = parseLink(element);
      if (state && wanted.has(state.name)) found.set(state.name, state);
    };
    if (wanted.size > FEW) await list(this.#program, ['addr', 'show'], take);
    else for (const element of (await query(this.#program, [...wanted].map(showLink))).flat()) take(element);
    return found;
  }

  /** All links of a group. @throws NR_KERNEL_* */
  async group(group: number): Promise<LinkState[]> {
    const elements = await query(this.#program, [showGroup(group)]);
    return elements
      .flat()
      .map(parseLink)
      .filter((state) => state !== undefined);
  }

  /** Our routes that have the keys of these, by key. @throws NR_KERNEL_* */
  async routes(routes: readonly Route[]): Promise<Map<string, Route>> {
    const wanted = new Set(routes.map(kernelKey));
    const found = new Map<string, Route>();
    const take = (element: unknown) => {
      const route = parseRoute(element);
      if (route && wanted.has(kernelKey(route))) found.set(kernelKey(route), route);
    };
    const words = ['route', 'show', 'table', 'all', 'proto', String(ROUTE_PROTOCOL)];
    if (routes.length > FEW) await list(this.#program, words, take);
    else for (const element of (await query(this.#program, routes.map(showRoute))).flat()) take(element);
    return found;
  }
}
