/** 2020-01-01T00:00:00Z, in milliseconds since 1970. */
const EPOCH_MS = 1_577_836_800_000;
/** Ticks within one millisecond. */
const TICKS = 4096;
/** A clock before 2026 or beyond 2070 is wrong for sure, in milliseconds since 1970. No stamp takes more from a clock. */
export const WALL_MIN_MS = Date.UTC(2026, 0);
export const WALL_MAX_MS = Date.UTC(2070, 0);
/**
 * Clocks do not follow stamps beyond 2075-01-01, which no clock of this program gets to: between what a clock says and
 * this there is room to count on from for years. So a single false stamp does not use up everybody's.
 */
export const FOLLOWED_MAX = (Date.UTC(2075, 0) - EPOCH_MS) * TICKS;
/** Stamps beyond 2080-01-01 are refused, by all replicas alike. */
export const STAMP_MAX = (Date.UTC(2080, 0) - EPOCH_MS) * TICKS;

/** A wall time as the least stamp of that millisecond: milliseconds since 2020, and twelve bits to count in. */
export function stampOf(wallMs: number): number {
  return Math.max(0, Math.floor(wallMs - EPOCH_MS)) * TICKS;
}

/**
 * A hybrid logical clock (Kulkarni et al., 2014) in one safe integer, up to the year 2089. It is at least the wall
 * clock's time, and after every stamp that it gave or received: who writes after having seen a version writes a later
 * one, whatever the clocks are like. That a version was removed and forgotten long ago makes no difference to that, so
 * it follows every stamp that there can be without a faulty member.
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

  /** A stamp after all others, and after `beyond`, which may be one that the clock does not follow. */
  next(beyond = 0): number {
    this.#last = Math.max(this.#last + 1, stampOf(Math.min(this.#wallMs(), WALL_MAX_MS)));
    return beyond > FOLLOWED_MAX ? Math.max(this.#last, beyond + 1) : this.#last;
  }

  receive(stamp: number): void {
    if (stamp <= FOLLOWED_MAX) this.#last = Math.max(this.#last, stamp);
  }
}
