import { randomBytes } from 'node:crypto';
import { CodedError } from '../errors.ts';
import type { Backing, Batch, Step } from './backing.ts';
import { namespaceIn, ownerIn, type Versioned } from './crdt/record.ts';
import type { OriginSum, SumsView } from './crdt/sums.ts';
import { Vector, type VectorView } from './crdt/vector.ts';
import { Replica, type ReplicaOptions } from './replica.ts';

/** A disk that outlives its stores. One store at a time uses it. */
export class MemoryDisk implements Backing {
  origin: string;
  /** Thrown by the next write. */
  failure: Error | undefined;
  readonly #records = new Map<string, Versioned>();
  readonly #byOrigin = new Map<string, Written>();
  readonly #dead = new Set<string>();
  readonly #known = new Vector();
  readonly #sums = new Map<string, OriginSum>();
  #used = false;

  constructor(origin: string = randomBytes(16).toString('hex')) {
    this.origin = origin;
  }

  get vector(): VectorView {
    return this.#known.view;
  }

  get sums(): SumsView {
    return this.#sums;
  }

  get size(): number {
    return this.#records.size;
  }

  resident(): Iterable<Versioned> {
    if (this.#used) throw new CodedError('NR_STORE_LOCKED', 'another store uses this disk');
    this.#used = true;
    return this.#records.values();
  }

  /** All that is on it, tombstones and what others own included. */
  contents(): Iterable<Versioned> {
    return this.#records.values();
  }

  get(key: string): Versioned | undefined {
    return this.#records.get(key);
  }

  list(namespace: string): Versioned[] {
    return [...this.#records.values()]
      .filter(({ key, text }) => text !== undefined && namespaceIn(key) === namespace)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  range(origin: string, from: number, to: number): Iterable<Versioned> {
    return (
      this.#byOrigin.get(origin)?.range(from, to, (version) => this.#records.get(version.key) === version) ??
      []
    );
  }

  page(after: string, limit: number): readonly Versioned[] {
    return [...this.#records.values()]
      .filter(({ key, class: kind }) => kind !== 'local' && key > after)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .slice(0, limit);
  }

  *tombstones(): Iterable<Versioned> {
    for (const key of this.#dead) yield this.#records.get(key)!;
  }

  write({ steps, known, sums = new Map() }: Batch): void {
    const failure = this.failure;
    this.failure = undefined;
    if (failure) throw failure;
    for (const step of steps) this.#do(step);
    for (const [origin, sequence] of known) this.#known.advance(origin, sequence);
    for (const [origin, sum] of sums) this.#sums.set(origin, sum);
  }

  close(): void {
    this.#used = false;
  }

  /** The disk as it is now, for another machine or a later return to it. */
  copy(): MemoryDisk {
    return this.copyTo(new MemoryDisk(this.origin));
  }

  /** All that is on it, written to an empty one. */
  protected copyTo<Disk extends MemoryDisk>(copy: Disk): Disk {
    const steps = [...this.#byOrigin.values()].flatMap((written) =>
      [
        ...written.range(
          0,
          Number.POSITIVE_INFINITY,
          (version) => this.#records.get(version.key) === version,
          true,
        ),
      ].map((record): Step => ({ do: 'put', record })),
    );
    copy.write({ steps, known: this.#known.view, sums: this.#sums });
    return copy;
  }

  #do(step: Step): void {
    if (step.do === 'put') {
      const { record } = step;
      this.#records.set(record.key, record);
      if (record.text === undefined) this.#dead.add(record.key);
      else this.#dead.delete(record.key);
      const written = this.#byOrigin.get(record.origin) ?? new Written();
      this.#byOrigin.set(record.origin, written);
      written.add(record);
    } else if (step.do === 'drop') {
      this.#records.delete(step.key);
      this.#dead.delete(step.key);
    } else {
      for (const { key, class: kind } of [...this.#records.values()]) {
        if (kind === 'owned' && ownerIn(key) === step.origin) this.#do({ do: 'drop', key });
      }
    }
  }
}

/** What an origin has written, by sequence; those that were replaced since are passed over, and swept now and then. */
class Written {
  #versions: Versioned[] = [];
  #swept = 64;

  add(version: Versioned): void {
    let at = this.#versions.length;
    while (at > 0 && this.#versions[at - 1]!.sequence > version.sequence) at--;
    this.#versions.splice(at, 0, version);
  }

  range(
    from: number,
    to: number,
    standing: (version: Versioned) => boolean,
    withLocal = false,
  ): readonly Versioned[] {
    if (this.#versions.length > 2 * this.#swept) {
      this.#versions = this.#versions.filter(standing);
      this.#swept = Math.max(64, this.#versions.length);
    }
    let low = 0;
    for (let high = this.#versions.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.#versions[middle]!.sequence > from) high = middle;
      else low = middle + 1;
    }
    const found: Versioned[] = [];
    for (; low < this.#versions.length && this.#versions[low]!.sequence <= to; low++) {
      const version = this.#versions[low]!;
      if ((withLocal || version.class !== 'local') && standing(version)) found.push(version);
    }
    return found;
  }
}

export interface MemoryOptions extends ReplicaOptions {
  /** A new one if absent. */
  readonly disk?: MemoryDisk | undefined;
  /** `manual`: nothing becomes durable until sync() is called. `turn` (default): as with a real disk. */
  readonly durability?: 'turn' | 'manual' | undefined;
}

/**
 * A store without a disk, for tests: the same behaviour, and it can fail and crash.
 *
 * ```ts
 * const store = new MemoryStore({ durability: 'manual' });
 * void store.commit([{ key: 'tenant/red', value: {} }]);
 * const again = store.crash();     // tenant/red was not durable
 * ```
 */
export class MemoryStore extends Replica {
  readonly disk: MemoryDisk;
  readonly #options: MemoryOptions;

  constructor(options: MemoryOptions = {}) {
    const disk = options.disk ?? new MemoryDisk();
    super(disk, options.durability === 'manual' ? { ...options, schedule: () => {} } : options);
    this.disk = disk;
    this.#options = options;
  }

  /** The next write is refused, and with it all that is staged by then. */
  failNextCommit(error: Error = new Error('injected failure of the disk')): void {
    this.disk.failure = error;
  }

  /** Makes durable what is staged. */
  sync(): void {
    this.flush();
  }

  /** Ends this store as kill -9 would: what is staged is lost, nobody is called back. */
  kill(): void {
    this.abandon();
  }

  /** Kills it, and returns the next one on the same disk. */
  crash(): MemoryStore {
    this.kill();
    return new MemoryStore({ ...this.#options, disk: this.disk });
  }
}
