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
  #due: number;
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
    const { clock } = this.#options;
    const ms = Math.min(Math.max(this.#due - wallOf(clock), 0), LOOK_MS);
    this.#cancel = clock.after(ms, () => (wallOf(clock) < this.#due ? this.#wait() : void this.#try()));
  }

  async #try(): Promise<void> {
    const { clock, random, renew, renewed, failed } = this.#options;
    try {
      const certificate = await renew();
      this.#failures = 0;
      this.#due = renewalAt(certificate, random());
      if (!this.#stopped) renewed(certificate);
    } catch (error) {
      this.#failures += 1;
      this.#due = wallOf(clock) + retryMs(this.#failures, random());
      failed(error, this.#failures);
    }
    if (!this.#stopped) this.#wait();
  }
}
