import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

/** The same reason of the same address is logged so often, in milliseconds; a scan must not fill the log. */
const ONCE_MS = 60_000;
/** Addresses that are remembered for that. */
const ADDRESSES = 256;
/** For so long somebody of a second founding is said to be there, in milliseconds. */
const FOUNDING_MS = 60_000;

/** Those who are no members and were turned away: logged here, counted by the transport. */
export class Strangers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #logged = new Map<string, number>();
  /** Addresses of those whose cluster has another founder, and when they were refused. */
  readonly #foundings = new Map<string, number>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `remote`: address with port. */
  refused(reason: string, remote: string): void {
    const address = remote.replace(/:\d+$/, '');
    const who = `${reason} ${address}`;
    const now = this.#clock.now();
    // A member only says that: there are not many.
    if (reason === 'founder') this.#foundings.set(address, now);
    if (now - (this.#logged.get(who) ?? Number.NEGATIVE_INFINITY) < ONCE_MS) return;
    this.#logged.delete(who);
    this.#logged.set(who, now);
    const [oldest] = this.#logged.keys();
    if (this.#logged.size > ADDRESSES && oldest !== undefined) this.#logged.delete(oldest);
    this.#log.warn({ reason, remote }, 'refused a connection');
  }
  /** Addresses of those that are in another cluster of the same secret, and were refused lately. */
  foundings(): string[] {
    const before = this.#clock.now() - FOUNDING_MS;
    for (const [address, at] of this.#foundings) if (at < before) this.#foundings.delete(address);
    return [...this.#foundings.keys()];
  }
}
