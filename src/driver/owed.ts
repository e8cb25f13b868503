import type { Clock } from '../ports/clock.ts';

/** How long Docker may take to give back what it asked for in vain, in milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * Releases of pools that Docker owes: two networks may ask for the same pool at a time, and only one can have it. Docker
 * gives it back for the one that was refused, by the same id as the owner would. Kept in memory only, and not for long:
 * what is counted in error, or forgotten, is mended when the owner is deleted, or by the janitor.
 */
export class Owed {
  readonly #clock: Clock;
  /** By pool, then by who was refused, so that a replay counts once: until when. */
  readonly #owed = new Map<string, Map<string, number>>();
  /** Pools with a release that was used up: until when it may turn out to have been the owner's. */
  readonly #used = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(pool: string, who: string): void {
    const owed = this.#owed.get(pool) ?? new Map<string, number>();
    this.#owed.set(pool, owed.set(who, this.#clock.now() + PATIENCE_MS));
  }

  /** Whether a release of the pool is an owed one, which it then has been. */
  use(pool: string): boolean {
    const owed = this.#owed.get(pool) ?? new Map<string, number>();
    for (const [who, until] of owed) {
      owed.delete(who);
      if (until <= this.#clock.now()) continue;
      this.#used.set(pool, this.#clock.now() + PATIENCE_MS);
      return true;
    }
    return false;
  }

  /** Whether an owed release has come lately. */
  used(pool: string): boolean {
    return (this.#used.get(pool) ?? 0) > this.#clock.now();
  }

  /** The pool goes. */
  forget(pool: string): void {
    this.#owed.delete(pool);
    this.#used.delete(pool);
  }
}
