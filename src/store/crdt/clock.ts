/** 2020-01-01T00:00:00Z, in milliseconds since 1970. */
const EPOCH_MS = 1_577_836_800_000;
/** Ticks within one millisecond. */
const TICKS = 4096;
/** How far ahead of the wall clock the clock lets itself be pulled, in milliseconds. */
export const AHEAD_MAX_MS = 60_000;

/** A wall time as the least stamp of that millisecond: milliseconds since 2020, and twelve bits to count in. */
export function stampOf(wallMs: number): number {
  return Math.max(0, Math.floor(wallMs - EPOCH_MS)) * TICKS;
}

/** The wall time of a stamp, in milliseconds since 1970. */
export function wallOf(stamp: number): number {
  return Math.floor(stamp / TICKS) + EPOCH_MS;
}

/**
 * A hybrid logical clock (Kulkarni et al., 2014) in one safe integer, up to the year 2089. It is at least the wall
 * clock's time, and after every stamp that it gave or received, except those from more than a minute ahead: one host
 * whose clock is wrong does not drag all others along.
 */
export class HybridClock {
  readonly #wallMs: () => number;
  #last = 0;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** A stamp after all given before, and after that of the version which is to be replaced. */
  next(replaced = 0): number {
    this.#last = Math.max(this.#last + 1, stampOf(this.#wallMs()));
    // What came from far ahead can still be replaced, without the clock following it.
    return Math.max(this.#last, replaced + 1);
  }

  /** Takes note of a stamp; false when it is too far ahead to follow. */
  receive(stamp: number): boolean {
    if (stamp > stampOf(this.#wallMs() + AHEAD_MAX_MS)) return false;
    this.#last = Math.max(this.#last, stamp);
    return true;
  }
}
