import type { Clock } from '../../../src/ports/clock.ts';

/** A clock that stands still until it is told. */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ at: number; call: () => void }>();

  constructor(now = Date.now()) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  readonly after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.#now + ms, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** Goes on by so many milliseconds, and calls back what is due, in order. */
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
    }
    this.#now = until;
  }

  /** Somebody sets the clock forward: what waits, waits as long as before. */
  jump(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) timer.at += ms;
  }

  /** When the next callback is due, in milliseconds from now. */
  get nextMs(): number | undefined {
    const times = [...this.#timers].map(({ at }) => at - this.#now);
    return times.length > 0 ? Math.min(...times) : undefined;
  }
}
