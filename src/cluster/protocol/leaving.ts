import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import { quote } from '../../net/address.ts';
import type { Change } from '../../ports/store.ts';
import { coversAll, type VectorView } from '../../store/crdt/vector.ts';
import type { Replica } from '../../store/replica.ts';
import { borrowerSchema, borrowersIn } from './claims.ts';
import { farewellOf } from './departures.ts';
import { goneChange, type Members } from './members.ts';
import { chunkKey, DEFAULT_DOMAIN, type Ownership, ownedBy } from './ownership.ts';
import type { Ended, Ground, Method } from './ports.ts';
import { chunkOf, isHeld, type Space, type Spaces, valueSchema } from './spaces.ts';
import { type Parting, partingSchema, type Standing } from './standing.ts';

const ASK_MS = 2000;

const loanSchema = z.object({ key: z.string(), borrowers: z.array(borrowerSchema).min(1) });
type Lent = z.infer<typeof loanSchema>;
/** What a host says that has given all away, and its signature. */
const farewellSchema = partingSchema.extend({
  word: z.object({ key: z.string(), signature: z.string() }).optional(),
});
const handoverSchema = z.object({
  vector: z.record(z.string(), z.number().int().nonnegative()),
  loans: z.array(loanSchema),
});

/**
 * A member that goes of its own will. Its successor first knows all that it knew, then has its loans, then owns what
 * it owned, and then writes down that it has left. Each step can be done again, after a restart too.
 */
export class Leaving {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #spaces: Spaces;
  readonly #standing: Standing;
  readonly #ground: Ground;
  #going = false;

