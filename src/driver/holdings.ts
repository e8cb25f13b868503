import { setImmediate } from 'node:timers/promises';
import type { Pool } from '../model/pool.ts';
import type { Entry } from '../ports/store.ts';
import type { Choice } from './choice.ts';
import type { Context } from './context.ts';
import { Marks } from './marks.ts';
import { domainOf, prefixOf, rangeOf, reservedIn } from './spaces.ts';

/** So many addresses are enough for anybody. */
const SPARE_MAX = 65_536;
/** Records that are read in one turn, while very many are. */
const SLICE = 2000;

/** How the addresses of a pool are used, on all hosts together. */
export interface PoolUsage {
  /** Addresses that this host's automatic ones come from: the range, or else the subnet. */
  readonly size: bigint;
  /** Of these, how many somebody has, how many rest, and how many are left. */
  readonly held: bigint;
  readonly resting: bigint;
  readonly free: bigint;
  /** In the rest of the subnet, how many somebody has. */
  readonly outside: bigint;
  /** In the whole subnet, how many this host has, and how many it may give without asking anybody. */
  readonly here: bigint;
  readonly owned: bigint;
  /**
   * Of those that automatic ones come from, how many this host still gives before it has to ask another one, counted up to
   * SPARE_MAX; undefined on the host that decides on the pool, which asks nobody for them.
   */
  readonly spare: number | undefined;
  /** How many it is given at a time. */
  readonly part: number;
}

/** What one host has of a pool. */
export interface Share {
  readonly host: string;
  readonly name: string;
  /** Addresses of its chunks, used or not: it gives them by itself. */
  readonly owned: bigint;
  /** Where it decides on the pool, those that were never given to a host: it gives them in chunks, to itself as well. */
  readonly rest: bigint;
  /** Addresses that it uses. */
  readonly used: bigint;
}

/**
 * What all hosts hold, counted when somebody asks for the first time and kept from then on: there may be a million
 * records, most of them of other hosts and on disk.
 */
export class Holdings {
  readonly #context: Context;
  readonly #choice: Choice;
  readonly #marks = new Map<string, Marks>();
  /** Up to which key the records are counted. */
  #counted = '';
  #counting: Promise<void> | undefined;

  constructor(context: Context, choice: Choice) {
    this.#context = context;
    this.#choice = choice;
    context.store.observe('allocation', ({ key, after }) => {
      if (key <= this.#counted) this.#mark(key, after);
    });
    // What a host owned goes with it, record by record unseen.
    context.store.observe('gone', ({ key }) => {
      for (const marks of this.#marks.values()) marks.drop(key.slice('gone/'.length));
    });
    context.store.observe('space', ({ key, after }) => {
      if (!after) this.#marks.delete(key.slice('space/'.length));
    });
  }

  /** What each host has of a pool, those with nothing left out, in the order in which they came to the cluster. */
  async shares(pool: Pool): Promise<Share[]> {
    await this.#whole();
    const { members, ownership } = this.#context.cluster;
    const { first, last } = rangeOf(pool);
    const chunks = ownership.chunkCounts(pool.space);
    const used = this.#marks.get(pool.space)?.byHost() ?? new Map<string, number>();
    const chunkSize = BigInt(this.#context.cluster.spaces.get(pool.space)?.chunk ?? 0);
    const written = [...chunks.values()].reduce((sum, count) => sum + count, 0);
    const rest = last - first + 1n - BigInt(written) * chunkSize;
    const treasury = ownership.treasury(domainOf(pool.tenant));
    const known = members.present().map(({ id }) => id);
    return [...new Set([...known, ...chunks.keys(), ...used.keys()])]
      .map((host) => ({
        host,
        name: members.nameOf(host),
        owned: BigInt(chunks.get(host) ?? 0) * chunkSize,
        rest: host === treasury ? rest : 0n,
        used: BigInt(used.get(host) ?? 0),
      }))
      .filter((one) => one.owned > 0n || one.rest > 0n || one.used > 0n);
  }

  async usage(pool: Pool): Promise<PoolUsage> {
    await this.#whole();
    const { cluster, clock, store } = this.#context;
    const range = this.#choice.whole(pool);
    const { address } = prefixOf(pool);
    const reserved = reservedIn(prefixOf(pool))
      .map((one) => one.address.value - address.value)
      .filter((value) => value >= range.first && value <= range.last);
    const marks = this.#marks.get(pool.space);
    const within = marks?.count(range, store.origin) ?? { held: 0, here: 0, resting: 0 };
    const all = marks?.count(rangeOf(pool), store.origin) ?? within;
    const allocator = cluster.spaces.allocator(pool.space);
    const resting = (allocator?.counts(clock.now(), range).resting ?? 0n) + BigInt(within.resting);
    const now = clock.now();
    const asks = cluster.ownership.treasury(domainOf(pool.tenant)) !== store.origin;
    // When nothing else is left it gives those that rest.
    const own =
      (allocator?.spare(SPARE_MAX, now, range) ?? 0) + Number(allocator?.counts(now, range).resting ?? 0n);
    const size = range.last - range.first + 1n;
    const free = size - BigInt(within.held) - resting - BigInt(reserved.length);
    return {
      size,
      held: BigInt(within.held),
      resting,
      free: free < 0n ? 0n : free,
      outside: BigInt(all.held - within.held),
      here: BigInt(all.here),
      owned: BigInt([...(allocator?.ownedChunks() ?? [])].length * (allocator?.chunkSize ?? 0)),
      spare: asks ? own : undefined,
      part: cluster.spaces.get(pool.space)?.chunk ?? 0,
    };
  }

  /** Waits until all is counted. */
  async #whole(): Promise<void> {
    this.#counting ??= this.#count().catch((error: unknown) => {
      this.#counting = undefined;
      throw error;
    });
    await this.#counting;
  }

  async #count(): Promise<void> {
    for (let after: string | undefined = ''; after !== undefined; ) {
      const { entries, next } = this.#context.store.slice('allocation', after, SLICE);
      for (const entry of entries) this.#mark(entry.key, entry);
      // What changes before the next slice is in it, or is told of.
      this.#counted = next ?? '\uffff';
      after = next;
      if (next !== undefined) await setImmediate();
    }
  }

  #mark(key: string, entry: Entry | undefined): void {
    const [, host = '', space = '', value = '', more] = key.split('/');
    if (more !== undefined || !/^\d+$/.test(value)) return;
    const use = this.#context.state.allocations.read(entry)?.use;
    if (use !== undefined && !this.#marks.has(space)) this.#marks.set(space, new Marks());
    const mark = use === undefined ? 'none' : use === 'resting' ? 'resting' : 'held';
    this.#marks.get(space)?.set(host, BigInt(value), mark);
  }
}
