/** A value and when it was freed, in milliseconds since 1970. */
export interface Freed {
  readonly value: bigint;
  readonly at: number;
}

interface Node extends Freed {
  older: Node | undefined;
  newer: Node | undefined;
}

/**
 * Freed values, in the order they were freed. Linked, because a Map that loses its first key again and again walks
 * over the holes each time.
 */
export class FreedList {
  readonly #nodes = new Map<bigint, Node>();
  #oldest: Node | undefined;
  #newest: Node | undefined;

  get size(): number {
    return this.#nodes.size;
  }

  get oldest(): Freed | undefined {
    return this.#oldest;
  }

  has(value: bigint): boolean {
    return this.#nodes.has(value);
  }

  /** When the value was freed, if it is here. */
  at(value: bigint): number | undefined {
    return this.#nodes.get(value)?.at;
  }

  add(value: bigint, at: number): void {
    const node: Node = { value, at, older: this.#newest, newer: undefined };
    if (this.#newest) this.#newest.newer = node;
    else this.#oldest = node;
    this.#newest = node;
    this.#nodes.set(value, node);
  }

  delete(value: bigint): boolean {
    const node = this.#nodes.get(value);
    if (!node) return false;
    if (node.older) node.older.newer = node.newer;
    else this.#oldest = node.newer;
    if (node.newer) node.newer.older = node.older;
    else this.#newest = node.older;
    return this.#nodes.delete(value);
  }

  /** Oldest first. */
  *[Symbol.iterator](): Generator<Freed> {
    for (let node = this.#oldest; node; node = node.newer) yield node;
  }
}
