import { CodedError, isErrorCode } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Json } from '../../ports/store.ts';
import type { Reply, Request } from '../../store/gossip/messages.ts';
import type { Answer, Done } from '../protocol/ports.ts';

interface Waiting {
  readonly member: string;
  readonly request: Request;
  readonly done: Done<Answer>;
  readonly cancel: () => void;
}

/** Requests of this host that are not answered. */
export class Requests {
  readonly #timer: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor(timer: Clock) {
    this.#timer = timer;
  }

  /** `late` is called before `done` if there is no answer in time. */
  open(
    member: string,
    { method, body, ms }: { readonly method: string; readonly body: Json; readonly ms: number },
    done: Done<Answer>,
    late: () => void,
  ): Request {
    const request: Request = { kind: 'request', id: ++this.#count, method, body };
    const cancel = this.#timer.after(ms, () => {
      late();
      this.fail(request.id, 'does not answer');
    });
    this.#waiting.set(request.id, { member, request, done, cancel });
    return request;
  }

  isOpen({ id }: Request): boolean {
    return this.#waiting.has(id);
  }

  /** Those that a member has not answered. */
  of(member: string): Request[] {
    return [...this.#waiting.values()].filter((one) => one.member === member).map(({ request }) => request);
  }

  /** Takes an answer. Only who was asked may give one, and only the first counts. */
  replied(from: string, { id, body, error, ranges }: Reply): void {
    if (this.#waiting.get(id)?.member !== from) return;
    const answer: Answer = { body: body as Json, ...(ranges && { ranges }) };
    if (!error) return this.#end(id, undefined, answer);
    // Codes of a later release are none of ours.
    const code = isErrorCode(error.code) ? error.code : 'NR_MEMBER_REFUSED';
    this.#end(id, new CodedError(code, error.what));
  }

  /** It cannot be answered: `what` says of the member why. */
  fail(id: number, what: string): void {
    const member = this.#waiting.get(id)?.member;
    this.#end(id, new CodedError('NR_MEMBER_UNREACHABLE', `${member} ${what}`));
  }

  /** Nobody is called back any more. */
  stop(): void {
    for (const { cancel } of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  #end(id: number, error: CodedError | undefined, answer?: Answer): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    waiting.cancel();
    waiting.done(error, answer);
  }
}
