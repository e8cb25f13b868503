import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Change } from '../../ports/store.ts';
import { coversAll, Vector } from '../../store/crdt/vector.ts';
import type { Replica } from '../../store/replica.ts';
import { type Claims, type Loan, loanSchema } from './claims.ts';
import { type Gone, goneChange, type Members } from './members.ts';
import { chunkKey, type Ownership, ownedBy } from './ownership.ts';
import type { Answer, Ended, Ground, Method } from './ports.ts';
import {
  PROMISED_MAX,
  type PromisedTo,
  promiseChange,
  promisedOf,
  promiseOf,
  releaseChange,
} from './promise.ts';
import { chunkOf, type Spaces } from './spaces.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 2000;
/** How long a coordinator waits until it knows all that the others know. */
const CATCH_UP_MS = 30_000;

const victimsSchema = z.object({ attempt: z.number(), victims: z.array(z.string()).min(1) });
const attemptSchema = z.object({ attempt: z.number() });
const goingSchema = z.object({ going: z.boolean(), sequence: z.number() });
const vectorSchema = z.record(z.string(), z.number().int().nonnegative());
const promisedSchema = z.object({
  vector: vectorSchema,
  members: z.array(z.string()),
  /** Those that went before of which not all has arrived, frozen as well. */
  again: z.array(z.string()),
  loans: z.array(loanSchema),
});
type Promised = z.infer<typeof promisedSchema>;

/** An attempt of ours: from the first promise asked for to the commit or the end of it. */
interface Attempt {
  /** Grows with each attempt of this host, over restarts too. */
  readonly id: number;
  readonly victims: readonly string[];
  readonly force: boolean;
  readonly promised: Map<string, Promised>;
  readonly asked: Set<string>;
  readonly done: Ended;
  ended: boolean;
}

/**
 * Members that do not come back: their place is taken by the coordinator when every other member has promised, on
 * disk and to it alone, to take nothing more of theirs and to give them nothing.
 */
export class Forgetting {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #spaces: Spaces;
  readonly #standing: Standing;
  readonly #claims: Claims;
  readonly #ground: Ground;
  #attempt: Attempt | undefined;

