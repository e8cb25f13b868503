/** 2020-01-01T00:00:00Z, in milliseconds since 1970. */
const EPOCH_MS = 1_577_836_800_000;
/** Ticks within one millisecond. */
const TICKS = 4096;
/** No stamp is beyond 2080-01-01: so that whatever a broken clock has written can be counted on from for years. */
export const STAMP_MAX = (3_471_292_800_000 - EPOCH_MS) * TICKS;

/** A wall time as the least stamp of that millisecond: milliseconds since 2020, and twelve bits to count in. */
export function stampOf(wallMs: number): number {
  return Math.max(0, Math.floor(wallMs - EPOCH_MS)) * TICKS;
}

/** The wall time of a stamp, in milliseconds since 1970. */
export function timeOf(stamp: number): number {
  return Math.floor(stamp / TICKS) + EPOCH_MS;
}

/**
 * A hybrid logical clock (Kulkarni et al., 2014) in one safe integer, up to the year 2089. It is at least the wall
 * clock's time, and after every stamp that it gave or received: who writes after having seen a version writes a later
 * one, whatever the clocks are like. That a version was removed and forgotten long ago makes no difference to that, so
 * there is no stamp that it does not follow.
 */
export class HybridClock {
  readonly #wallMs: () => number;
  #last: number;

  /** `last`: a stamp that the clock has to be after, from before a restart. */
  constructor(wallMs: () => number, last = 0) {
    this.#wallMs = wallMs;
    this.#last = last;
  }

  /** The last stamp given or received. */
  get last(): number {
    return this.#last;
  }

  /** A stamp after all others. */
  next(): number {
    this.#last = Math.max(this.#last + 1, stampOf(Math.min(this.#wallMs(), timeOf(STAMP_MAX))));
    return this.#last;
  }

  receive(stamp: number): void {
    this.#last = Math.max(this.#last, stamp);
  }
}
