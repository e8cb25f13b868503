/** Time, so that pure code and the simulator need no other. */
export interface Clock {
  /** Milliseconds since 1970, for how long something takes or lasts while the process runs: it only goes on. */
  now(): number;
  /** Milliseconds since 1970 by the computer's clock, which somebody may set; as now() without it. */
  readonly wall?: () => number;
  /** Calls back once after `ms` milliseconds. Returns the way to cancel it. */
  after(ms: number, call: () => void): () => void;
}

/** Milliseconds since 1970 by the computer's clock: for what is stored or shown. */
export function wallOf(clock: Pick<Clock, 'now' | 'wall'>): number {
  return clock.wall?.() ?? clock.now();
}

/** When, by now(), it was as late as the stamp says by the computer's clock. A stamp in the future counts as now. */
export function whenStamped(clock: Pick<Clock, 'now' | 'wall'>, stamp: number): number {
  return clock.now() - Math.max(0, wallOf(clock) - stamp);
}

/**
 * How old stored records are: by their stamps when they are first asked for, and from then on by the time that passes,
 * whatever is done to the computer's clock.
 */
export class Ages {
  readonly #clock: Pick<Clock, 'now' | 'wall'>;
  readonly #made = new WeakMap<object, number>();

  constructor(clock: Pick<Clock, 'now' | 'wall'>) {
    this.#clock = clock;
  }

  /** In milliseconds, at least 0. `stamp`: when the record was made, in milliseconds since 1970. */
  of(record: object, stamp: number): number {
    const made = this.#made.get(record) ?? whenStamped(this.#clock, stamp);
    this.#made.set(record, made);
    return this.#clock.now() - made;
  }
}
