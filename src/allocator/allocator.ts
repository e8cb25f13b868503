import { CodedError } from '../errors.ts';
import { Chunk } from './chunk.ts';
import { type Freed, FreedList } from './freed.ts';
import { intersect, type Range, Ranges } from './ranges.ts';

/** How many values `next` lets its caller skip before it gives up: a space may have 2^64 of them. */
const SKIP_MAX = 2 ** 20;

export interface AllocatorOptions extends Range {
  /** Values per chunk, the unit of ownership; 64 by default. */
  readonly chunkSize?: number | undefined;
  /** How long a freed value rests, in milliseconds; 60 s by default. */
  readonly restMs?: number | undefined;
  /** How many freed values are remembered when they have rested; 4096 by default. */
  readonly remember?: number | undefined;
  /** Which chunks are ours at first; `all` by default. */
  readonly owned?: 'all' | 'none' | undefined;
}

export interface Query {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Only values within; the whole space by default. */
  readonly range?: Range | undefined;
  /** Values that the caller cannot use now. */
  readonly skip?: ((value: bigint) => boolean) | undefined;
  /** Rather none than one that still rests. */
  readonly strict?: boolean | undefined;
}

/** `foreign`: in a chunk of another owner; `outside`: not of this space. */
export type Taken = 'taken' | 'held' | 'reserved' | 'foreign' | 'outside';

/** How the values of a space are used; the others sum up to `size`. */
export interface Counts {
  readonly size: bigint;
  readonly held: bigint;
  readonly resting: bigint;
  /** Set apart and not held. */
  readonly reserved: bigint;
  /** In chunks of others, and not held or reserved. */
  readonly foreign: bigint;
  readonly free: bigint;
}

/**
 * Who-has-what of a space of integers, such as the addresses of a pool or the VLANs of an uplink. It gives the lowest
 * value that was never used, and when there is none the one that was freed first, so that what still points to the
 * last holder (neighbour caches, connections, logs) has the longest time to fade. Values that have rested are
 * remembered for that up to `remember`; further ones count as never used, so that the memory in use follows what is
 * held and not what ever was.
 *
 * Explicit takes, gives and frees take a time that grows with the logarithm of what is in use; `next` grows with what
 * it has to pass over, where the caller skips values or the freed ones are out of the range.
 */
export class Allocator {
  readonly first: bigint;
  readonly last: bigint;
  readonly chunkSize: number;
  readonly #restMs: number;
  readonly #remember: number;
  /** Chunks with a value that is held or remembered; those values are marked. */
  readonly #chunks = new Map<bigint, Chunk>();
  /** Numbers of the chunks whose values are all marked. */
  readonly #full = new Ranges();
  /** Numbers of the chunks that are ours. */
  readonly #owned = new Ranges();
  readonly #reserved = new Ranges();
  readonly #freed = new FreedList();
  #marked = 0;
  /** Held values within what is reserved. */
  #heldReserved = 0;

  constructor(options: AllocatorOptions) {
    this.first = options.first;
    this.last = options.last;
    this.chunkSize = options.chunkSize ?? 64;
    this.#restMs = options.restMs ?? 60_000;
    this.#remember = options.remember ?? 4096;
    if (this.last < this.first) throw new RangeError(`no value from ${this.first} to ${this.last}`);
    if (!Number.isSafeInteger(this.chunkSize) || this.chunkSize < 1)
      throw new RangeError('a chunk needs a size');
    if (options.owned !== 'none') this.own(0n, this.chunkOf(this.last));
  }

  get size(): bigint {
    return this.last - this.first + 1n;
  }

  /** Number of the chunk that has the value, from 0. */
  chunkOf(value: bigint): bigint {
    return (value - this.first) / BigInt(this.chunkSize);
  }

  /** Makes chunks ours. */
  own(chunk: bigint, to = chunk): void {
    this.#owned.add({ first: chunk, last: to });
  }

