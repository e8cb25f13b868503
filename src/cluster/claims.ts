import { z } from 'zod';
import { CodedError } from '../errors.ts';
import type { Change, Entry } from '../ports/store.ts';
import type { Replica } from '../store/replica.ts';
import type { Members } from './members.ts';
import type { Ownership } from './ownership.ts';
import type { Done, Ended, Ground, Method } from './ports.ts';
import { chunkOf, type Space, type Spaces } from './spaces.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 1000;
/** How often a chunk may turn out to have moved on while it is asked for. */
const REDIRECTS = 3;

const loanSchema = z.object({
  space: z.string(),
  value: z.string().regex(/^\d{1,39}$/),
  /** Tells this use of the value from every other. */
  nonce: z.string(),
  /** Others may use it, too, if they say the same. */
  shared: z.boolean(),
});
/** The use of a value by somebody who does not own its chunk. */
export type Loan = z.infer<typeof loanSchema>;

const borrowerSchema = z.object({ to: z.string(), nonce: z.string(), shared: z.boolean() });
const lentSchema = z.object({ borrowers: z.array(borrowerSchema) });
export type Borrower = z.infer<typeof borrowerSchema>;

const allocationSchema = z.looseObject({ nonce: z.string().optional(), shared: z.boolean().optional() });

/** What an explicit value was given by. */
export interface Grant {
  /** Kept in the allocation if the value is borrowed. */
  readonly nonce?: string | undefined;
}

/** Values that a user names: of our own chunks at once, of others' by their owner's durable consent. */
export class Claims {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #spaces: Spaces;
  readonly #standing: Standing;
  readonly #ground: Ground;
  readonly #boot: string;
  #count = 0;
  /** Claims that are not answered, by nonce. */
  readonly #open = new Map<string, { readonly owner: string; readonly end: Done<Grant> }>();

  constructor(parts: {
    replica: Replica;
    members: Members;
    ownership: Ownership;
    spaces: Spaces;
    standing: Standing;
    ground: Ground;
    boot: string;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#spaces = parts.spaces;
    this.#standing = parts.standing;
    this.#ground = parts.ground;
    this.#boot = parts.boot;
  }

  /**
   * Gets a value for this host, and writes with it what `use` says: at least the allocation, with the nonce of the
   * grant. Both are durable when `done` is called.
   * @throws (to `done`) NR_ADDRESS_IN_USE, NR_MEMBER_UNREACHABLE naming the owner, and what Standing.mayGive throws
   */
  claim(
    space: Space,
    value: bigint,
    shared: boolean,
    use: (grant: Grant) => readonly Change[],
    done: Ended,
  ): void {
    const nonce = `${this.#boot}-${++this.#count}`;
    const granted: Done<Grant> = (error, grant) => {
      if (error || !grant) return done(error);
      this.#replica.write(use(grant), (failure) => {
        // A borrowed value goes back by the owner's next audit, which we know nothing of then.
        if (failure && !grant.nonce && !this.#isUsed(space.id, `${value}`))
          this.#spaces.allocator(space.id)?.free(value, 0);
        done(failure);
      });
    };
    try {
      this.#standing.mayGive();
      this.#ask({ space: space.id, value: `${value}`, nonce, shared }, space, REDIRECTS, granted);
    } catch (error) {
      done(error as CodedError);
    }
  }

