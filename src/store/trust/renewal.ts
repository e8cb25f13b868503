import type { X509Certificate } from 'node:crypto';
import { type Clock, wallOf } from '../../ports/clock.ts';
import { EARLIER_MS } from './authority.ts';

const MINUTE_MS = 60_000;
/** Longest pause between two tries: of the 30 days that are left for them, many. */
const PAUSE_MAX_MS = 6 * 60 * MINUTE_MS;
/** The clock is looked at this often at least: timers neither run for months nor follow a clock that is set. */
const LOOK_MS = 60 * MINUTE_MS;
/** Hosts that joined together do not all ask in the same minute: up to this part of the life earlier. */
const SPREAD = 0.05;

/** From when on a certificate is to be renewed: two thirds of its life, or a little before. `random` is from 0 to 1. */
export function renewalAt(certificate: X509Certificate, random: number): number {
  const made = certificate.validFromDate.getTime() + EARLIER_MS;
  return made + (certificate.validToDate.getTime() - made) * (2 / 3 - SPREAD * random);
}

/** Pause after so many failures one after the other: doubles from a minute, half of it by chance. */
export function retryMs(failures: number, random: number): number {
  const pause = Math.min(PAUSE_MAX_MS, MINUTE_MS * 2 ** (failures - 1));
  return (pause * (1 + random)) / 2;
}

interface Options {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Asks an authority for a certificate. */
  readonly renew: () => Promise<X509Certificate>;
  readonly renewed: (certificate: X509Certificate) => void;
  readonly failed: (error: unknown, failures: number) => void;
}

/** Renews a node's certificate as long as it runs. */
export class Renewal {
  readonly #options: Options;
  /** By the computer's clock, as certificates go by that. */
  #due: number;
  /** After a failure, by the time that passes: a clock that is set back holds up nothing. */
  #again = Number.POSITIVE_INFINITY;
  #failures = 0;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(certificate: X509Certificate, options: Options) {
    this.#options = options;
    this.#due = renewalAt(certificate, options.random());
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #wait(): void {
    const ms = Math.min(Math.max(this.#leftMs(), 0), LOOK_MS);
    this.#cancel = this.#options.clock.after(ms, () =>
      this.#leftMs() > 0 ? this.#wait() : void this.#try(),
    );
  }

  #leftMs(): number {
    const { clock } = this.#options;
    return Math.min(this.#due - wallOf(clock), this.#again - clock.now());
  }

  async #try(): Promise<void> {
    const { clock, random, renew, renewed, failed } = this.#options;
    try {
      const certificate = await renew();
      this.#failures = 0;
      this.#due = renewalAt(certificate, random());
      this.#again = Number.POSITIVE_INFINITY;
      if (!this.#stopped) renewed(certificate);
    } catch (error) {
      this.#failures += 1;
      const pause = retryMs(this.#failures, random());
      this.#due = wallOf(clock) + pause;
      this.#again = clock.now() + pause;
      failed(error, this.#failures);
    }
    if (!this.#stopped) this.#wait();
  }
}
