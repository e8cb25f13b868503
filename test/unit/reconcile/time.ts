import type { Clock } from '../../../src/ports/clock.ts';

/** A clock that stands still until the test moves it. */
export class Time implements Clock {
  #now = 1_000_000;
  readonly #calls = new Map<symbol, { readonly at: number; readonly call: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, call: () => void): () => void {
    const id = Symbol('call');
    this.#calls.set(id, { at: this.#now + ms, call });
    return () => this.#calls.delete(id);
  }

  /** How many calls are to come. */
  get waiting(): number {
    return this.#calls.size;
  }

  /** Milliseconds until the next one; undefined when none is to come. */
  get next(): number | undefined {
    const times = [...this.#calls.values()].map(({ at }) => at - this.#now);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Lets time pass, and waits for what each call that is due sets in motion. */
  async pass(ms: number, quiet: () => Promise<void> = turn): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await quiet();
      const [next] = [...this.#calls].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      const [id, { at, call }] = next;
      this.#calls.delete(id);
      this.#now = Math.max(this.#now, at);
      call();
    }
    this.#now = end;
  }
}

/** On memory adapters everything that waits for no clock is done after some turns of the event loop. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}
