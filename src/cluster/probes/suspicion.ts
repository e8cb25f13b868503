import type { Incarnation } from './statements.ts';

/** The shortest time for each power of ten of members, and how much longer the longest is. */
const MIN_MS = 4000;
const STRETCH = 6;
/** Hosts besides the first one whose word makes it short, if there are so many. */
const CONFIRMATIONS = 2;

/**
 * How long a member is suspected before it counts as dead, in milliseconds: long as long as one host says so, which may
 * be the one that is slow; shorter with each other that says the same (Lifeguard, IV-B).
 */
export function patience(members: number, confirmations: number): number {
  const min = MIN_MS * Math.max(1, Math.log10(members));
  // The suspect and the first accuser confirm nothing.
  const wanted = Math.min(CONFIRMATIONS, members - 2);
  if (wanted < CONFIRMATIONS || confirmations >= wanted) return min;
  const max = min * STRETCH;
  return max - ((max - min) * Math.log(confirmations + 1)) / Math.log(wanted + 1);
}

/** A member that is suspected. */
export class Suspicion {
  readonly incarnation: Incarnation;
  readonly #accusers: Set<string>;
  /** In milliseconds since 1970. */
  readonly #since: number;
  /** By how much this host was late itself, in milliseconds. */
  #lateMs = 0;
  cancel = () => {};

  constructor(incarnation: Incarnation, by: string, since: number) {
    this.incarnation = incarnation;
    this.#accusers = new Set([by]);
    this.#since = since;
  }

  /** Another one says the same. False if it has said so before, or enough have. */
  confirm(by: string): boolean {
    if (this.#accusers.has(by) || this.#accusers.size > CONFIRMATIONS) return false;
    this.#accusers.add(by);
    return true;
  }

  /** While this host stood still it could not hear a contradiction. */
  extend(ms: number): void {
    this.#lateMs += ms;
  }

  /** How long there is left to contradict, in milliseconds, however the clock was set meanwhile. */
  left(members: number, now: number): number {
    const whole = patience(members, this.#accusers.size - 1) + this.#lateMs;
    return Math.min(whole, Math.max(0, this.#since + whole - now));
  }
}
