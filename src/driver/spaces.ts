import { Allocator, type Counts } from '../allocator/allocator.ts';
import type { Allocation, Pool } from '../model/pool.ts';
import { Address, WIDTH } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';

/** The addresses of every pool as integer spaces, kept as the store's records say. */
export class Spaces {
  readonly #restMs: number;
  readonly #spread: bigint;
  readonly #spaces = new Map<string, Allocator>();

  /**
   * `restMs`: how long a freed address rests, in milliseconds. `spread`: a number that differs by host; hosts that do
   * not know of each other begin at different places of a pool that they share.
   */
  constructor(restMs: number, spread: bigint) {
    this.#restMs = restMs;
    this.#spread = spread;
  }

  open(pool: Pool): void {
    if (this.#spaces.has(pool.id)) return;
    const prefix = Prefix.parse(pool.prefix);
    const space = new Allocator({
      first: prefix.address.value,
      last: prefix.last.value,
      restMs: this.#restMs,
    });
    for (const { value } of reservedOf(prefix)) space.reserve({ first: value, last: value });
    this.#spaces.set(pool.id, space);
  }

  close(pool: string): void {
    this.#spaces.delete(pool);
  }

  /** A record came to be so. */
  put(allocation: Allocation): void {
    const space = this.#spaces.get(allocation.pool);
    if (!space) return;
    const { value } = Address.parse(allocation.address);
    // What a record says is held is held, even where the space would not give it.
    if (allocation.use !== 'resting') {
      if (space.take(value) !== 'taken') space.load([value]);
    } else if (space.held(value)) space.free(value, allocation.since);
    else space.load([], [{ value, at: allocation.since }]);
  }

  /** A record is gone; `now` in milliseconds. */
  drop(allocation: Allocation, now: number): void {
    this.#spaces.get(allocation.pool)?.free(Address.parse(allocation.address).value, now);
  }

  /** Takes the address that the pool gives next. @throws NR_POOL_FULL */
  next(pool: Pool, now: number, skip: (address: Address) => boolean): Address {
    const space = this.#space(pool);
    const { family } = Prefix.parse(pool.prefix);
    const range = Prefix.parse(pool.range ?? pool.prefix);
    const [first, last] = [range.address.value, range.last.value];
    const chunks = range.size / BigInt(space.chunkSize);
    const start = chunks > 1n ? first + (this.#spread % chunks) * BigInt(space.chunkSize) : first;
    const ask = (from: bigint) =>
      space.next({
        now,
        range: { first: from, last },
        skip: (candidate) => skip(Address.of(family, candidate)),
        strict: from !== first,
      });
    const value = (start === first ? undefined : ask(start)) ?? ask(first);
    if (value === undefined) throw space.full(`pool ${pool.range ?? pool.prefix}`, now, { first, last });
    return Address.of(family, value);
  }

  /** Why no endpoint can have the address; undefined for one that an endpoint can. */
  reservedFor(pool: Pool, address: Address): string | undefined {
    return reservedOf(Prefix.parse(pool.prefix)).find(({ value }) => value === address.value)?.why;
  }

  /** Of what automatic addresses come from; `outside`: how many are held in the rest of the subnet. */
  usage(pool: Pool, now: number): Counts & { readonly outside: bigint } {
    const space = this.#space(pool);
    const { address, last } = Prefix.parse(pool.range ?? pool.prefix);
    const counts = space.counts(now, { first: address.value, last: last.value });
    return { ...counts, outside: space.counts(now).held - counts.held };
  }

  #space(pool: Pool): Allocator {
    this.open(pool);
    return this.#spaces.get(pool.id)!;
  }
}

/**
 * Addresses that name the subnet itself. A /31 (RFC 3021), /127 (RFC 6164) or longer prefix has none; IPv6 has no
 * broadcast, but its first address is the subnet-router anycast one (RFC 4291 section 2.6.1).
 */
function reservedOf(prefix: Prefix): { value: bigint; why: string }[] {
  if (prefix.length >= WIDTH[prefix.family] - 1) return [];
  const first = prefix.address.value;
  if (prefix.family === 6) return [{ value: first, why: 'the subnet-router anycast address' }];
  return [
    { value: first, why: 'the network address' },
    { value: prefix.last.value, why: 'the broadcast address' },
  ];
}
