import { z } from 'zod';
import { Allocator } from '../../allocator/allocator.ts';
import type { Freed } from '../../allocator/freed.ts';
import { CodedError } from '../../errors.ts';
import { type Clock, whenStamped } from '../../ports/clock.ts';
import type { Entry } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';
import { disputeKey, ownerOf } from './ownership.ts';

/** A value as text; there may be 2^64 of them. */
export const valueSchema = z.string().regex(/^\d{1,39}$/);

export const spaceSchema = z.object({
  /** Whose treasury owns what was never given to anybody. */
  domain: z.string(),
  /** How many values there are, from 0: a decimal number. */
  size: z.string().regex(/^[1-9]\d{0,38}$/),
  /** Values in a chunk. */
  chunk: z.number().int().min(1).max(4096),
  /** Values that nobody can have. */
  reserved: z.array(valueSchema).optional(),
});
/** Integers to be given to one holder each: a pool's addresses, VNIs, VLANs. */
export type Space = z.infer<typeof spaceSchema> & { readonly id: string };

/** Something was to be done in a space that was removed meanwhile. */
export function spaceGone({ id }: Space): CodedError {
  return new CodedError('NR_POOL_UNKNOWN', `space ${id} is gone`);
}

/** The spaces, and what of their values this host holds or may give: kept as the durable records say. */
export class Spaces {
  readonly #replica: Replica;
  readonly #restMs: number;
  readonly #spaces = new Map<string, Space>();
  readonly #allocators = new Map<string, Allocator>();
  readonly #timer: Pick<Clock, 'now' | 'wall'>;

  /** `restMs`: how long a freed value rests, in milliseconds. */
  constructor(replica: Replica, restMs: number, timer: Pick<Clock, 'now' | 'wall'>) {
    this.#replica = replica;
    this.#restMs = restMs;
    this.#timer = timer;
    for (const entry of replica.list('space')) this.#open(entry.key, entry);
    this.#fill((id) => this.#allocators.get(id));
    replica.observe('space', ({ key, after }) => {
      const opened = this.#open(key, after);
      if (opened) this.#fill((id) => (id === opened ? this.#allocators.get(id) : undefined));
    });
    replica.observe('chunk', ({ key, after }) => this.#chunk(key, after));
    replica.observe('dispute', ({ key }) => {
      const chunk = key.slice('dispute/'.length);
      if (chunk.startsWith('chunk/')) this.#chunk(chunk, replica.get(chunk));
    });
    replica.observe('allocation', ({ key, after }) => {
      if (isHeld(after)) this.#held(key);
      else this.#freed(key, this.#since(after));
    });
    replica.observe('lent', ({ key, after }) => {
      if (after) this.#held(key);
      else this.#freed(key, undefined);
    });
  }

  /** A space, unless its removal is on its way to the disk. */
  get(id: string): Space | undefined {
    return this.#replica.get(`space/${id}`) && this.#spaces.get(id);
  }

  all(): Iterable<Space> {
    return this.#spaces.values();
  }

  /** Which values are ours to give, and which are given. */
  allocator(id: string): Allocator | undefined {
    return this.get(id) && this.#allocators.get(id);
  }

  /** The id of a space that came with this. */
  #open(key: string, entry: Entry | undefined): string | undefined {
    const id = key.slice('space/'.length);
    const parsed = spaceSchema.safeParse(entry?.value);
    if (!parsed.success) {
      this.#spaces.delete(id);
      this.#allocators.delete(id);
      return undefined;
    }
    if (this.#spaces.has(id)) return undefined;
    const space = { ...parsed.data, id };
    this.#spaces.set(id, space);
    const allocator = new Allocator({
      first: 0n,
      last: BigInt(space.size) - 1n,
      chunkSize: space.chunk,
      restMs: this.#restMs,
      owned: 'none',
    });
    for (const value of space.reserved ?? [])
      allocator.reserve({ first: BigInt(value), last: BigInt(value) });
    this.#allocators.set(id, allocator);
    return id;
  }

  /** Takes over what the records say of spaces that are new here. */
  #fill(fresh: (id: string) => Allocator | undefined): void {
    for (const entry of this.#replica.list('chunk')) {
      if (fresh(entry.key.split('/')[1] ?? '')) this.#chunk(entry.key, entry);
    }
    const resting = new Map<Allocator, Freed[]>();
    for (const namespace of ['lent', 'allocation'])
      for (const entry of this.#replica.list(namespace)) {
        const { allocator, value } = this.#placeOf(entry.key, fresh);
        if (!allocator || value === undefined) continue;
        const at = namespace === 'lent' ? undefined : this.#since(entry);
        if (at === undefined) allocator.load([value]);
        else if (resting.get(allocator)?.push({ value, at }) === undefined)
          resting.set(allocator, [{ value, at }]);
      }
    for (const [allocator, freed] of resting) allocator.load([], freed);
  }