  constructor(parts: {
    replica: Replica;
    members: Members;
    ownership: Ownership;
    spaces: Spaces;
    standing: Standing;
    ground: Ground;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#spaces = parts.spaces;
    this.#standing = parts.standing;
    this.#ground = parts.ground;
  }

  /**
   * Leaves. From now on nothing is allocated or given, until it has left or `stay` is called.
   * @throws (to `done`) NR_MEMBER_IN_USE, NR_MEMBER_ALONE, NR_MEMBER_UNREACHABLE; it may be called again
   */
  leave(done: Ended): void {
    if (this.#standing.halted) return done(undefined);
    if (this.#going) return done(new CodedError('NR_MEMBER_LEAVING', 'this host is leaving already'));
    const end: Ended = (error) => {
      this.#going = false;
      done(error);
    };
    if (this.#standing.parting) {
      this.#going = true;
      return this.#farewell(this.#standing.parting, this.#successors(), end);
    }
    const used = [
      ...[...this.#replica.list('allocation')].filter(isHeld),
      ...this.#replica.list('returning'),
    ];
    if (used.length > 0)
      return done(new CodedError('NR_MEMBER_IN_USE', `${used.length} values of this host are in use`));
    const successors = this.#successors();
    if (successors.length === 0)
      return done(new CodedError('NR_MEMBER_ALONE', 'no other member can take over'));
    this.#going = true;
    // Once only: a successor has to know our last write.
    const changes = this.#standing.leaving ? [] : [{ key: 'self/leaving', value: {} }];
    this.#replica.write(changes, (error) => {
      if (error) end(error);
      else this.#handOver(successors, end);
    });
  }

  /** Goes on with what a restart has interrupted, and with what others could not know. To be called from time to time. */
  tidy(): void {
    this.#adopt();
    if (!this.#standing.leaving || this.#standing.halted || this.#going) return;
    this.leave((error) => this.#ground.log.info({ err: error }, 'leaving'));
  }

  /** Takes the intention back; what was given away stays given. @throws (to `done`) NR_MEMBER_LEAVING: too late */
  stay(done: Ended): void {
    if (this.#standing.parting)
      return done(new CodedError('NR_MEMBER_LEAVING', 'this host has given all away and said so'));
    this.#replica.write([{ key: 'self/leaving' }], done);
  }

  /** `handover`: to take over from a member that leaves. Agreed to when this host knows all that it knew. */
  readonly serveHandover: Method = (from, body, done) => {
    const { vector, loans } = handoverSchema.parse(body);
    this.#standing.mayGive();
    if (this.#standing.frozen(from) || !this.#members.isPresent(from))
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is no member`));
    const known = new Map(Object.entries(vector));
    if (!coversAll(this.#replica.vector, known))
      return done(new CodedError('NR_MEMBER_BUSY', 'not all that the leaving host knows has arrived'));
    const refusal = loans.map(({ key }) => this.#refusal(from, key, known)).find((error) => error);
    if (refusal) return done(refusal);
    const changes = loans.flatMap((loan) => this.#adopted(loan));
    this.#replica.write(changes, (error) => done(error, { body: {} }));
  };

  /** `left`: the member has given all away; nothing of it counts beyond what it says. */
  readonly serveLeft: Method = (from, body, done) => {
    const { seal, heir, word } = farewellSchema.parse(body);
    if (this.#members.gone(from)) return done(undefined, { body: {} });
    // Also by one that leaves itself: it may be the last one to do so.
    this.#standing.mayAnswer();
    if (this.#standing.frozen(from))
      return done(new CodedError('NR_FORGET_BUSY', `${from} is being forgotten`));
    if ((this.#replica.vector.get(from) ?? 0) < seal)
      return done(new CodedError('NR_MEMBER_BUSY', 'not all that the leaving host wrote has arrived'));
    const { sealer } = this.#replica;
    if (sealer && !(word && sealer.said(from, farewellOf(from, seal, heir), word)))
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} has not signed that it leaves`));
    const gone = {
      id: from,
      seal,
      how: 'left' as const,
      by: this.#replica.origin,
      heir,
      last: this.#members.highest(),
      word: word && { ...word, seal },
    };
    this.#replica.write([goneChange(gone)], (error) => done(error, { body: {} }));
  };

  /** The space of a loan and its chunk's number; undefined where there is no such space any more. */
  #placeOf(key: string): { space: Space; chunk: bigint } | undefined {
    const [, , id = '', value = ''] = key.split('/');
    const space = this.#spaces.get(id);
    return space && { space, chunk: chunkOf(space, BigInt(value)) };
  }

  /** Who owns the chunk of a loan, as far as is known here. */
  #ownerOf(key: string): string | undefined {
    const { space, chunk } = this.#placeOf(key) ?? {};
    return space && this.#ownership.chunk(space.id, space.domain, chunk!);
  }

  /**
   * Why a loan is not one of who leaves. `known`: what it knows. The chunk is its own, or a third host's that has given it
   * away, to who leaves, a moment ago; never this host's own.
   */
  #refusal(from: string, key: string, known: VectorView): CodedError | undefined {
    const [namespace, lender, , value, more] = key.split('/');
    const isIts = namespace === 'lent' && lender === from && more === undefined;
    if (!isIts || !valueSchema.safeParse(value).success)
      return new CodedError('NR_REQUEST_FORBIDDEN', `${quote(key)} is no loan of ${from}`);
    const { space, chunk } = this.#placeOf(key) ?? {};
    if (space && BigInt(value!) >= BigInt(space.size))
      return new CodedError('NR_REQUEST_FORBIDDEN', `${quote(key)} is of no value`);
    if (!space || this.#ownerOf(key) !== this.#replica.origin) return undefined;
    const { origin = '', sequence = 0 } = this.#replica.version(chunkKey(space.id, chunk!)) ?? {};
    return (known.get(origin) ?? 0) < sequence
      ? new CodedError('NR_MEMBER_BUSY', 'the leaving host has not heard yet who owns what it lends')
      : new CodedError('NR_REQUEST_FORBIDDEN', `${from} does not own what it lends: ${quote(key)}`);
  }

  /** The change that makes another host's loan one of this host's. What stands of an earlier attempt ends by itself. */
  #adopted({ key, borrowers }: Lent): Change[] {
    if (!this.#placeOf(key)) return [];
    const own = `lent/${this.#replica.origin}/${key.split('/').slice(2).join('/')}`;
    const entry = this.#replica.get(own);
    const others = (entry ? borrowersIn(entry) : []).filter(
      (one) => !borrowers.some(({ to, nonce }) => to === one.to && nonce === one.nonce),
    );
    return [{ key: own, value: { borrowers: [...others, ...borrowers] } }];
  }

  /** What was given to a member that had left by the time it arrived belongs to its heir. */
  #adopt(): void {
    const me = this.#replica.origin;
    if (this.#standing.leaving) return;
    // What it gave itself before it left is on its way until all that counts of it is here.
    const left = [...this.#members.allGone()].filter(
      ({ id, seal }) => this.#members.heir(id) === me && this.#replica.known(id) >= seal,
    );
    const strays = left.flatMap(({ id }) => this.#ownership.of(id));
    if (strays.length > 0)
      this.#replica.write(
        strays.map((key) => ownedBy(key, me)),
        () => {},
      );
  }

  #handOver(successors: readonly string[], done: Ended): void {
    const [to, ...others] = successors;
    if (to === undefined)
      return done(
        new CodedError('NR_MEMBER_UNREACHABLE', 'no member can take over now', {
          remedy: 'nothing, as it is tried again by itself; bring another host back if it lasts',
        }),
      );
    // Of what is the successor's by now there is an old loan left, of an attempt to hand it over to this host.
    const loans = [...this.#replica.list('lent')]
      .map((entry): Lent => ({ key: entry.key, borrowers: borrowersIn(entry) }))
      .filter(({ key, borrowers }) => borrowers.length > 0 && this.#ownerOf(key) !== to);
    const body = { vector: Object.fromEntries(this.#replica.vector), loans };
    this.#ground.calls.ask(to, 'handover', body, ASK_MS, (error) => {
      if (!this.#standing.leaving)
        return done(new CodedError('NR_MEMBER_LEAVING', 'this host stays after all'));
      // It may be on its way out itself by now.
      if (error || this.#standing.frozen(to)) return this.#handOver(others, done);
      const me = this.#replica.origin;
      const dropped = [...this.#replica.list('lent')].map(({ key }): Change => ({ key }));
      this.#replica.write([...this.#ownership.handOver(me, to), ...dropped], () => {});
      // With the same write of the disk. Nothing that comes after counts, or is told: members are to agree on the end.
      const parting = { seal: this.#replica.known(me), heir: to };
      this.#replica.write([{ key: 'self/leaving', value: parting }], (failure) => {
        if (failure) return done(failure);
        this.#farewell(parting, [to, ...this.#successors().filter((id) => id !== to)], done);
      });
    });
  }

  #farewell(parting: Parting, witnesses: readonly string[], done: Ended): void {
    const [to, ...others] = witnesses;
    if (to === undefined)
      return done(new CodedError('NR_MEMBER_UNREACHABLE', 'nobody has noted it; try again'));
    const { origin, sealer } = this.#replica;
    const word = sealer?.word(farewellOf(origin, parting.seal, parting.heir));
    const body = { ...parting, ...(word && { word: { ...word } }) };
    this.#ground.calls.ask(to, 'left', body, ASK_MS, (error) => {
      if (error) return this.#farewell(parting, others, done);
      done(undefined);
    });
  }

  /** The treasury first: it has the most already. */
  #successors(): string[] {
    const me = this.#replica.origin;
    const treasury = this.#ownership.treasury(DEFAULT_DOMAIN);
    return this.#members
      .present()
      .filter(({ id, complete }) => complete && id !== me && !this.#standing.frozen(id))
      .map(({ id }) => id)
      .sort((a, b) => Number(b === treasury) - Number(a === treasury));
  }
}