  constructor(parts: {
    replica: Replica;
    members: Members;
    ownership: Ownership;
    spaces: Spaces;
    standing: Standing;
    claims: Claims;
    ground: Ground;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#spaces = parts.spaces;
    this.#standing = parts.standing;
    this.#claims = parts.claims;
    this.#ground = parts.ground;
  }

  /**
   * Up to which of its writes a member counts: those known when it was promised to freeze it, or when it went. The
   * coordinator itself has to hear what others know, up to the seal that it will set.
   */
  limit(origin: string): number {
    const seal = this.#members.gone(origin)?.seal ?? Number.POSITIVE_INFINITY;
    const promise = promiseOf(this.#replica, origin);
    if (!promise) return seal;
    return Math.min(seal, Math.max(promise.limit, this.#attempt ? this.#seal(this.#attempt, origin) : 0));
  }

  /**
   * Forgets members for good. They have to be off, or cut off, before.
   * @throws (to `done`) NR_MEMBER_UNKNOWN, NR_FORGET_MAJORITY, NR_FORGET_BUSY, NR_MEMBER_UNREACHABLE
   */
  forget(victims: readonly string[], force: boolean, done: Ended): void {
    try {
      this.#standing.mayGive();
      if (this.#attempt) throw new CodedError('NR_FORGET_BUSY', 'this host is forgetting others already');
      const left = victims.filter((id) => !this.#members.gone(id));
      const unknown = left.find((id) => !this.#members.isPresent(id));
      if (unknown) throw new CodedError('NR_MEMBER_UNKNOWN', `there is no member ${unknown}`);
      if (left.includes(this.#replica.origin))
        throw new CodedError('NR_FORGET_SELF', 'a host cannot forget itself');
      if (left.length === 0) return done(undefined);
      const attempt: Attempt = {
        // The promise to ourselves is our next write.
        id: this.#replica.known(this.#replica.origin) + 1,
        victims: left,
        force,
        promised: new Map(),
        asked: new Set(),
        done,
        ended: false,
      };
      this.#attempt = attempt;
      const own = { attempt: attempt.id, victims: [...left] };
      this.servePromise(this.#replica.origin, own, (error, answer) =>
        this.#promised(attempt, this.#replica.origin, error, answer),
      );
    } catch (error) {
      done(error as CodedError);
    }
  }

  /** `promise`: to freeze members for a coordinator. */
  readonly servePromise: Method = (from, body, done) => {
    const { attempt, victims } = victimsSchema.parse(body);
    if (victims.includes(this.#replica.origin))
      return done(new CodedError('NR_FORGET_ALIVE', `${this.#replica.origin} is alive`));
    const { halted } = this.#standing;
    if (halted)
      return done(new CodedError('NR_MEMBER_HALTED', `${this.#replica.origin} has stopped: ${halted}`));
    const gone = victims.find((id) => this.#members.gone(id));
    if (gone) return done(new CodedError('NR_FORGET_DONE', `${gone} is gone already`));
    // Of those that went before, all that still counts is what somebody knows now.
    const again = [...this.#members.allGone()]
      .filter(({ id, seal }) => this.#replica.known(id) < seal)
      .map(({ id }) => id);
    const frozen = [...victims, ...again];
    const busy = frozen.map((id) => this.#refusal(id, from, attempt, victims)).find((error) => error);
    if (busy) return done(busy);
    const to = { coordinator: from, attempt };
    const changes = frozen.map((id) => promiseChange(this.#replica, id, to, !victims.includes(id)));
    for (const id of victims) this.#claims.abandon(id);
    this.#replica.write(changes, (error) => {
      if (error) return done(error);
      done(undefined, {
        body: {
          vector: Object.fromEntries(this.#replica.vector),
          members: this.#members.present().map(({ id }) => id),
          again,
          loans: this.#claims.borrowed(),
        },
      });
    });
  };

  /** `attempt`: whether this host still tries. */
  readonly serveAttempt: Method = (_from, body, done) => {
    const { attempt } = attemptSchema.parse(body);
    // What was committed is durable when this is answered, and has been told by then or is told after.
    const going = this.#attempt?.id === attempt;
    this.#replica.write([], (error) =>
      done(error, { body: { going, sequence: this.#replica.vector.get(this.#replica.origin) ?? 0 } }),
    );
  };

  /** Drops promises whose coordinator has given up, and those that were kept. To be called from time to time. */
  tidy(): void {
    for (const id of promisedOf(this.#replica)) {
      const gone = this.#members.gone(id);
      const { to, again } = promiseOf(this.#replica, id)!;
      if (gone && (!again || this.#replica.known(id) >= gone.seal))
        this.#replica.write(releaseChange(this.#replica, id), () => {});
      else for (const one of to) this.#follow(id, one);
    }
  }

  /** Ends a promise if its coordinator cannot do any more, or have done, what it was promised for. */
  #follow(id: string, to: PromisedTo): void {
    const { coordinator, attempt } = to;
    const drop = () => this.#replica.write(releaseChange(this.#replica, id, to), () => {});
    const gone = this.#members.gone(coordinator);
    if (coordinator === this.#replica.origin) {
      if (this.#attempt?.id !== attempt) drop();
    } else if (gone) {
      // All that counts of its writes is here and durable, and that the member is gone is not among it.
      if ((this.#replica.vector.get(coordinator) ?? 0) >= gone.seal) drop();
    } else if (this.#members.isPresent(coordinator) && !this.#standing.frozen(coordinator)) {
      this.#ground.calls.ask(coordinator, 'attempt', { attempt }, ASK_MS, (error, answer) => {
        const body = goingSchema.safeParse(answer?.body).data;
        // What it has committed comes by gossip: only who knows all of its writes knows that there is none.
        if (error || !body || body.going || this.#replica.known(coordinator) < body.sequence) return;
        drop();
      });
    }
  }

  /** Why a member cannot be frozen for a coordinator now. */
  #refusal(
    id: string,
    coordinator: string,
    attempt: number,
    victims: readonly string[],
  ): CodedError | undefined {
    const standing = promiseOf(this.#replica, id)?.to ?? [];
    const own = standing.find((one) => one.coordinator === coordinator);
    if (own && own.attempt > attempt)
      return new CodedError('NR_FORGET_BUSY', 'a later attempt has been asked for');
    // A coordinator that is a victim itself holds nobody back, and one that is gone neither.
    const other = standing.find(
      (one) => one !== own && !victims.includes(one.coordinator) && !this.#members.gone(one.coordinator),
    );
    if (other) return new CodedError('NR_FORGET_BUSY', `${other.coordinator} is forgetting ${id}`);
    if (!own && standing.length >= PROMISED_MAX)
      return new CodedError(
        'NR_FORGET_BUSY',
        `it is not known yet how earlier attempts to forget ${id} ended`,
      );
    return undefined;
  }

  #promised(attempt: Attempt, from: string, error: CodedError | undefined, answer: Answer | undefined): void {
    if (attempt.ended) return;
    const promised = promisedSchema.safeParse(answer?.body).data;
    if (error || !promised) {
      return this.#end(attempt, error ?? new CodedError('NR_MEMBER_REFUSED', `${from} answers nonsense`));
    }
    attempt.promised.set(from, promised);
    const known = new Set([...this.#members.present().map(({ id }) => id), ...promised.members]);
    const asked = [...known].filter((id) => !attempt.victims.includes(id) && !this.#members.gone(id));
    if (!attempt.force && 2 * attempt.victims.length >= known.size) {
      const what = `${attempt.victims.length} of ${known.size} members are half of the cluster or more`;
      return this.#end(attempt, new CodedError('NR_FORGET_MAJORITY', what));
    }
    attempt.asked.add(this.#replica.origin);
    for (const id of asked) {
      if (attempt.asked.has(id)) continue;
      attempt.asked.add(id);
      const body = { attempt: attempt.id, victims: [...attempt.victims] };
      this.#ground.calls.ask(id, 'promise', body, ASK_MS, (failure, reply) =>
        this.#promised(attempt, id, failure, reply),
      );
    }
    if (attempt.promised.size === attempt.asked.size) this.#await(attempt);
  }

  /** Commits as soon as this host knows all that they know. */
  #await(attempt: Attempt): void {
    const all = new Vector();
    for (const { vector } of attempt.promised.values()) all.join(new Map(Object.entries(vector)));
    const isReady = () => coversAll(this.#replica.vector, all.view);
    const finish = () => {
      stop();
      cancel();
      if (!attempt.ended) this.#commit(attempt);
    };
    const stop = this.#replica.onDurable(() => {
      if (isReady()) finish();
    });
    const cancel = this.#ground.timer.after(CATCH_UP_MS, () => {
      stop();
      this.#end(attempt, new CodedError('NR_MEMBER_UNREACHABLE', 'not all that the others know has arrived'));
    });
    if (isReady()) finish();
  }

  #commit(attempt: Attempt): void {
    const me = this.#replica.origin;
    const objection = this.#objection(attempt);
    if (objection) return this.#end(attempt, objection);
    const loans = new Map<string, { to: string; nonce: string }[]>();
    const chunks = new Set<string>();
    for (const [to, promised] of attempt.promised) {
      for (const loan of promised.loans) {
        const chunk = this.#chunkOf(attempt, loan);
        if (chunk === undefined) continue;
        // That it was taken from the treasury's may have died with its owner.
        if (!this.#replica.get(chunk)) chunks.add(chunk);
        if (to === me) continue;
        const key = `lent/${me}/${loan.space}/${loan.value}`;
        loans.set(key, [...(loans.get(key) ?? []), { to, nonce: loan.nonce }]);
      }
    }
    const last = this.#members.highest();
    const changes: Change[] = attempt.victims.flatMap((id) => [
      ...this.#ownership.handOver(id, me),
      goneChange({ id, seal: this.#seal(attempt, id), how: 'forgotten', by: me, heir: me, last }),
      { key: `promise/${id}` },
    ]);
    for (const chunk of chunks) changes.push(ownedBy(chunk, me));
    for (const [key, borrowers] of loans) changes.push({ key, value: { borrowers } });
    // What nobody knows any more of those that went before can never arrive.
    for (const gone of this.#members.allGone()) {
      const seal = Math.min(gone.seal, this.#seal(attempt, gone.id));
      if (seal < gone.seal || last < gone.last)
        changes.push(goneChange({ ...gone, seal, last: Math.min(last, gone.last) }));
    }
    this.#replica.write(changes, (error) => this.#end(attempt, error));
  }

  /** Why what was promised is not enough. */
  #objection(attempt: Attempt): CodedError | undefined {
    try {
      this.#standing.mayGive(); // still: it may have begun to leave
    } catch (error) {
      return error as CodedError;
    }
    if (attempt.victims.some((id) => this.#members.gone(id)))
      return new CodedError('NR_FORGET_BUSY', 'one of them has just gone');
    // A member that was admitted meanwhile has to promise as well.
    const late = this.#members
      .present()
      .find(({ id }) => !attempt.victims.includes(id) && !attempt.promised.has(id));
    if (late) return new CodedError('NR_FORGET_BUSY', `${late.id} has just come in`);
    const early = [...this.#members.allGone()].find((gone) => !this.#isSealed(attempt, gone));
    if (early) return new CodedError('NR_FORGET_BUSY', `not all had heard that ${early.id} has gone`);
    if (!attempt.force && !this.#members.isWhole)
      return new CodedError('NR_FORGET_BUSY', 'there is a member that this host has not heard of yet');
    return undefined;
  }

  /** Whether what counts of one that went before is known to somebody, or is as much as anybody will ever know. */
  #isSealed(attempt: Attempt, { id, seal }: Gone): boolean {
    const all = [...attempt.promised.values()];
    return this.#seal(attempt, id) >= seal || all.every(({ again }) => again.includes(id));
  }

  /** The key of a loan's chunk, if that is one of a victim. */
  #chunkOf({ victims }: Attempt, loan: Loan): string | undefined {
    const space = this.#spaces.get(loan.space);
    if (!space) return undefined;
    const chunk = chunkOf(space, BigInt(loan.value));
    const owner = this.#ownership.chunk(space.id, space.domain, chunk);
    return owner !== undefined && victims.includes(owner) ? chunkKey(space.id, chunk) : undefined;
  }

  #seal(attempt: Attempt, victim: string): number {
    return Math.max(0, ...[...attempt.promised.values()].map(({ vector }) => vector[victim] ?? 0));
  }

  #end(attempt: Attempt, error: CodedError | undefined): void {
    if (attempt.ended) return;
    attempt.ended = true;
    this.#attempt = undefined;
    // Promises of others are dropped when they ask next; ours at once.
    if (error) this.tidy();
    attempt.done(error);
  }
}
