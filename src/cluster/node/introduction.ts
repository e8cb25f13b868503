import { asCoded, type CodedError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Replica } from '../../store/replica.ts';
import { type Said, say } from './begin.ts';

/** Pause before it is tried again, in milliseconds. */
const AGAIN_MS = 1000;

/** What a member says of itself, tried until it is on disk: a host with a full disk is one all the same. */
export class Introduction {
  readonly #replica: Replica;
  readonly #said: () => Said;
  readonly #clock: Clock;
  readonly #log: Log;
  #more: Said = {};
  #hasFailed = false;
  #stopped = false;
  #cancel = () => {};

  /** `said`: what it has to say now. */
  constructor(parts: { replica: Replica; said: () => Said; clock: Clock; log: Log }) {
    this.#replica = parts.replica;
    this.#said = parts.said;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /** Says it anew, and `more` from now on. Ends with the first attempt, which may be in vain. Never throws. */
  say(more: Said = {}): Promise<void> {
    this.#more = { ...this.#more, ...more };
    this.#cancel();
    return new Promise((resolve) => {
      const done = (error: CodedError | undefined) => {
        this.#tried(error);
        resolve();
      };
      try {
        say(this.#replica, { ...this.#said(), ...this.#more }, done);
      } catch (error) {
        done(asCoded(error));
      }
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #tried(error: CodedError | undefined): void {
    if (this.#stopped) return;
    if (error && !this.#hasFailed)
      this.#log.warn({ err: error }, 'could not tell the others of this host, and tries again');
    this.#hasFailed = error !== undefined;
    if (!error) return;
    this.#cancel();
    this.#cancel = this.#clock.after(AGAIN_MS, () => void this.say());
  }
}
