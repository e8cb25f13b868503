import { randomBytes } from 'node:crypto';
import { CodedError } from '../errors.ts';
import type { Backing, Write } from './backing.ts';
import { RecordStore, type StoreOptions } from './records.ts';

/** A disk that outlives its stores. One store at a time uses it. */
export class MemoryDisk implements Backing {
  readonly origin = randomBytes(16).toString('hex');
  sequence = 0;
  /** Thrown by the next write. */
  failure: Error | undefined;
  #records = new Map<string, { key: string; text: string; sequence: number }>();
  #used = false;

  load(): Iterable<{ key: string; text: string; sequence: number }> {
    if (this.#used) throw new CodedError('NR_STORE_LOCKED', 'another store uses this disk');
    this.#used = true;
    return this.#records.values();
  }

  write(writes: readonly Write[]): void {
    const failure = this.failure;
    this.failure = undefined;
    if (failure) throw failure;
    for (const { key, text, sequence } of writes) {
      if (text === undefined) this.#records.delete(key);
      else this.#records.set(key, { key, text, sequence });
      this.sequence = sequence;
    }
  }

  close(): void {
    this.#used = false;
  }
}

export interface MemoryOptions extends StoreOptions {
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
export class MemoryStore extends RecordStore {
  readonly disk: MemoryDisk;
  readonly #options: MemoryOptions;

  constructor(options: MemoryOptions = {}) {
    const disk = options.disk ?? new MemoryDisk();
    super(disk, options, options.durability === 'manual' ? () => {} : undefined);
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

  /** Ends this store as kill -9 would: what is staged is lost, its promises never settle. Returns the next one. */
  crash(): MemoryStore {
    this.abandon();
    return new MemoryStore({ ...this.#options, disk: this.disk });
  }
}
