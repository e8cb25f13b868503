import { z } from 'zod';
import { intersect, type Range } from '../../allocator/ranges.ts';
import { CodedError } from '../../errors.ts';
import type { Json } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';
import { arrived } from './arrived.ts';
import type { Members } from './members.ts';
import { chunkKey, type Ownership, ownedBy } from './ownership.ts';
import type { Answer, Done, Ended, Ground, Method } from './ports.ts';
import { chunkOf, type Space, type Spaces, spaceGone, valueSchema } from './spaces.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 1000;
/** How long a chunk that was given may take to arrive here by gossip, if the answer does not bring it. */
const ARRIVE_MS = 1500;
/** Free chunks that a host keeps of a space that it uses; more go back. */
const KEEP = 2;
/** Chunks that are looked at for a free one before a space counts as exhausted, as there may be 2^58. */
const LOOK_MAX = 65_536n;

/** Of our own writes, those that an answer brings along; with more of them the asker waits for gossip. */
const BRING_MAX = 200;

const wantSchema = z.object({
  space: z.string(),
  known: z.number().int().nonnegative(),
  /** The chunk has to have a value within. */
  first: valueSchema,
  last: valueSchema,
});

const givenSchema = z.object({ chunk: valueSchema });

/** Chunks on their way: asked for by who runs short, given by the treasury, given back by who has too many. */
export class Wants {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #spaces: Spaces;
  readonly #standing: Standing;
  readonly #ground: Ground;
  readonly #asking = new Map<string, Ended[]>();
  /** Where the search for a chunk without a record goes on, by space and range. */
  readonly #next = new Map<string, bigint>();

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
   * Gets a further chunk with a value within a range: from our own treasury, from the space's, or from whoever has one
   * free. Several wishes for the same are one.
   * @throws (to `done`) NR_POOL_FULL, NR_MEMBER_UNREACHABLE, and what Standing.mayGive throws
   */
  want(space: Space, done: Ended = () => {}, within: Range = wholeOf(space)): void {
    const wish = `${space.id} ${within.first} ${within.last}`;
    const waiting = this.#asking.get(wish);
    if (waiting) {
      waiting.push(done);
      return;
    }
    this.#asking.set(wish, [done]);
    const end: Ended = (error) => {
      const all = this.#asking.get(wish) ?? [];
      this.#asking.delete(wish);
      for (const one of all) one(error);
    };
    try {
      this.#standing.mayGive();
    } catch (error) {
      end(error as CodedError);
      return;
    }
    const treasury = this.#ownership.treasury(space.domain);
    const others = this.#members
      .present()
      .map(({ id }) => id)
      .filter((id) => id !== treasury && id !== this.#replica.origin);
    // Whoever is asked second is a matter of luck, so that not everybody turns to the same host.
    const start = Math.floor(this.#ground.random() * others.length);
    const order = [...others.slice(start), ...others.slice(0, start)];
    this.#askNext(space, within, treasury === undefined ? order : [treasury, ...order], undefined, end);
  }

  /** Gives chunks back that are too many, and all of spaces that are not used here. */
  tidy(isUsed: (space: string) => boolean): void {
    try {
      this.#standing.mayGive();
    } catch {
      return; // nothing moves then
    }
    for (const space of this.#spaces.all()) {
      const treasury = this.#ownership.treasury(space.domain);
      if (!treasury || treasury === this.#replica.origin || this.#standing.frozen(treasury)) continue;
      let keep = isUsed(space.id) ? KEEP : 0;
      const surplus = [...this.#freeChunks(space)].filter(() => keep-- <= 0);
      this.#give(
        space,
        surplus.filter((chunk) => this.#disown(space, chunk)),
        treasury,
        () => {},
      );
    }
  }

  /** `want`: a chunk for who asks, if this host has a free one to give. */
  readonly serve: Method = (from, body, done) => {
    const { space: id, known, first, last } = wantSchema.parse(body);
    const space = this.#spaces.get(id);
    if (!space) return done(new CodedError('NR_POOL_UNKNOWN', `there is no space ${id}`));
    this.#standing.mayGive();
    if (!this.#members.get(from)?.complete || this.#standing.frozen(from)) {
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is not a member that may own anything`));
    }
    const chunk = this.#giveable(space, { first: BigInt(first), last: BigInt(last) });
    if (chunk === undefined) return done(new CodedError('NR_POOL_FULL', 'no chunk is free here'));
    this.#give(space, [chunk], from, (error) => {
      const range = this.#replica.range(this.#replica.origin, known, BRING_MAX);
      done(error, error ? undefined : { body: { chunk: `${chunk}` }, ranges: [range] });
    });
  };

  #askNext(
    space: Space,
    within: Range,
    order: readonly string[],
    failure: CodedError | undefined,
    end: Ended,
  ): void {
    const [next, ...rest] = order;
    if (next === undefined) {
      return end(failure ?? new CodedError('NR_POOL_FULL', 'no host has a free chunk left'));
    }
    const answered: Done<Answer> = (error, answer) => {
      if (!error && answer) {
        this.#replica.merge(answer.ranges ?? []);
        const given = givenSchema.safeParse(answer.body).data;
        if (given === undefined) {
          if (next === this.#replica.origin) return this.#replica.write([], end); // durable before the end of this turn
          const nonsense = new CodedError('NR_MEMBER_REFUSED', `${next} answers nonsense`);
          return this.#askNext(space, within, rest, failure ?? nonsense, end);
        }
        // Who asked again without knowing what it has would be given one chunk after the other.
        const isHere = () =>
          this.#ownership.owner(chunkKey(space.id, BigInt(given.chunk))) === this.#replica.origin;
        return arrived({ replica: this.#replica, timer: this.#ground.timer, ms: ARRIVE_MS }, isHere, end);
      }
      // An owner that cannot be asked is what stands in the way; that others have none left is not.
      const worse = error?.code === 'NR_POOL_FULL' ? failure : (failure ?? error);
      this.#askNext(space, within, rest, worse, end);
    };
    if (next === this.#replica.origin) this.#takeOwn(space, within, answered);
    else if (this.#standing.frozen(next)) this.#askNext(space, within, rest, failure, end);
    else {
      const { first, last } = within;
      const body: Json = {
        space: space.id,
        known: this.#replica.known(next),
        first: `${first}`,
        last: `${last}`,
      };
      this.#ground.calls.ask(next, 'want', body, ASK_MS, answered);
    }
  }

  /** The treasury needs a chunk for itself. */
  #takeOwn(space: Space, within: Range, done: Done<Answer>): void {
    // A chunk would outlive its space.
    if (!this.#spaces.get(space.id)) return done(spaceGone(space));
    const chunk = this.#unwritten(space, within);
    if (chunk === undefined) return done(new CodedError('NR_POOL_FULL', 'no chunk is free here'));
    this.#replica.write([ownedBy(chunkKey(space.id, chunk), this.#replica.origin)], (error) =>
      done(error, error ? undefined : {}),
    );
  }

  /** Chunks that this host does not use any more become another's. If the disk refuses, they stay its own. */
  #give(space: Space, chunks: readonly bigint[], owner: string, done: Ended): void {
    if (chunks.length === 0) return done(undefined);
    const changes = chunks.map((chunk) => ownedBy(chunkKey(space.id, chunk), owner));
    this.#replica.write(changes, (error) => {
      const allocator = this.#spaces.allocator(space.id);
      for (const chunk of chunks) {
        const mine = this.#ownership.owner(chunkKey(space.id, chunk)) === this.#replica.origin;
        if (error && mine && !this.#ownership.isDisputed(chunkKey(space.id, chunk))) allocator?.own(chunk);
      }
      done(error);
    });
  }

  /** A chunk that can be given to somebody else; it is not ours to use any more. */
  #giveable(space: Space, within: Range): bigint | undefined {
    const unwritten = this.#unwritten(space, within);
    if (unwritten !== undefined) return unwritten;
    const [from, to] = [chunkOf(space, within.first), chunkOf(space, within.last)];
    // The last one with nothing in it is kept.
    return [...this.#freeChunks(space)]
      .slice(1)
      .filter((chunk) => chunk >= from && chunk <= to)
      .find((chunk) => this.#disown(space, chunk));
  }

  /** A chunk that was never given to anybody, if the space's treasury is ours. */
  #unwritten(space: Space, within: Range): bigint | undefined {
    if (this.#ownership.treasury(space.domain) !== this.#replica.origin) return undefined;
    if (this.#ownership.isTreasuryDisputed(space.domain)) return undefined;
    const { first, last } = intersect(within, wholeOf(space));
    if (first > last) return undefined;
    const [from, to] = [chunkOf(space, first), chunkOf(space, last)];
    const count = to - from + 1n;
    const place = `${space.id} ${from} ${to}`;
    const start = this.#next.get(place) ?? 0n;
    for (let step = 0n; step < count && step < LOOK_MAX; step++) {
      const index = (start + step) % count;
      const chunk = from + index;
      if (this.#ownership.isWritten(space.id, chunk) || this.#spaces.allocator(space.id)?.isReserved(chunk))
        continue;
      this.#next.set(place, index + 1n);
      return chunk;
    }
    return undefined;
  }

  /** Chunks of ours of which nothing is held. */
  *#freeChunks(space: Space): Iterable<bigint> {
    const allocator = this.#spaces.allocator(space.id);
    const now = this.#ground.timer.now();
    for (const chunk of [...(allocator?.ownedChunks() ?? [])]) {
      if (!allocator?.isBusy(chunk, now)) yield chunk;
    }
  }

  #disown(space: Space, chunk: bigint): boolean {
    return this.#spaces.allocator(space.id)?.disown(chunk, this.#ground.timer.now()) ?? false;
  }
}

function wholeOf({ size }: Space): Range {
  return { first: 0n, last: BigInt(size) - 1n };
}
