import type { Dot } from './crdt/record.ts';
import { Vector, type VectorView } from './crdt/vector.ts';

/** What a replica knows of each origin's writes: durable, and with what is staged. It numbers its own ones. */
export class Known {
  #staged: Vector;
  readonly #durable: Vector;
  /** Own sequences count up even if a write fails: somebody may have read the version meanwhile. */
  #last: number;

  constructor(origin: string, durable: VectorView) {
    this.#staged = new Vector(durable);
    this.#durable = new Vector(durable);
    this.#last = this.#durable.of(origin);
  }

  /** What is known and durable: what may be told to others. */
  get durable(): VectorView {
    return this.#durable.view;
  }

  /** Up to which sequence an origin is known, durably or not yet. */
  of(origin: string): number {
    return this.#staged.of(origin);
  }

  durableOf(origin: string): number {
    return this.#durable.of(origin);
  }

  covers(dot: Dot): boolean {
    return this.#staged.covers(dot);
  }

  /** Counts as known, durably so with the next write. */
  advance(origin: string, sequence: number): void {
    this.#staged.advance(origin, sequence);
  }

  /** The sequence of the next own write. */
  next(): number {
    return ++this.#last;
  }

  /** What the next write has to make durable. */
  grown(): [origin: string, sequence: number][] {
    return [...this.#staged.view].filter(([origin, known]) => known > this.#durable.of(origin));
  }

  /** That is durable. */
  settle(grown: Iterable<readonly [origin: string, sequence: number]>): void {
    for (const [origin, sequence] of grown) this.#durable.advance(origin, sequence);
  }

  /** What is staged never happened. */
  revert(): void {
    this.#staged = new Vector(this.#durable.view);
  }
}
