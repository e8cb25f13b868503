import type { CodedError, ErrorCode } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';

/** Pause before something is tried again, in milliseconds; doubled each time. */
const FIRST_MS = 1000;
const MOST_MS = 60_000;
/** So many failures in a row are worth a look. */
const PERSISTENT = 3;
/** What does not pass by itself. */
const STANDING: readonly ErrorCode[] = ['NR_PROPAGATE_NAME', 'NR_PROPAGATE_IN_USE'];
/** What an event of Docker may have cleared away. */
const DOCKERS: readonly ErrorCode[] = [...STANDING, 'NR_DOCKER_UNAVAILABLE'];

interface Met {
  readonly name: string;
  readonly error: CodedError;
  /** How often in a row. */
  readonly count: number;
  /** When it may be tried again, in milliseconds. */
  readonly until: number;
}

/** What could not be done, by key, and when it is tried again: one that cannot be done holds up no other. */
export class Obstacles {
  readonly #clock: Clock;
  readonly #met = new Map<string, Met>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isDue(key: string): boolean {
    return (this.#met.get(key)?.until ?? 0) <= this.#clock.now();
  }

  /** Whether anything that has failed may be tried again. */
  get someDue(): boolean {
    return [...this.#met.keys()].some((key) => this.isDue(key));
  }

  /** Milliseconds until the next one may be tried again, if there is one. */
  next(): number | undefined {
    if (this.#met.size === 0) return undefined;
    return Math.max(0, Math.min(...[...this.#met.values()].map(({ until }) => until)) - this.#clock.now());
  }

  met(key: string, name: string, error: CodedError): void {
    const count = (this.#met.get(key)?.count ?? 0) + 1;
    const pause = Math.min(FIRST_MS * 2 ** (count - 1), MOST_MS);
    this.#met.set(key, { name, error, count, until: this.#clock.now() + pause });
  }

  /** What stood in its way the last time. */
  of(key: string): CodedError | undefined {
    return this.#met.get(key)?.error;
  }

  /** It has been done. */
  passed(key: string): void {
    this.#met.delete(key);
  }

  /** Something has changed in Docker. @returns whether that may have been in the way of anything */
  hurry(): boolean {
    const hurried = [...this.#met].filter(([, { error }]) => DOCKERS.includes(error.code));
    for (const [key, one] of hurried) this.#met.set(key, { ...one, until: this.#clock.now() });
    return hurried.length > 0;
  }

  /** Only these are still to be done. */
  keep(keys: readonly string[]): void {
    const known = new Set(keys);
    for (const key of this.#met.keys()) if (!known.has(key)) this.#met.delete(key);
  }

  /** What a person may have to do something about. Docker's absence is told elsewhere. */
  lasting(): { readonly network: string; readonly error: CodedError }[] {
    return [...this.#met.values()]
      .filter(({ error, count }) => STANDING.includes(error.code) || count >= PERSISTENT)
      .filter(({ error }) => error.code !== 'NR_DOCKER_UNAVAILABLE')
      .map(({ name, error }) => ({ network: name, error }));
  }
}
