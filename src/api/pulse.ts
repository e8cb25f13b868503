import type { Services } from '../driver/services.ts';
import type { FailureView } from './views.ts';

/** How often it is felt, in milliseconds. */
const EVERY_MS = 5000;
/** A pass that takes longer than this, in milliseconds, hangs. */
const HANGS_MS = 30_000;

type Beating = Pick<Services, 'clock' | 'reconciler'>;

/**
 * Whether the reconcile loop goes on, seen from outside: it is at rest, or its count of passes rises. Also knows
 * since when each key fails.
 */
export class Pulse {
  readonly #services: Beating;
  readonly #since = new Map<string, number>();
  #passes = -1;
  #alive: number;
  #cancel: () => void = () => {};

  constructor(services: Beating) {
    this.#services = services;
    this.#alive = services.clock.now();
    this.#feel();
  }

  /** The loop was at rest, or finished a pass, within the last half minute. */
  live(): boolean {
    this.#look();
    return this.#services.clock.now() - this.#alive < HANGS_MS;
  }

  /** What does not work now, with for how long. */
  failures(): FailureView[] {
    const now = this.#services.clock.now();
    return this.#look().map(({ id, lane, key, error, count }) => ({
      code: error.code,
      what: error.what,
      remedy: error.remedy,
      lane,
      key,
      count,
      seconds: Math.round((now - (this.#since.get(id) ?? now)) / 1000),
    }));
  }

  stop(): void {
    this.#cancel();
  }

  #feel(): void {
    const { clock, reconciler } = this.#services;
    this.#look();
    void reconciler.idle().then(() => {
      this.#alive = clock.now();
    });
    this.#cancel = clock.after(EVERY_MS, () => this.#feel());
  }

  #look() {
    const { clock, reconciler } = this.#services;
    const now = clock.now();
    if (reconciler.stats.passes !== this.#passes) {
      this.#passes = reconciler.stats.passes;
      this.#alive = now;
    }
    const failures = reconciler
      .failures()
      .map((failure) => ({ ...failure, id: `${failure.lane} ${failure.key}` }));
    const failing = new Set(failures.map(({ id }) => id));
    for (const id of failing) if (!this.#since.has(id)) this.#since.set(id, now);
    for (const id of this.#since.keys()) if (!failing.has(id)) this.#since.delete(id);
    return failures;
  }
}
