import type { LearnedRoute } from '../ports/speaker.ts';
import { type LearnedPath, select } from './selection.ts';

/** Everything learned: the paths by prefix and source, and the routes that were told. Pure. */
export class LearnedTable {
  readonly #paths = new Map<string, Map<string, LearnedPath>>();
  readonly #told = new Map<string, { readonly text: string; readonly route: LearnedRoute }>();
  #changed = new Set<string>();

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  put(path: LearnedPath): void {
    let bySource = this.#paths.get(path.prefix);
    if (!bySource) {
      bySource = new Map();
      this.#paths.set(path.prefix, bySource);
    }
    bySource.set(path.source, path);
    this.#changed.add(path.prefix);
  }

  remove(prefix: string, source: string): void {
    const bySource = this.#paths.get(prefix);
    if (!bySource?.delete(source)) return;
    if (bySource.size === 0) this.#paths.delete(prefix);
    this.#changed.add(prefix);
  }

  /** How many paths came from one source. */
  count(source: string): number {
    let count = 0;
    for (const bySource of this.#paths.values()) if (bySource.has(source)) count++;
    return count;
  }

  /** Forgets all paths without a word: the engine lost them, and what was told stays in force for now. */
  forget(): void {
    this.#paths.clear();
    this.#changed.clear();
  }

  /** Has these paths and no others. */
  replace(paths: Iterable<LearnedPath>): void {
    this.forget();
    for (const prefix of this.#told.keys()) this.#changed.add(prefix);
    for (const path of paths) this.put(path);
  }

  /** The prefixes whose route is not as it was told, and the routes of those that have one. */
  news(): { readonly prefixes: string[]; readonly routes: LearnedRoute[] } {
    const prefixes: string[] = [];
    const routes: LearnedRoute[] = [];
    for (const prefix of this.#changed) {
      const route = select([...(this.#paths.get(prefix)?.values() ?? [])]);
      const text = JSON.stringify(route);
      if (this.#told.get(prefix)?.text === text || (!route && !this.#told.has(prefix))) continue;
      prefixes.push(prefix);
      if (route) {
        routes.push(route);
        this.#told.set(prefix, { text, route });
      } else this.#told.delete(prefix);
    }
    this.#changed = new Set();
    return { prefixes, routes };
  }

  /** All routes there are now; counts as told. */
  all(): LearnedRoute[] {
    this.news();
    return [...this.#told.values()].map(({ route }) => route);
  }
}
