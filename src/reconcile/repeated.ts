import { asCoded, type CodedError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';

/** First and longest pause before what failed is tried again, in milliseconds. */
const PAUSE_MIN = 50;
const PAUSE_MAX = 15_000;

export interface Failure {
  readonly error: CodedError;
  /** How often in a row. */
  readonly count: number;
  /** Milliseconds since 1970: not to be tried before. */
  readonly retryAt: number;
}

/** What failed, once more or for the first time at `now`: each time the pause before the next try is twice as long. */
export function failed(before: Failure | undefined, error: CodedError, now: number): Failure {
  const count = (before?.count ?? 0) + 1;
  return { error, count, retryAt: now + Math.min(PAUSE_MAX, PAUSE_MIN * 2 ** (count - 1)) };
}

/**
 * Something that is done now and then, such as a read-back, one at a time. When it fails it is tried again by itself,
 * with longer and longer pauses, until it works.
 */
export class Repeated {
  readonly #work: () => Promise<void>;
  readonly #clock: Clock;
  readonly #report: (failure: Failure) => void;
  #failure: Failure | undefined;
  #running: Promise<void> | undefined;
  /** Who asks while one runs waits for the next, which sees what has changed meanwhile. */
  #next: Promise<void> | undefined;
  #cancel: () => void = () => {};
  /** Counts the times that it was told to rest. */
  #rests = 0;
  #closed = false;

  constructor(work: () => Promise<void>, clock: Clock, report: (failure: Failure) => void) {
    this.#work = work;
    this.#clock = clock;
    this.#report = report;
  }

  /** Why it failed last time; undefined when it worked. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Does it, from the beginning. Resolves when it has worked or failed; never rejects. */
  now(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (!this.#running) return this.#begin();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#closed ? undefined : this.#begin();
    });
    return this.#next;
  }

  /** It cannot work for now: forgets its failure and tries no more, until it is asked for. */
  rest(): void {
    this.#rests++;
    this.#failure = undefined;
    this.#cancel();
  }

  /** Tries no more. Resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#running;
  }

  #begin(): Promise<void> {
    this.#cancel();
    this.#running = this.#try().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #try(): Promise<void> {
    const rests = this.#rests;
    try {
      await this.#work();
      this.#failure = undefined;
    } catch (error) {
      if (rests !== this.#rests) return;
      const now = this.#clock.now();
      this.#failure = failed(this.#failure, asCoded(error), now);
      this.#report(this.#failure);
      if (this.#closed) return;
      this.#cancel = this.#clock.after(this.#failure.retryAt - now, () => void this.now());
    }
  }
}
