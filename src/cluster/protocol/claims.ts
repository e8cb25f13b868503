import { z } from 'zod';
import type { Taken } from '../../allocator/allocator.ts';
import { asCoded, CodedError } from '../../errors.ts';
import type { Change, Entry, Json } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';
import type { Members } from './members.ts';
import { chunkKey, type Ownership, ownedBy } from './ownership.ts';
import type { Done, Ended, Ground, Method } from './ports.ts';
import { chunkOf, isHeld, type Space, type Spaces, spaceGone, valueSchema } from './spaces.ts';
import type { Standing } from './standing.ts';

/**
 * How long a user waits for an address of another host, in milliseconds: a host that starts many containers needs more
 * than a second now and then. Several are asked for one after the other in a call of Docker, which ends after 10 s.
 */
const CLAIM_MS = 3000;
/** For all that nobody waits for. */
const ASK_MS = 1000;
/** How often a chunk may turn out to have moved on while it is asked for. */
const REDIRECTS = 3;
/** Of our own writes, those that an answer brings along. */
const BRING_MAX = 200;

export const loanSchema = z.object({
  space: z.string(),
  value: valueSchema,
  /** Tells this use of the value from every other. */
  nonce: z.string(),
});
/** The use of a value by somebody who does not own its chunk. */
export type Loan = z.infer<typeof loanSchema>;

const claimSchema = loanSchema.extend({
  /** Of an earlier use by the same member, which has ended; the owner may not have heard of that. */
  replaces: z.string().optional(),
  /** What the claimant knows of the owner's writes. */
  known: z.number().int().nonnegative(),
});
type Claim = Omit<z.infer<typeof claimSchema>, 'known'>;

const auditSchema = z.object({ loans: z.array(loanSchema) });
const auditedSchema = z.object({ unknown: z.array(z.string()) });
/** Taken back, as it names no other owner. */
const takenBackSchema = z.object({ owner: z.undefined().optional() });

export const borrowerSchema = z.object({ to: z.string(), nonce: z.string() });
const lentSchema = z.object({ borrowers: z.array(borrowerSchema) });
export type Borrower = z.infer<typeof borrowerSchema>;

const allocationSchema = z.looseObject({
  /** Of the loan, if the value is borrowed. */
  nonce: z.string().optional(),
  /** Whoever says so, too, may have the value at the same time. */
  shared: z.boolean().optional(),
});

/** What an explicit value was given by: both are kept in the allocation. */
export interface Grant {
  readonly nonce?: string | undefined;
  /** Others have the value, too, and all of them share it. */
  readonly shared?: true | undefined;
}

const grantSchema = z.object({ nonce: z.string(), shared: z.literal(true).optional() });

