import type { Observation } from '../ports/store.ts';

type Observer = (change: Observation) => void;

/** Those who want to hear of durable changes. What one of them throws is reported and counted. */
export class Observers {
  /** How often an observer has thrown. */
  failures = 0;
  readonly #byNamespace = new Map<string, Set<{ readonly observer: Observer }>>();
  readonly #report: (error: unknown, change: Observation) => void;

  constructor(report: (error: unknown, change: Observation) => void) {
    this.#report = report;
  }

  /** Returns the way to remove it. */
  add(namespace: string, observer: Observer): () => void {
    const seats = this.#byNamespace.get(namespace) ?? new Set();
    this.#byNamespace.set(namespace, seats);
    const seat = { observer }; // so that one function may observe twice
    seats.add(seat);
    return () => void seats.delete(seat);
  }

  tell(namespace: string, change: Observation): void {
    const seats = this.#byNamespace.get(namespace);
    // A copy: who comes while it is told waits for the next; who leaves meanwhile hears no more.
    for (const seat of seats ? [...seats] : []) {
      if (seats?.has(seat)) this.#call(seat.observer, change);
    }
  }

  #call(observer: Observer, change: Observation): void {
    try {
      const answer: unknown = observer(change);
      // An async function is allowed by its type, and its rejection would end the process.
      if (answer instanceof Promise) answer.catch((error: unknown) => this.#fail(error, change));
    } catch (error) {
      this.#fail(error, change);
    }
  }

  #fail(error: unknown, change: Observation): void {
    this.failures++;
    try {
      this.#report(error, change);
    } catch {
      // A log that fails stops nobody either; the count tells of it.
    }
  }
}
