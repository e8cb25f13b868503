import { z } from 'zod';
import { Allocator } from '../allocator/allocator.ts';
import type { Entry } from '../ports/store.ts';
import type { Replica } from '../store/replica.ts';
import { ownerOf } from './ownership.ts';

const spaceSchema = z.object({
  /** Whose treasury owns what was never given to anybody. */
  domain: z.string(),
  /** How many values there are, from 0: a decimal number, as there may be 2^64. */
  size: z.string().regex(/^[1-9]\d{0,38}$/),
  /** Values in a chunk. */
  chunk: z.number().int().min(1).max(4096),
});
/** Integers to be given to one holder each: a pool's addresses, VNIs, VLANs. */
export type Space = z.infer<typeof spaceSchema> & { readonly id: string };

/** The spaces, and what of their values this host holds or may give: kept as the durable records say. */
export class Spaces {
  readonly #replica: Replica;
  readonly #restMs: number;
  readonly #spaces = new Map<string, Space>();
  readonly #allocators = new Map<string, Allocator>();
  readonly #now: () => number;

  /** `restMs`: how long a freed value rests, in milliseconds. */
  constructor(replica: Replica, restMs: number, now: () => number) {
    this.#replica = replica;
    this.#restMs = restMs;
    this.#now = now;
    for (const entry of replica.list('space')) this.#space(entry.key, entry);
    replica.observe('space', ({ key, after }) => this.#space(key, after));
    replica.observe('chunk', ({ key, after }) => this.#chunk(key, after));
    for (const namespace of ['allocation', 'lent'])
      replica.observe(namespace, ({ key, before, after }) => {
        if (before && !after) this.#freed(key);
        else if (after) this.#held(key);
      });
  }

  get(id: string): Space | undefined {
    return this.#spaces.get(id);
  }

  all(): Iterable<Space> {
    return this.#spaces.values();
  }

  /** Which values are ours to give, and which are given. */
  allocator(id: string): Allocator | undefined {
    return this.#allocators.get(id);
  }

  #space(key: string, entry: Entry | undefined): void {
    const id = key.slice('space/'.length);
    const parsed = spaceSchema.safeParse(entry?.value);
    if (!parsed.success) {
      this.#spaces.delete(id);
      this.#allocators.delete(id);
      return;
    }
    if (this.#spaces.has(id)) return;
    const space = { ...parsed.data, id };
    this.#spaces.set(id, space);
    const allocator = new Allocator({
      first: 0n,
      last: BigInt(space.size) - 1n,
      chunkSize: space.chunk,
      restMs: this.#restMs,
      owned: 'none',
    });
    this.#allocators.set(id, allocator);
    for (const chunk of this.#replica.list('chunk'))
      if (chunk.key.startsWith(`chunk/${id}/`)) this.#chunk(chunk.key, chunk);
    for (const namespace of ['allocation', 'lent']) {
      const prefix = `${namespace}/${this.#replica.origin}/${id}/`;
      for (const { key: held } of this.#replica.list(namespace))
        if (held.startsWith(prefix)) this.#held(held);
    }
  }

  #chunk(key: string, entry: Entry | undefined): void {
    const [, id = '', number = ''] = key.split('/');
    const allocator = this.#allocators.get(id);
    if (!allocator || !/^\d+$/.test(number)) return;
    if (entry && ownerOf(entry) === this.#replica.origin) allocator.own(BigInt(number));
    else allocator.disown(BigInt(number), this.#now());
  }

  #held(key: string): void {
    const [, owner, id = '', value = ''] = key.split('/');
    if (owner !== this.#replica.origin || !/^\d+$/.test(value)) return;
    const allocator = this.#allocators.get(id);
    if (allocator && allocator.take(BigInt(value)) !== 'taken') allocator.load([BigInt(value)]);
  }

  #freed(key: string): void {
    const [, owner, id = '', value = ''] = key.split('/');
    if (owner !== this.#replica.origin || !/^\d+$/.test(value)) return;
    // Shared with others, it may still be in use.
    const keys = ['allocation', 'lent'].map((namespace) => `${namespace}/${owner}/${id}/${value}`);
    if (!keys.some((one) => this.#replica.get(one)))
      this.#allocators.get(id)?.free(BigInt(value), this.#now());
  }
}

/** The number of the chunk that has the value. */
export function chunkOf(space: Space, value: bigint): bigint {
  return value / BigInt(space.chunk);
}
