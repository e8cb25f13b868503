import { asCoded, type CodedError } from '../errors.ts';
import type { Tracker } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import type { Operation, Target } from '../ports/target.ts';
import { type Failure, failed } from './repeated.ts';

/** A target with its tracker, and the keys that failed last time. */
export class Lane<R extends { readonly kind: string }> {
  readonly name: string;
  readonly tracker: Tracker<R>;
  readonly target: Pick<Target<R>, 'apply'>;
  readonly failures = new Map<string, Failure>();
  readonly #clock: Clock;

  constructor(name: string, tracker: Tracker<R>, target: Pick<Target<R>, 'apply'>, clock: Clock) {
    this.name = name;
    this.tracker = tracker;
    this.target = target;
    this.#clock = clock;
  }

  /** Operations that are due: those not held back by a failure. */
  due(filter: (operation: Operation<R>) => boolean = () => true): Operation<R>[] {
    const now = this.#clock.now();
    return this.tracker.pending((key) => (this.failures.get(key)?.retryAt ?? 0) <= now).filter(filter);
  }

  /** Applies and records the outcomes. A target that fails as a whole fails every operation. */
  async apply(operations: readonly Operation<R>[]): Promise<void> {
    if (operations.length === 0) return;
    let outcomes: readonly { readonly key: string; readonly error?: CodedError | undefined }[];
    try {
      outcomes = await this.target.apply(operations);
    } catch (error) {
      const coded = asCoded(error);
      outcomes = operations.map(({ key }) => ({ key, error: coded }));
    }
    operations.forEach((operation, index) => {
      const outcome = outcomes[index];
      if (outcome?.error) this.#failed(operation.key, outcome.error);
      else {
        this.failures.delete(operation.key);
        this.tracker.done(operation.key, operation.do === 'put' ? operation.resource : undefined);
      }
    });
  }

  /** Milliseconds until the earliest failed key may be tried again; undefined if none failed. */
  nextRetry(): number | undefined {
    let earliest: number | undefined;
    for (const [key, { retryAt }] of this.failures) {
      // Somebody else may have done it, as a read-back shows.
      if (this.tracker.rests(key)) this.failures.delete(key);
      else earliest = Math.min(earliest ?? retryAt, retryAt);
    }
    return earliest === undefined ? undefined : Math.max(0, earliest - this.#clock.now());
  }

  /** Failed keys may be tried at once: something changed that may have been in the way. */
  hurry(among: (key: string) => boolean = () => true): void {
    for (const [key, failure] of this.failures) {
      if (among(key)) this.failures.set(key, { ...failure, retryAt: 0 });
    }
  }

  /** The first error among an owner's keys. */
  errorOf(owner: string): CodedError | undefined {
    for (const key of this.tracker.owned(owner).keys()) {
      const failure = this.failures.get(key);
      if (failure) return failure.error;
    }
    return undefined;
  }

  #failed(key: string, error: CodedError): void {
    this.failures.set(key, failed(this.failures.get(key), error, this.#clock.now()));
  }
}
