import type { Clock } from '../ports/clock.ts';

/** Calls once, at the earliest of the moments that it was asked for since the last call. */
export class Soonest {
  readonly #clock: Pick<Clock, 'now' | 'after'>;
  readonly #call: () => void;
  #planned: { readonly at: number; readonly cancel: () => void } | undefined;
  #closed = false;

  constructor(clock: Pick<Clock, 'now' | 'after'>, call: () => void) {
    this.#clock = clock;
    this.#call = call;
  }

  /** In so many milliseconds at the latest. */
  within(ms: number): void {
    const at = this.#clock.now() + ms;
    if (this.#closed || (this.#planned && this.#planned.at <= at)) return;
    this.#planned?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#planned = undefined;
      this.#call();
    });
    this.#planned = { at, cancel };
  }

  /** Never again. */
  close(): void {
    this.#closed = true;
    this.#planned?.cancel();
  }
}
