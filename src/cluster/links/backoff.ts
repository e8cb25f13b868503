/** Pause after the first failure, and the longest: a network that is whole again is used within seconds. */
const FIRST_MS = 500;
const MAX_MS = 8000;

/** When to try again what has failed: later each time, and not when all others do. */
export class Backoff {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #failures = new Map<
    string,
    { readonly count: number; readonly until: number; readonly why: string }
  >();

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
  }

  isReady(name: string): boolean {
    return (this.#failures.get(name)?.until ?? 0) <= this.#now();
  }

  /** @returns how many times it has failed one after the other */
  failed(name: string, why: string): number {
    const count = (this.#failures.get(name)?.count ?? 0) + 1;
    const pause = Math.min(MAX_MS, FIRST_MS * 2 ** (count - 1)) * (0.5 + this.#random());
    this.#failures.set(name, { count, until: this.#now() + pause, why });
    return count;
  }

  succeeded(name: string): void {
    this.#failures.delete(name);
  }

  /** Why it failed the last time; undefined where it did not. */
  why(name: string): string | undefined {
    return this.#failures.get(name)?.why;
  }
}
