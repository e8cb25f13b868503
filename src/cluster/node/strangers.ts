import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/** The same reason of the same address is logged so often, in milliseconds; a scan must not fill the log. */
const ONCE_MS = 60_000;
/** Addresses that are remembered for that. */
const ADDRESSES = 256;
/** For so long somebody of a second founding is said to be there, in milliseconds. */
const FOUNDING_MS = 60_000;
/** And a member that has stopped, which asks each 15 s whether it may come back. */
const STOPPED_MS = 60_000;

/** A machine that calls as a member, and has stopped: its disk was set back, or it is a copy. */
export interface Stopped {
  readonly member: string;
  readonly address: string;
}

/** Those who were turned away: logged here, counted by the transport. */
export class Strangers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #logged = new Map<string, number>();
  /** Addresses of those whose cluster has another founder, and when they were refused. */
  readonly #foundings = new Map<string, number>();
  /** When each has called last, by its member and address. */
  readonly #stopped = new Map<string, Stopped & { readonly at: number }>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `remote`: address with port. */
  refused(reason: string, remote: string): void {
    const address = plain(remote.replace(/:\d+$/, ''));
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

  /** Somebody with the key of a member says that it has stopped, and would come back as another one. */
  hasStopped(member: string, address: string): void {
    const at = plain(address);
    this.#stopped.set(`${member} ${at}`, { member, address: at, at: this.#clock.now() });
  }

  /** Those that have said so lately. */
  stopped(): Stopped[] {
    const before = this.#clock.now() - STOPPED_MS;
    for (const [key, { at }] of this.#stopped) if (at < before) this.#stopped.delete(key);
    return [...this.#stopped.values()];
  }

  /** Addresses of those that are in another cluster of the same secret, and were refused lately. */
  foundings(): string[] {
    const before = this.#clock.now() - FOUNDING_MS;
    for (const [address, at] of this.#foundings) if (at < before) this.#foundings.delete(address);
    return [...this.#foundings.keys()];
  }
}

/** As people write it: a socket for both families has IPv4 addresses in IPv6's form. */
function plain(address: string): string {
  return address.replace(/^\[?::ffff:([\d.]+)\]?$/, '$1');
}
