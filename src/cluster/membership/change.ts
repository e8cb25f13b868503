import { CodedError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/** What is being done to a host's membership, for who waits for it. */
export interface Change {
  readonly what: 'init' | 'join' | 'leave' | 'form' | 'return';
  readonly step: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

interface Options {
  readonly clock: Clock;
  readonly log: Log;
  /** Whether this host has started. */
  readonly isReady: () => boolean;
  /** Who this host is, for the log. */
  readonly whoIs: () => { readonly id: string; readonly cluster: string | undefined };
}

/** Changes of a host's membership: one at a time. */
export class Changes {
  readonly #options: Options;
  #current: Change | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  get current(): Change | undefined {
    return this.#current;
  }

  /** @throws NR_CLUSTER_BUSY, and what `work` throws */
  async run<T>(what: Change['what'], step: string, work: () => Promise<T>): Promise<T> {
    const { clock, log, isReady, whoIs } = this.#options;
    if (this.#current)
      throw new CodedError('NR_CLUSTER_BUSY', `${this.#current.what} goes on: ${this.#current.step}`);
    if (!isReady()) throw new CodedError('NR_CLUSTER_BUSY', 'this host is just starting');
    this.#current = { what, step, since: clock.now() };
    try {
      const result = await work();
      log.info({ what, ...whoIs() }, 'membership has changed');
      return result;
    } catch (error) {
      log.warn({ what, err: error }, 'membership could not be changed as asked');
      throw error;
    } finally {
      this.#current = undefined;
    }
  }

  /** How far the one is that goes on. */
  step(step: string): void {
    if (this.#current) this.#current = { ...this.#current, step };
  }
}