  /** Changes that free an allocation, and see to it that the owner learns of it. */
  release(space: string, value: bigint): Change[] {
    const entry = this.#replica.get(this.#allocationKey(space, `${value}`));
    if (!entry) return [];
    const { nonce } = allocationSchema.parse(entry.value);
    const returning = nonce === undefined ? [] : [this.#returning(space, `${value}`, nonce)];
    return [{ key: entry.key }, ...returning];
  }

  /** Claims of a member that is frozen from now on are not answered any more. */
  abandon(member: string): void {
    for (const [nonce, { owner, end }] of [...this.#open]) {
      if (owner !== member) continue;
      this.#open.delete(nonce);
      end(new CodedError('NR_MEMBER_UNREACHABLE', `${member} is being forgotten`));
    }
  }

  /** All that this host has borrowed, or not given back for certain: for who takes a lender's place. */
  borrowed(): Loan[] {
    const used = this.#replica.list('allocation');
    const back = this.#replica.list('returning');
    return [...used, ...back].flatMap((entry) => {
      const { nonce, shared = false } = allocationSchema.parse(entry.value);
      const [space = '', value = ''] = entry.key.split('/').slice(-2);
      return nonce === undefined ? [] : [{ space, value, nonce, shared }];
    });
  }

  /** `claim`: a value of ours for another member. The same nonce again is the same answer. */
  readonly serveClaim: Method = (from, body, done) => {
    const claim = loanSchema.parse(body);
    const space = this.#spaces.get(claim.space);
    if (!space) return done(new CodedError('NR_POOL_UNKNOWN', `there is no space ${claim.space}`));
    this.#standing.mayGive();
    if (!this.#members.get(from)?.complete || this.#standing.frozen(from)) {
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is not a member that may own anything`));
    }
    const owner = this.#ownerOf(space, BigInt(claim.value));
    if (owner !== this.#replica.origin) return done(undefined, { body: { owner: owner ?? null } });
    const refusal = this.#lend(space, claim, from, (error) =>
      done(error, error ? undefined : { body: { nonce: claim.nonce } }),
    );
    if (refusal) done(refusal);
  };

  /** `release`: a borrower needs a value no longer. */
  readonly serveRelease: Method = (from, body, done) => {
    const { space: id, value, nonce } = loanSchema.omit({ shared: true }).parse(body);
    const space = this.#spaces.get(id);
    if (!space) return done(undefined, { body: {} }); // with the space went all of its loans
    this.#standing.mayGive();
    const owner = this.#ownerOf(space, BigInt(value));
    if (owner !== this.#replica.origin) return done(undefined, { body: { owner: owner ?? null } });
    this.#replica.write(
      this.#takeBack(id, value, (one) => one.to === from && one.nonce === nonce),
      (error) => done(error, error ? undefined : { body: {} }),
    );
  };

  /** `audit`: which of the loans to it a borrower does not know. */
  readonly serveAudit: Method = (from, body, done) => {
    const { loans } = z.object({ loans: z.array(loanSchema.omit({ shared: true })) }).parse(body);
    const unknown = loans.filter(({ space, value, nonce }) => {
      if (this.#open.has(nonce)) return false;
      const entry = this.#replica.get(this.#allocationKey(space, value));
      const returning = this.#replica.get(`returning/${space}/${value}`);
      return ![entry, returning].some(
        (one) => one && allocationSchema.safeParse(one.value).data?.nonce === nonce,
      );
    });
    // Not before what was read is durable: an allocation that is on its way to the disk is known, its undoing is not.
    this.#replica.write([], (error) => done(error, { body: { unknown: unknown.map(({ nonce }) => nonce) } }));
    void from;
  };

  /** Tells owners again of what was given back, and asks borrowers about loans. To be called from time to time. */
  tidy(): void {
    for (const entry of this.#replica.list('returning')) this.#giveBack(entry);
    const loans = new Map<string, { space: string; value: string; nonce: string }[]>();
    for (const entry of this.#replica.list('lent')) {
      const [, , space = '', value = ''] = entry.key.split('/');
      for (const { to, nonce } of borrowersIn(entry)) {
        if (this.#members.gone(to)) {
          this.#replica.write(
            this.#takeBack(space, value, (one) => one.to === to),
            () => {},
          );
        } else loans.set(to, [...(loans.get(to) ?? []), { space, value, nonce }]);
      }
    }
    for (const [member, list] of loans) this.#audit(member, list.slice(0, 500));
  }

  #ask(claim: Loan, space: Space, redirects: number, done: Done<Grant>): void {
    const owner = this.#ownerOf(space, BigInt(claim.value));
    if (owner === this.#replica.origin) return this.#takeOwn(space, claim, done);
    if (owner === undefined || this.#standing.frozen(owner)) {
      return done(new CodedError('NR_MEMBER_UNREACHABLE', `the owner of ${claim.value} is being forgotten`));
    }
    this.#open.set(claim.nonce, { owner, end: done });
    this.#ground.calls.ask(owner, 'claim', claim, ASK_MS, (error, answer) => {
      if (!this.#open.delete(claim.nonce)) return; // abandoned meanwhile
      if (error) return done(error);
      const body = z.object({ nonce: z.string() }).safeParse(answer?.body).data;
      if (body?.nonce === claim.nonce) return done(undefined, { nonce: claim.nonce });
      if (redirects > 0 && this.#ownerOf(space, BigInt(claim.value)) !== owner)
        return this.#ask(claim, space, redirects - 1, done);
      done(new CodedError('NR_MEMBER_UNREACHABLE', `the owner of ${claim.value} has just changed`));
    });
  }

  #takeOwn(space: Space, claim: Loan, done: Done<Grant>): void {
    const value = BigInt(claim.value);
    const allocator = this.#spaces.allocator(space.id);
    if (!allocator?.owns(chunkOf(space, value))) {
      // A chunk of our treasury that nobody has used yet becomes ours by name first.
      return this.#own(space, chunkOf(space, value), (error) =>
        error ? done(error) : this.#takeOwn(space, claim, done),
      );
    }
    const taken = allocator.take(value);
    if (taken === 'taken') return done(undefined, {});
    if (claim.shared && this.#isShared(space.id, claim.value)) return done(undefined, {});
    done(inUse(space, claim.value, this.#replica.origin));
  }

  #lend(space: Space, claim: Loan, to: string, done: Ended): CodedError | undefined {
    const key = this.#lentKey(space.id, claim.value);
    const entry = this.#replica.get(key);
    const standing = entry ? borrowersIn(entry) : [];
    if (standing.some((one) => one.to === to && one.nonce === claim.nonce)) {
      this.#replica.write([], done); // durable is what stands, not what is on its way
      return undefined;
    }
    const value = BigInt(claim.value);
    const allocator = this.#spaces.allocator(space.id);
    if (!allocator?.owns(chunkOf(space, value))) {
      this.#own(space, chunkOf(space, value), (error) => {
        const refusal = error ?? this.#lend(space, claim, to, done);
        if (refusal) done(refusal);
      });
      return undefined;
    }
    if (allocator.take(value) !== 'taken' && !(claim.shared && this.#isShared(space.id, claim.value)))
      return inUse(space, claim.value, standing[0]?.to ?? this.#replica.origin);
    const borrowers = [...standing, { to, nonce: claim.nonce, shared: claim.shared }];
    this.#replica.write([{ key, value: { borrowers } }], (error) => {
      if (error && standing.length === 0) allocator.free(value, 0);
      done(error);
    });
    return undefined;
  }

  /** Makes a chunk of our treasury one of ours by name. */
  #own(space: Space, chunk: bigint, done: Ended): void {
    const owner = this.#ownership.chunk(space.id, space.domain, chunk);
    if (owner !== this.#replica.origin)
      return done(new CodedError('NR_MEMBER_UNREACHABLE', 'the owner of the chunk has just changed'));
    const changes = this.#ownership.isWritten(space.id, chunk)
      ? [] // on its way to the disk
      : [{ key: `chunk/${space.id}/${chunk}`, value: { owner: this.#replica.origin } }];
    this.#replica.write(changes, (error) => {
      const ours = this.#spaces.allocator(space.id)?.owns(chunk);
      done(error ?? (ours ? undefined : new CodedError('NR_POOL_UNKNOWN', `space ${space.id} is gone`)));
    });
  }

  #isUsed(space: string, value: string): boolean {
    const keys = [this.#allocationKey(space, value), this.#lentKey(space, value)];
    return keys.some((key) => this.#replica.get(key));
  }

  /** Whether all who use a value of ours share it. */
  #isShared(space: string, value: string): boolean {
    const own = this.#replica.get(this.#allocationKey(space, value));
    const lent = this.#replica.get(this.#lentKey(space, value));
    const ownShares = !own || allocationSchema.parse(own.value).shared === true;
    return (
      (own !== undefined || lent !== undefined) &&
      ownShares &&
      (!lent || borrowersIn(lent).every((one) => one.shared))
    );
  }

  #takeBack(space: string, value: string, isMeant: (borrower: Borrower) => boolean): Change[] {
    const entry = this.#replica.get(this.#lentKey(space, value));
    if (!entry) return [];
    const rest = borrowersIn(entry).filter((one) => !isMeant(one));
    if (rest.length > 0) return [{ key: entry.key, value: { borrowers: rest } }];
    return [{ key: entry.key }];
  }

  #giveBack(entry: Entry): void {
    const [, id = '', value = ''] = entry.key.split('/');
    const { nonce } = z.object({ nonce: z.string() }).parse(entry.value);
    const forget = () => this.#replica.write([{ key: entry.key, expect: entry.version }], () => {});
    const space = this.#spaces.get(id);
    if (!space) return forget();
    const owner = this.#ownerOf(space, BigInt(value));
    if (owner === this.#replica.origin) {
      const back = this.#takeBack(id, value, (one) => one.to === owner && one.nonce === nonce);
      this.#replica.write([...back, { key: entry.key }], () => {});
    } else if (owner !== undefined && !this.#standing.frozen(owner)) {
      this.#ground.calls.ask(owner, 'release', { space: id, value, nonce }, ASK_MS, (error, answer) => {
        const moved = z.object({ owner: z.string() }).safeParse(answer?.body).success;
        if (!error && !moved) forget();
      });
    }
  }

  #audit(member: string, loans: { space: string; value: string; nonce: string }[]): void {
    this.#ground.calls.ask(member, 'audit', { loans }, ASK_MS, (error, answer) => {
      const unknown = new Set(
        z.object({ unknown: z.array(z.string()) }).safeParse(answer?.body).data?.unknown,
      );
      if (error) return;
      for (const { space, value, nonce } of loans) {
        if (!unknown.has(nonce)) continue;
        this.#replica.write(
          this.#takeBack(space, value, (one) => one.to === member && one.nonce === nonce),
          () => {},
        );
      }
    });
  }

  #ownerOf(space: Space, value: bigint): string | undefined {
    return this.#ownership.chunk(space.id, space.domain, chunkOf(space, value));
  }

  #allocationKey(space: string, value: string): string {
    return `allocation/${this.#replica.origin}/${space}/${value}`;
  }

  #lentKey(space: string, value: string): string {
    return `lent/${this.#replica.origin}/${space}/${value}`;
  }

  #returning(space: string, value: string, nonce: string): Change {
    return { key: `returning/${space}/${value}`, value: { nonce } };
  }
}

function borrowersIn(entry: Entry): Borrower[] {
  return lentSchema.safeParse(entry.value).data?.borrowers ?? [];
}

function inUse(space: Space, value: string, by: string): CodedError {
  return new CodedError('NR_ADDRESS_IN_USE', `value ${value} of ${space.id} is in use by host ${by}`);
}
