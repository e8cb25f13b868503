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

  /** Lets time pass, and waits for what each call that is due sets in motion. */
  async pass(ms: number, quiet: () => Promise<void>): Promise<void> {
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