  #chunk(key: string, entry: Entry | undefined): void {
    const [, id = '', number = ''] = key.split('/');
    const allocator = this.#allocators.get(id);
    if (!allocator || !/^\d+$/.test(number)) return;
    const isOurs = entry && ownerOf(entry) === this.#replica.origin;
    if (isOurs && !this.#replica.get(disputeKey(key))) allocator.own(BigInt(number));
    else allocator.lose(BigInt(number));
  }

  #held(key: string): void {
    const { allocator, value } = this.#placeOf(key, (id) => this.#allocators.get(id));
    if (allocator && value !== undefined && allocator.take(value) !== 'taken') allocator.load([value]);
  }

  /** An allocation or a loan went; `at`: since when the value rests, now by default. */
  #freed(key: string, at: number | undefined): void {
    const { allocator, value, name } = this.#placeOf(key, (id) => this.#allocators.get(id));
    if (!allocator || value === undefined) return;
    // Shared with others it may still be in use, and who has taken it since is on the way to the disk.
    if (isHeld(this.#replica.get(`allocation/${name}`)) || this.#replica.get(`lent/${name}`)) return;
    if (allocator.held(value)) allocator.free(value, at ?? this.#timer.now());
    else if (at !== undefined) allocator.load([], [{ value, at }]);
  }

  /** Since when an allocation rests, by the timer: it rests no longer from now on than if it were freed now. */
  #since(entry: Entry | undefined): number | undefined {
    const stamp = since(entry);
    return stamp === undefined ? undefined : whenStamped(this.#timer, stamp);
  }

  #placeOf(
    key: string,
    find: (id: string) => Allocator | undefined,
  ): { allocator?: Allocator | undefined; value?: bigint; name?: string } {
    const [, owner, id = '', value = '', more] = key.split('/');
    if (owner !== this.#replica.origin || more !== undefined || !/^\d+$/.test(value)) return {};
    return { allocator: find(id), value: BigInt(value), name: `${owner}/${id}/${value}` };
  }
}

/** Since when an allocation is nobody's and rests, in milliseconds since 1970; undefined for one that somebody has. */
function since(entry: Entry | undefined): number | undefined {
  const value = entry?.value;
  if (value === null || typeof value !== 'object' || !('use' in value) || value.use !== 'resting')
    return undefined;
  return 'since' in value && typeof value.since === 'number' ? value.since : 0;
}

/** Whether an allocation is somebody's. */
export function isHeld(entry: Entry | undefined): entry is Entry {
  return entry !== undefined && since(entry) === undefined;
}

/** The values of a chunk. */
export function chunkRange(space: Space, chunk: bigint): { first: bigint; last: bigint } {
  const first = chunk * BigInt(space.chunk);
  const end = first + BigInt(space.chunk);
  return { first, last: (end < BigInt(space.size) ? end : BigInt(space.size)) - 1n };
}

/** The number of the chunk that has the value. */
export function chunkOf(space: Space, value: bigint): bigint {
  return value / BigInt(space.chunk);
}