/** Values that a user names: of our own chunks at once, of others' by their owner's durable consent. */
export class Claims {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #spaces: Spaces;
  readonly #standing: Standing;
  readonly #ground: Ground;
  readonly #boot: string;
  readonly #describe: (space: string, value: bigint) => string;
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
    describe: (space: string, value: bigint) => string;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#spaces = parts.spaces;
    this.#standing = parts.standing;
    this.#ground = parts.ground;
    this.#boot = parts.boot;
    this.#describe = parts.describe;
    this.#replica.observe('returning', ({ after }) => {
      if (after) this.#giveBack(after);
    });
  }

  /**
   * Gets a value for this host, and writes with it what `use` says: at least the allocation, with the grant. Both are
   * durable when `done` is called.
   *
   * A value that others have is given, too, if all of them share it: each holder's allocation says so. If `use` throws,
   * this host does not take it.
   * `again`: tells this use of the value from every other, for who may ask for it again without knowing that it did.
   * @throws (to `done`) what `use` throws, NR_ADDRESS_IN_USE, NR_ADDRESS_RESERVED, NR_MEMBER_UNREACHABLE naming the owner, and what
   * Standing.mayGive throws
   */
  claim(
    space: Space,
    value: bigint,
    use: (grant: Grant) => readonly Change[],
    done: Ended,
    again?: string,
  ): void {
    const claim = () => this.#claim(space, value, use, done, again);
    if (!this.#replica.get(`returning/${space.id}/${value}`)) return claim();
    // A release that is on its way to the disk may yet be refused: its loan is not to be replaced before.
    this.#replica.write([], (error) => (error ? done(error) : claim()));
  }

  /** Whether somebody has a value of ours in a space. */
  isLending(space: string): boolean {
    const prefix = `lent/${this.#replica.origin}/${space}/`;
    for (const { key } of this.#replica.list('lent')) if (key.startsWith(prefix)) return true;
    return false;
  }

  /** Ids of the others that have a value, as far as their records are known. To be called rarely: they are on disk. */
  others(space: string, value: bigint): string[] {
    return this.#members
      .present()
      .map(({ id }) => id)
      .filter((id) => id !== this.#replica.origin && isHeld(this.#allocation(id, space, `${value}`)));
  }

  /** Changes that free an allocation, and see to it that the owner learns of it. */
  release(space: string, value: bigint): Change[] {
    const entry = this.#allocation(this.#replica.origin, space, `${value}`);
    if (!entry) return [];
    const nonce = nonceIn(entry);
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
      const nonce = nonceIn(entry);
      const [space = '', value = ''] = entry.key.split('/').slice(-2);
      return nonce === undefined ? [] : [{ space, value, nonce }];
    });
  }

  /** `claim`: a value of ours for another member. The same nonce again is the same answer. */
  readonly serveClaim: Method = (from, body, done) => {
    const claim = claimSchema.parse(body);
    const space = this.#spaces.get(claim.space);
    if (!space) return done(new CodedError('NR_POOL_UNKNOWN', `there is no space ${claim.space}`));
    if (BigInt(claim.value) >= BigInt(space.size))
      return done(new CodedError('NR_REQUEST_FORBIDDEN', `${space.id} has no value ${claim.value}`));
    this.#standing.mayGive();
    if (!this.#members.get(from)?.complete || this.#standing.frozen(from)) {
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is not a member that may own anything`));
    }
    const owner = this.#ownerOf(space, BigInt(claim.value));
    if (owner !== this.#replica.origin) {
      // We may have given the chunk away a moment ago: the claimant hears of that first, and asks whom it has to.
      return this.#replica.write([], (error) => {
        const ranges = [this.#replica.range(this.#replica.origin, claim.known, BRING_MAX)];
        done(error, error ? undefined : { body: { owner: owner ?? null }, ranges });
      });
    }
    this.#lend(space, claim, from, (error, grant) =>
      done(
        error,
        grant ? { body: { nonce: claim.nonce, ...(grant.shared && { shared: true }) } } : undefined,
      ),
    );
  };

  /** `release`: a borrower needs a value no longer. */
  readonly serveRelease: Method = (from, body, done) => {
    const { space: id, value, nonce } = loanSchema.parse(body);
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
    const { loans } = auditSchema.parse(body);
    const unknown = loans.filter(({ space, value, nonce }) => {
      if (this.#open.has(nonce)) return false;
      const entry = this.#allocation(this.#replica.origin, space, value);
      const returning = this.#replica.get(`returning/${space}/${value}`);
      return ![entry, returning].some((one) => one && nonceIn(one) === nonce);
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

  #claim(
    space: Space,
    value: bigint,
    use: (grant: Grant) => readonly Change[],
    done: Ended,
    again: string | undefined,
  ): void {
    const nonce = again ?? `${this.#boot}-${++this.#count}`;
    const returning = this.#replica.get(`returning/${space.id}/${value}`);
    const replaces = returning && nonceIn(returning);
    const granted: Done<Grant> = (error, grant) => {
      if (error || !grant) return done(error);
      const returned = returning && this.#replica.get(returning.key);
      // The loan that was to be given back has become this one.
      const settled =
        grant.nonce && returned && nonceIn(returned) === replaces ? [{ key: returned.key }] : [];
      const end: Ended = (failure) => {
        // A borrowed value goes back by the owner's next audit, which we know nothing of then.
        if (failure && !grant.nonce && !this.#isUsed(space.id, `${value}`))
          this.#spaces.allocator(space.id)?.free(value, 0);
        done(failure);
      };
      let changes: readonly Change[];
      try {
        this.#standing.mayGive(); // still: it may have begun to leave
        changes = use(grant);
      } catch (refusal) {
        return end(asCoded(refusal));
      }
      this.#replica.write([...changes, ...settled], end);
    };
    try {
      this.#standing.mayGive();
      const claim = { space: space.id, value: `${value}`, nonce };
      const until = this.#ground.timer.now() + CLAIM_MS;
      this.#ask(replaces === undefined ? claim : { ...claim, replaces }, space, { until }, granted);
    } catch (error) {
      done(error as CodedError);
    }
  }

  /** `until`: milliseconds since 1970. */
  #ask(
    claim: Claim,
    space: Space,
    { until, redirects = REDIRECTS }: { readonly until: number; readonly redirects?: number },
    done: Done<Grant>,
  ): void {
    const owner = this.#ownerOf(space, BigInt(claim.value));
    if (owner === this.#replica.origin) return this.#takeOwn(space, claim, done);
    if (owner === undefined || this.#standing.frozen(owner)) {
      const what = `the owner of ${this.#named(space, claim.value)} is being forgotten`;
      return done(new CodedError('NR_MEMBER_UNREACHABLE', what));
    }
    this.#open.set(claim.nonce, { owner, end: done });
    const body = { ...claim, known: this.#replica.known(owner) } as Json;
    const ms = Math.min(CLAIM_MS, Math.max(0, until - this.#ground.timer.now()));
    this.#ground.calls.ask(owner, 'claim', body, ms, (error, answer) => {
      if (!this.#open.delete(claim.nonce)) return; // abandoned meanwhile
      if (error) return done(error);
      const grant = grantSchema.safeParse(answer?.body).data;
      if (grant?.nonce === claim.nonce) return done(undefined, grant);
      this.#replica.merge(answer?.ranges ?? []);
      if (redirects > 0 && this.#ownerOf(space, BigInt(claim.value)) !== owner)
        return this.#ask(claim, space, { until, redirects: redirects - 1 }, done);
      const what = `the owner of ${this.#named(space, claim.value)} has just changed`;
      done(new CodedError('NR_MEMBER_UNREACHABLE', what));
    });
  }

  #takeOwn(space: Space, claim: Claim, done: Done<Grant>): void {
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
    const own = this.#allocation(this.#replica.origin, space.id, claim.value);
    if (
      taken === 'held' &&
      !isHeld(own) &&
      this.#areSharing(space.id, claim.value, this.#borrowers(space.id, claim.value))
    )
      return done(undefined, { shared: true });
    done(this.#refusal(space, claim.value, taken));
  }

  #lend(space: Space, claim: Claim, to: string, done: Done<Grant>): void {
    const standing = this.#borrowers(space.id, claim.value);
    const own = isHeld(this.#allocation(this.#replica.origin, space.id, claim.value));
    if (standing.some((one) => one.to === to && one.nonce === claim.nonce)) {
      const shared = own || standing.length > 1 ? { shared: true as const } : {};
      this.#replica.write([], (error) => done(error, shared)); // durable is what stands, not what is on its way
      return;
    }
    const value = BigInt(claim.value);
    const allocator = this.#spaces.allocator(space.id);
    if (!allocator?.owns(chunkOf(space, value))) {
      this.#own(space, chunkOf(space, value), (error) =>
        error ? done(error) : this.#lend(space, claim, to, done),
      );
      return;
    }
    const others = standing.filter((one) => one.to !== to || one.nonce !== claim.replaces);
    const isRenewed = others.length < standing.length && others.length === 0 && !own;
    const taken = isRenewed ? 'taken' : allocator.take(value);
    const shared = taken === 'held' && this.#areSharing(space.id, claim.value, others);
    if (taken !== 'taken' && !shared) return done(this.#refusal(space, claim.value, taken));
    const borrowers = [...others, { to, nonce: claim.nonce }];
    this.#replica.write([{ key: this.#lentKey(space.id, claim.value), value: { borrowers } }], (error) => {
      if (error && !this.#isUsed(space.id, claim.value)) allocator.free(value, 0);
      done(error, shared ? { shared } : {});
    });
  }

  /** Makes a chunk of our treasury one of ours by name. */
  #own(space: Space, chunk: bigint, done: Ended): void {
    // Removed while somebody else was asked: its chunk would outlive it.
    if (!this.#spaces.get(space.id)) return done(spaceGone(space));
    if (this.#ownership.isChunkDisputed(space.id, space.domain, chunk)) {
      const value = this.#named(space, `${chunk * BigInt(space.chunk)}`);
      const what = `the part of the pool that begins with ${value} was given to two hosts`;
      return done(new CodedError('NR_OWNER_DISPUTED', what));
    }
    const owner = this.#ownership.chunk(space.id, space.domain, chunk);
    if (owner !== this.#replica.origin)
      return done(new CodedError('NR_MEMBER_UNREACHABLE', 'the owner of the chunk has just changed'));
    const changes = this.#ownership.isWritten(space.id, chunk)
      ? [] // on its way to the disk
      : [ownedBy(chunkKey(space.id, chunk), this.#replica.origin)];
    this.#replica.write(changes, (error) => {
      const ours = this.#spaces.allocator(space.id)?.owns(chunk);
      done(error ?? (ours ? undefined : spaceGone(space)));
    });
  }

  #isUsed(space: string, value: string): boolean {
    const own = this.#allocation(this.#replica.origin, space, value);
    return isHeld(own) || this.#replica.get(this.#lentKey(space, value)) !== undefined;
  }

  /** Whether these borrowers, and this host if it has the value itself, all say that they share it. */
  #areSharing(space: string, value: string, borrowers: readonly Borrower[]): boolean {
    const own = this.#allocation(this.#replica.origin, space, value);
    const theirs = borrowers.map(({ to, nonce }) => {
      const entry = this.#allocation(to, space, value);
      return isHeld(entry) && nonceIn(entry) === nonce ? entry : undefined;
    });
    const holders = isHeld(own) ? [own, ...theirs] : theirs;
    return (
      holders.length > 0 && holders.every((one) => one && allocationSchema.safeParse(one.value).data?.shared)
    );
  }

  #borrowers(space: string, value: string): Borrower[] {
    const entry = this.#replica.get(this.#lentKey(space, value));
    return entry ? borrowersIn(entry) : [];
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
    const nonce = nonceIn(entry);
    const forget = () => this.#replica.write([{ key: entry.key, expect: entry.version }], () => {});
    const space = this.#spaces.get(id);
    if (!space || nonce === undefined) return forget();
    const owner = this.#ownerOf(space, BigInt(value));
    if (owner === this.#replica.origin) {
      const back = this.#takeBack(id, value, (one) => one.to === owner && one.nonce === nonce);
      this.#replica.write([...back, { key: entry.key }], () => {});
    } else if (owner !== undefined && !this.#standing.frozen(owner)) {
      // Not before it is durable: the disk may refuse it, and the value is in use as before.
      this.#replica.write([], (failure) => {
        if (failure) return;
        this.#ground.calls.ask(owner, 'release', { space: id, value, nonce }, ASK_MS, (error, answer) => {
          if (!error && takenBackSchema.safeParse(answer?.body).success) forget();
        });
      });
    }
  }

  #audit(member: string, loans: { space: string; value: string; nonce: string }[]): void {
    this.#ground.calls.ask(member, 'audit', { loans }, ASK_MS, (error, answer) => {
      const unknown = new Set(auditedSchema.safeParse(answer?.body).data?.unknown);
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

  #allocation(member: string, space: string, value: string): Entry | undefined {
    return this.#replica.get(`allocation/${member}/${space}/${value}`);
  }

  /** Who has the value, if somebody has. */
  #refusal(space: Space, value: string, taken: Taken): CodedError {
    const named = this.#named(space, value);
    if (taken !== 'held') return new CodedError('NR_ADDRESS_RESERVED', `${named} is for nobody`);
    const own = isHeld(this.#allocation(this.#replica.origin, space.id, value));
    const holder = own ? undefined : this.#borrowers(space.id, value)[0]?.to;
    const host = this.#members.nameOf(holder ?? this.#replica.origin);
    return new CodedError('NR_ADDRESS_IN_USE', `${named} is in use on host ${host}`);
  }

  #named(space: Space, value: string): string {
    return this.#describe(space.id, BigInt(value));
  }

  #lentKey(space: string, value: string): string {
    return `lent/${this.#replica.origin}/${space}/${value}`;
  }

  #returning(space: string, value: string, nonce: string): Change {
    return { key: `returning/${space}/${value}`, value: { nonce } };
  }
}

/** Who has a value by the record of its loan. */
export function borrowersIn(entry: Entry): Borrower[] {
  return lentSchema.safeParse(entry.value).data?.borrowers ?? [];
}

function nonceIn(entry: Entry): string | undefined {
  return allocationSchema.safeParse(entry.value).data?.nonce;
}
