import type { Allocator } from '../allocator/allocator.ts';
import type { Range } from '../allocator/ranges.ts';
import type { Space } from '../cluster/protocol/spaces.ts';
import { CodedError } from '../errors.ts';
import type { Pool } from '../model/pool.ts';
import type { Address } from '../net/address.ts';
import type { Context } from './context.ts';
import { addressAt, domainOf, rangeOf } from './spaces.ts';

/** How long a call of Docker waits for a chunk of another host, in milliseconds. */
const WANT_MS = 2000;
/** How long nobody is asked again in the background when there was none, in milliseconds. */
const DRY_MS = 5000;

/** Which address a pool gives next: from this host's chunks, of which it sees to it that there are enough. */
export class Choice {
  readonly #context: Context;
  /** When there was no chunk left for a space, by where the range that was asked for begins. */
  readonly #dry = new WeakMap<Space, Map<bigint, number>>();

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Takes an address: one that was never used, or has rested, in chunks of this host or in one that it gets now; else
   * one that still rests. It is taken in memory, and the caller makes it durable or frees it.
   * @throws NR_POOL_FULL, NR_POOL_UNKNOWN, NR_MEMBER_UNREACHABLE, and what Standing.mayGive throws
   */
  async take(pool: Pool, skip: (address: Address) => boolean): Promise<Address> {
    const { cluster, clock } = this.#context;
    cluster.standing.mayGive();
    const ranges = this.#ranges(pool);
    const whole = ranges.at(-1)!;
    const next = (range: Range, strict: boolean) =>
      this.allocator(pool).next({
        now: clock.now(),
        range,
        skip: (place) => skip(addressAt(pool, place)),
        strict,
      });
    const deadline = clock.now() + WANT_MS;
    let failure: CodedError | undefined;
    for (const range of ranges) {
      failure = undefined;
      while (!failure) {
        const place = next(range, true);
        if (place !== undefined) {
          this.restock(pool, ranges);
          return addressAt(pool, place);
        }
        failure = await this.#want(pool, range, deadline);
      }
    }
    const place = next(whole, false);
    if (place !== undefined) return addressAt(pool, place);
    throw this.#full(pool, whole, failure);
  }

  /** Sees to it, in the background, that half a chunk is left to choose from. */
  restock(pool: Pool, ranges: readonly Range[] = this.#ranges(pool)): void {
    const { cluster, clock } = this.#context;
    const space = cluster.spaces.get(pool.space);
    const allocator = cluster.spaces.allocator(pool.space);
    if (!space || !allocator) return;
    const half = Math.ceil(space.chunk / 2);
    const now = clock.now();
    const dry = this.#dry.get(space) ?? new Map<bigint, number>();
    this.#dry.set(space, dry);
    for (const range of ranges) {
      if (allocator.spare(half, now, range) >= half) return;
      if (Math.abs(now - (dry.get(range.first) ?? Number.NEGATIVE_INFINITY)) < DRY_MS) continue;
      const noted = (error: CodedError | undefined) => {
        if (error) dry.set(range.first, clock.now());
      };
      cluster.wants.want(space, noted, range);
      return;
    }
  }

  /** @throws NR_POOL_UNKNOWN while the pool's space has not arrived here, or is gone */
  allocator(pool: Pool): Allocator {
    const allocator = this.#context.cluster.spaces.allocator(pool.space);
    if (!allocator) throw notHere(pool);
    return allocator;
  }

  /** @throws NR_POOL_UNKNOWN as allocator() */
  space(pool: Pool): Space {
    const space = this.#context.cluster.spaces.get(pool.space);
    if (!space) throw notHere(pool);
    return space;
  }

  /** The part of a pool that this host chooses from. */
  whole(pool: Pool): Range {
    return rangeOf(pool, this.#context.state.poolUses.get(pool.id)?.range);
  }

  /**
   * Where to look, one after the other. Hosts of one cluster share chunks out; those that do not know of each other
   * begin at different places.
   */
  #ranges(pool: Pool): Range[] {
    const { cluster, spread } = this.#context;
    const whole = this.whole(pool);
    const chunk = BigInt(this.space(pool).chunk);
    const chunks = (whole.last - whole.first + 1n) / chunk;
    const start = chunks > 1n ? whole.first + (spread % chunks) * chunk : whole.first;
    const isAlone = cluster.members.present().length <= 1;
    return isAlone && start > whole.first ? [{ first: start, last: whole.last }, whole] : [whole];
  }

  /** Gets one more chunk. @returns why there is none */
  #want(pool: Pool, range: Range, deadline: number): Promise<CodedError | undefined> {
    const { clock, cluster } = this.#context;
    const space = this.space(pool);
    return new Promise((resolve) => {
      const cancel = clock.after(Math.max(0, deadline - clock.now()), () => resolve(this.#late(pool)));
      const ended = (error: CodedError | undefined) => {
        cancel();
        resolve(error ?? (clock.now() > deadline ? this.#late(pool) : undefined));
      };
      cluster.wants.want(space, ended, range);
    });
  }

  #late(pool: Pool): CodedError {
    const { members, ownership } = this.#context.cluster;
    const treasury = members.nameOf(ownership.treasury(domainOf(pool.tenant)) ?? '');
    return new CodedError('NR_MEMBER_UNREACHABLE', `host ${treasury} has given no further addresses in time`);
  }

  #full(pool: Pool, whole: Range, failure: CodedError | undefined): CodedError {
    const { state, clock } = this.#context;
    const name = `pool ${state.poolUses.get(pool.id)?.range ?? pool.prefix}`;
    if (!failure || failure.code === 'NR_POOL_FULL')
      return this.allocator(pool).full(name, clock.now(), whole);
    return failure.saying(`${name} has no free address left on this host, and ${failure.what}`);
  }
}

function notHere(pool: Pool): CodedError {
  return new CodedError('NR_POOL_UNKNOWN', `pool ${pool.prefix} has not arrived whole on this host yet`);
}
