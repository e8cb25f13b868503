/** Integers from first to last, both included. */
export interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** What two ranges have in common; if nothing, its last is below its first. */
export function intersect(one: Range, other: Range): Range {
  const [low, high] = one.first < other.first ? [one, other] : [other, one];
  const ends = low.last < high.last ? low : high; // Math.min takes no bigint
  return { first: high.first, last: ends.last };
}

/** A set of integers as sorted ranges that neither meet nor overlap: small for what lies together. */
export class Ranges {
  #list: Range[] = [];

  [Symbol.iterator](): Iterator<Range> {
    return this.#list.values();
  }

  /** How many integers it has. */
  get size(): bigint {
    return this.#list.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
  }

  has(value: bigint): boolean {
    const range = this.#at(value);
    return range !== undefined && range.first <= value;
  }

  /** The lowest member that is not below `value`. */
  next(value: bigint): bigint | undefined {
    const first = this.#at(value)?.first;
    return first === undefined || first > value ? first : value;
  }

  /** The lowest integer that is not below `value` and no member. */
  gap(value: bigint): bigint {
    const range = this.#at(value);
    return range && range.first <= value ? range.last + 1n : value;
  }

  /** How many members lie in a range. */
  overlap(range: Range): bigint {
    let sum = 0n;
    for (let i = this.#index(range.first); i < this.#list.length && this.#list[i]!.first <= range.last; i++) {
      const common = intersect(this.#list[i]!, range);
      sum += common.last - common.first + 1n;
    }
    return sum;
  }

  add({ first, last }: Range): void {
    // From the range that ends just before `first` to the one that begins just behind `last`: they become one.
    const from = this.#index(first - 1n);
    const to = this.#index(last + 1n);
    const touches = this.#list[to] !== undefined && this.#list[to].first <= last + 1n;
    const low = this.#list[from];
    const merged = {
      first: low && low.first < first ? low.first : first,
      last: touches ? this.#list[to]!.last : last,
    };
    this.#list.splice(from, to - from + (touches ? 1 : 0), merged);
  }

  remove({ first, last }: Range): void {
    const from = this.#index(first);
    let to = from;
    const rest: Range[] = [];
    for (; to < this.#list.length && this.#list[to]!.first <= last; to++) {
      const range = this.#list[to]!;
      if (range.first < first) rest.push({ first: range.first, last: first - 1n });
      if (range.last > last) rest.push({ first: last + 1n, last: range.last });
    }
    this.#list.splice(from, to - from, ...rest);
  }

  /** The first range that does not end below `value`. */
  #at(value: bigint): Range | undefined {
    return this.#list[this.#index(value)];
  }

  #index(value: bigint): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#list[middle]!.last < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
