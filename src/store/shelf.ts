import type { Row } from './row.ts';

/** The records of one namespace, listed by key. */
export class Shelf {
  readonly #rows = new Map<string, Row>();
  /** Keys in order, at the last listing; some may be gone since. */
  #sorted: string[] = [];
  /** Keys that came since. */
  #fresh: string[] = [];
  #stale = false;

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** `undefined` removes. */
  set(key: string, row: Row | undefined): void {
    if (row === undefined) {
      if (this.#rows.delete(key)) this.#stale = true;
      return;
    }
    if (!this.#rows.has(key)) this.#fresh.push(key);
    this.#rows.set(key, row);
  }

  /** What stands now, ordered by key; changes made while it is read do not show. */
  list(): Row[] {
    if (this.#stale || this.#fresh.length > 0) {
      this.#sorted = merge(this.#sorted, this.#fresh.sort()).filter((key) => this.#rows.has(key));
      this.#fresh = [];
      this.#stale = false;
    }
    return this.#sorted.map((key) => this.#rows.get(key)!);
  }
}

/** Two sorted lists as one, without repetitions: a key that was removed and came back is in both. */
function merge(one: readonly string[], other: readonly string[]): string[] {
  const merged: string[] = [];
  for (let i = 0, k = 0; i < one.length || k < other.length; ) {
    const next = k === other.length || (i < one.length && one[i]! < other[k]!) ? one[i++]! : other[k++]!;
    if (next !== merged.at(-1)) merged.push(next);
  }
  return merged;
}
