import { CodedError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: CodedError) => void;
  readonly cancel: () => void;
}

/** Errors that do not heal by themselves: who waits is told at once. */
const FINAL = new Set(['NR_FOREIGN_OBJECT', 'NR_KERNEL_ARGUMENT', 'NR_EXPORT_DENIED', 'NR_SANDBOX_GONE']);

/** Those who wait until a key has settled, each with a deadline. */
export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves at settle(key). @throws NR_DEADLINE after `ms`, or with the error that stands in the way */
  wait(key: string, ms: number, reason: () => CodedError | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const group = this.#waiting.get(key) ?? new Set();
      const late = () => {
        group.delete(waiter);
        reject(reason() ?? new CodedError('NR_DEADLINE', `${key} has not settled within ${ms} ms`));
      };
      const waiter: Waiter = { resolve, reject, cancel: this.#clock.after(ms, late) };
      group.add(waiter);
      this.#waiting.set(key, group);
    });
  }

  settle(key: string): void {
    this.#end(key, (waiter) => waiter.resolve());
  }

  /** Tells of an error; those whose key may still settle go on waiting. */
  fail(key: string, error: CodedError): void {
    if (FINAL.has(error.code)) this.#end(key, (waiter) => waiter.reject(error));
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  keys(): string[] {
    return [...this.#waiting.keys()];
  }

  #end(key: string, how: (waiter: Waiter) => void): void {
    const group = this.#waiting.get(key);
    this.#waiting.delete(key);
    for (const waiter of group ?? []) {
      waiter.cancel();
      how(waiter);
    }
  }
}
