import type { CodedError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Json } from '../../ports/store.ts';
import type { Range } from '../../store/gossip/messages.ts';

/** What a request was answered: a value, and what the asker need not wait for until it comes by gossip. */
export interface Answer {
  readonly body?: Json | undefined;
  readonly ranges?: readonly Range[] | undefined;
}

export type Ended = (error: CodedError | undefined) => void;
export type Done<T> = (error: CodedError | undefined, value?: T) => void;

/** What a call has ended with. */
export function ended(call: (done: Ended) => void): Promise<CodedError | undefined> {
  return new Promise(call);
}

/** Requests to other members. They may be lost, come twice or late; every one of them may be asked again. */
export interface Calls {
  /** `done` is called once: with the answer, the other's error, or NR_MEMBER_UNREACHABLE after `ms` milliseconds. */
  ask(member: string, method: string, body: Json, ms: number, done: Done<Answer>): void;
}

/** What the parts of the protocol stand on. */
export interface Ground {
  readonly calls: Calls;
  readonly timer: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly log: { warn(what: object, text: string): void; info(what: object, text: string): void };
}

/** A method that other members may ask for. `from` is who asks, proven by the connection. */
export type Method = (from: string, body: Json, done: Done<Answer>) => void;
