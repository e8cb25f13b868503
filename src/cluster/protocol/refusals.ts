import type { CodedError, ErrorCode } from '../../errors.ts';
import type { Members } from './members.ts';
import type { Ground } from './ports.ts';

/** The same of a member is logged so often, in milliseconds. */
const ONCE_MS = 60_000;
/** How a request ends that no honest member makes. */
const WRONG: ReadonlySet<ErrorCode> = new Set(['NR_REQUEST_FORBIDDEN', 'NR_REQUEST_INVALID']);

/** Requests of members that were refused, as no daemon of this release makes them. */
export class Refusals {
  readonly #members: Members;
  readonly #ground: Ground;
  readonly #logged = new Map<string, number>();
  #count = 0;

  constructor({ members, ground }: { members: Members; ground: Ground }) {
    this.#members = members;
    this.#ground = ground;
  }

  /** By reason: `request`. */
  get counts(): ReadonlyMap<string, number> {
    return new Map(this.#count > 0 ? [['request', this.#count]] : []);
  }

  /** Takes note of how a request has ended, if that says something of who has asked. */
  ended(from: string, method: string, error: CodedError | undefined): void {
    if (!error || !WRONG.has(error.code)) return;
    this.#count++;
    const now = this.#ground.timer.now();
    // Of members only: a stranger may draw as many ids as it likes.
    if (!this.#members.get(from) || now - (this.#logged.get(from) ?? Number.NEGATIVE_INFINITY) < ONCE_MS)
      return;
    this.#logged.set(from, now);
    const host = this.#members.nameOf(from);
    this.#ground.log.warn({ err: error, from, host, method }, 'refused a request of a member');
  }
}