  /** Gives a chunk away; false, and nothing is done, while one of its values is held or rests. */
  disown(chunk: bigint, now: number): boolean {
    if (this.isBusy(chunk, now)) return false;
    for (const value of [...this.#markedIn(chunk)]) this.#forget(value);
    this.#owned.remove({ first: chunk, last: chunk });
    return true;
  }

  /** A chunk is not ours to give from any more, whatever is held of it: that stays held. */
  lose(chunk: bigint): void {
    for (const value of [...this.#markedIn(chunk)]) if (this.#freed.has(value)) this.#forget(value);
    this.#owned.remove({ first: chunk, last: chunk });
  }

  /** Whether one of a chunk's values is held, or rests. */
  isBusy(chunk: bigint, now: number): boolean {
    for (const value of this.#markedIn(chunk)) {
      const at = this.#freed.at(value);
      if (at === undefined || this.#rests(at, now)) return true;
    }
    return false;
  }

  /** Numbers of the chunks that are ours, lowest first. */
  *ownedChunks(): Generator<bigint> {
    for (let chunk = this.#owned.next(0n); chunk !== undefined; chunk = this.#owned.next(chunk + 1n))
      yield chunk;
  }

  owns(chunk: bigint): boolean {
    return this.#owned.has(chunk);
  }

  /** Sets values apart: `take` and `next` never give them. What is held already stays held. */
  reserve(range: Range): void {
    const { first, last } = intersect(this, range);
    if (first > last) return;
    for (const chunk of this.#usedChunks(first, last)) {
      for (const value of this.#markedIn(chunk)) {
        if (value < first || value > last) continue;
        if (this.#freed.has(value)) this.#forget(value);
        else if (!this.#reserved.has(value)) this.#heldReserved++;
      }
    }
    this.#reserved.add({ first, last });
  }

  held(value: bigint): boolean {
    return this.#isMarked(value) && !this.#freed.has(value);
  }

  /** Takes this very value, also one that rests. Nothing changes unless the answer is `taken`. */
  take(value: bigint): Taken {
    if (value < this.first || value > this.last) return 'outside';
    if (this.held(value)) return 'held';
    if (this.#reserved.has(value)) return 'reserved';
    if (!this.#owned.has(this.chunkOf(value))) return 'foreign';
    this.#hold(value);
    return 'taken';
  }

  /** Takes a value: the lowest never used, else the one freed first. Undefined: none is free, or all were skipped. */
  next(query: Query): bigint | undefined {
    const { first, last } = intersect(this, query.range ?? this);
    const value = this.#lowest(first, last, query.skip) ?? this.#oldest(first, last, query);
    if (value !== undefined) this.#hold(value);
    return value;
  }

  /** How many values a strict `next` would find within a range, counted up to `limit`. */
  spare(limit: number, now: number, within: Range = this): number {
    const { first, last } = intersect(this, within);
    let count = 0;
    for (const { value, at } of this.#freed) {
      if (count >= limit || this.#rests(at, now)) break;
      if (value >= first && value <= last) count++;
    }
    if (last < first) return count;
    const end = this.chunkOf(last);
    for (let number = this.#openChunk(this.chunkOf(first)); number !== undefined && number <= end; ) {
      if (count >= limit) break;
      count += this.#unused(number, { first, last }, limit - count);
      number = this.#openChunk(number + 1n);
    }
    return Math.min(count, limit);
  }

  /** Whether all values of a chunk are set apart. */
  isReserved(chunk: bigint): boolean {
    const first = this.first + chunk * BigInt(this.chunkSize);
    const range = intersect(this, { first, last: first + BigInt(this.chunkSize) - 1n });
    return this.#reserved.overlap(range) === range.last - range.first + 1n;
  }

  /** Gives a value back, to rest from now on. False for one that is not held: nothing is done. */
  free(value: bigint, now: number): boolean {
    if (!this.held(value)) return false;
    const reserved = this.#reserved.has(value);
    if (reserved) this.#heldReserved--;
    if (reserved || !this.#owned.has(this.chunkOf(value))) this.#forget(value);
    else this.#freed.add(value, now);
    while (this.#freed.size > this.#remember && !this.#rests(this.#freed.oldest!.at, now)) {
      this.#forget(this.#freed.oldest!.value);
    }
    return true;
  }

  /**
   * Takes over what was held and what rests, as the store's records say it, whoever owns the chunk and whatever is
   * reserved. Answers the values that it cannot take: outside of the space, or there twice.
   */
  load(held: Iterable<bigint>, resting: Iterable<Freed> = []): bigint[] {
    const refused: bigint[] = [];
    const fits = (value: bigint) => value >= this.first && value <= this.last && !this.#isMarked(value);
    for (const value of held) {
      if (!fits(value)) refused.push(value);
      else {
        this.#hold(value);
        if (this.#reserved.has(value)) this.#heldReserved++;
      }
    }
    for (const { value, at } of [...resting].sort((a, b) => a.at - b.at)) {
      if (!fits(value)) refused.push(value);
      else if (!this.#reserved.has(value) && this.#owned.has(this.chunkOf(value))) {
        this.#mark(value);
        this.#freed.add(value, at);
      }
    }
    return refused;
  }

  /** How the values within a range are used; the whole space by default. */
  counts(now: number, within: Range = this): Counts {
    const range = intersect(this, within);
    if (range.last < range.first)
      return { size: 0n, held: 0n, resting: 0n, reserved: 0n, foreign: 0n, free: 0n };
    const size = range.last - range.first + 1n;
    const [held, heldReserved] = this.#heldIn(range);
    const rests = ({ value, at }: Freed) =>
      value >= range.first && value <= range.last && this.#rests(at, now);
    const resting = BigInt([...this.#freed].filter(rests).length);
    const reserved = this.#reserved.overlap(range) - BigInt(heldReserved);
    const foreign = this.#foreign(range);
    const free = size - BigInt(held) - resting - reserved - foreign;
    return { size, held: BigInt(held), resting, reserved, foreign, free };
  }

  /** The error for a `next` that gave none. `what` names the space: "pool 10.1.0.0/24". */
  full(what: string, now: number, within?: Range): CodedError {
    const { size, held, resting, reserved, foreign } = this.counts(now, within);
    const parts = [`${held} held`, `${reserved} reserved`];
    if (resting > 0n) parts.push(`${resting} freed a moment ago`);
    if (foreign > 0n) parts.push(`${foreign} of other hosts`);
    return new CodedError('NR_POOL_FULL', `${what} has no free value left: ${parts.join(', ')} of ${size}`);
  }

  /** The lowest value of ours that is neither held, remembered nor reserved. */
  #lowest(first: bigint, last: bigint, skip: Query['skip']): bigint | undefined {
    let skipped = 0;
    for (let value = first; value <= last; ) {
      const number = this.chunkOf(value);
      const open = this.#openChunk(number);
      if (open === undefined) return undefined;
      const start = this.first + open * BigInt(this.chunkSize);
      const from = open === number ? Number(value - start) : 0;
      const offset = this.#chunks.get(open)?.firstClear(from) ?? from;
      value = this.#reserved.gap(start + BigInt(offset));
      if (offset === this.chunkSize || value !== start + BigInt(offset)) continue;
      if (value > last) return undefined;
      if (!skip?.(value)) return value;
      if (++skipped === SKIP_MAX) return undefined;
      value++;
    }
    return undefined;
  }

  /** How many values of a chunk within a range are neither held, remembered nor reserved; counted up to `limit`. */
  #unused(number: bigint, within: Range, limit: number): number {
    const start = this.first + number * BigInt(this.chunkSize);
    const whole = { first: start, last: start + BigInt(this.chunkSize) - 1n };
    const { first, last } = intersect(whole, within);
    if (first === whole.first && last === whole.last && this.#reserved.overlap(whole) === 0n)
      return this.chunkSize - (this.#chunks.get(number)?.count ?? 0);
    let count = 0;
    for (let value = first; value <= last && count < limit; count++) {
      const next = this.#lowest(value, last, undefined);
      if (next === undefined) break;
      value = next + 1n;
    }
    return count;
  }

  /** The lowest chunk of ours from a number on that has a value without a mark. */
  #openChunk(from: bigint): bigint | undefined {
    for (let chunk: bigint | undefined = from; ; ) {
      chunk = this.#owned.next(chunk);
      if (chunk === undefined) return undefined;
      const open = this.#full.gap(chunk);
      if (open === chunk) return chunk;
      chunk = open;
    }
  }

  /** The value that was freed first. When it still rests, so do all others. */
  #oldest(first: bigint, last: bigint, { skip, strict, now }: Query): bigint | undefined {
    for (const { value, at } of this.#freed) {
      if (value < first || value > last || skip?.(value)) continue;
      return strict && this.#rests(at, now) ? undefined : value;
    }
    return undefined;
  }

  /** A time far in the future is from a clock that was wrong, and must not keep a value for years. */
  #rests(at: number, now: number): boolean {
    return Math.abs(now - at) < this.#restMs;
  }

  #hold(value: bigint): void {
    if (!this.#freed.delete(value)) this.#mark(value);
  }

  #isMarked(value: bigint): boolean {
    if (value < this.first || value > this.last) return false;
    return this.#chunks.get(this.chunkOf(value))?.has(this.#offset(value)) ?? false;
  }

  #mark(value: bigint): void {
    const number = this.chunkOf(value);
    const chunk = this.#chunks.get(number) ?? new Chunk(this.chunkSize);
    if (chunk.count === 0) this.#chunks.set(number, chunk);
    chunk.set(this.#offset(value));
    this.#marked++;
    if (chunk.count === chunk.size) this.#full.add({ first: number, last: number });
  }

  #forget(value: bigint): void {
    const number = this.chunkOf(value);
    const chunk = this.#chunks.get(number)!;
    if (chunk.count === chunk.size) this.#full.remove({ first: number, last: number });
    chunk.clear(this.#offset(value));
    this.#marked--;
    this.#freed.delete(value);
    if (chunk.count === 0) this.#chunks.delete(number);
  }

  #offset(value: bigint): number {
    return Number((value - this.first) % BigInt(this.chunkSize));
  }

  *#markedIn(number: bigint): Generator<bigint> {
    const start = this.first + number * BigInt(this.chunkSize);
    for (const offset of this.#chunks.get(number)?.marked() ?? []) yield start + BigInt(offset);
  }

  /** Numbers of the chunks within a range of values that have marks. */
  #usedChunks(first: bigint, last: bigint): bigint[] {
    const [from, to] = [this.chunkOf(first), this.chunkOf(last)];
    // The range may have 2^58 chunks, or one.
    if (from === to) return [from];
    return [...this.#chunks.keys()].filter((number) => number >= from && number <= to);
  }

  /** How many values within are held, and how many of those lie in what is reserved. */
  #heldIn({ first, last }: Range): [held: number, reserved: number] {
    if (first === this.first && last === this.last)
      return [this.#marked - this.#freed.size, this.#heldReserved];
    let [held, reserved] = [0, 0];
    for (const chunk of this.#usedChunks(first, last)) {
      for (const value of this.#markedIn(chunk)) {
        if (value < first || value > last || this.#freed.has(value)) continue;
        held++;
        if (this.#reserved.has(value)) reserved++;
      }
    }
    return [held, reserved];
  }

  #foreign(within: Range): bigint {
    let foreign = 0n;
    const end = this.chunkOf(within.last) + 1n;
    for (let from = this.#owned.gap(this.chunkOf(within.first)); from < end; ) {
      const next = this.#owned.next(from) ?? end;
      const first = this.first + from * BigInt(this.chunkSize);
      const range = intersect(within, { first, last: this.first + next * BigInt(this.chunkSize) - 1n });
      foreign += range.last - range.first + 1n - this.#reserved.overlap(range);
      for (const chunk of this.#usedChunks(range.first, range.last)) {
        for (const value of this.#markedIn(chunk)) {
          if (value >= range.first && value <= range.last && !this.#reserved.has(value)) foreign--;
        }
      }
      from = this.#owned.gap(next);
    }
    return foreign;
  }
}
