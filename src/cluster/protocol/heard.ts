import { sizeOf, type Versioned } from '../../store/crdt/record.ts';

/** So many versions are kept at most. */
const COUNT_MAX = 4096;
/** And so many bytes: some times what there may be of honest ones, and nothing of what a host has of memory. */
const BYTES_MAX = 4 * 1024 * 1024;

/**
 * Versions in ranges that were left out so far, of which note is taken: one of each key, that of the highest rank. When
 * there is no more room, those go that came first, for all of them come again.
 */
export class Heard {
  readonly #versions = new Map<string, Versioned>();
  #bytes = 0;

  add(version: Versioned): void {
    const known = this.#versions.get(version.key);
    const size = sizeOf(version);
    if ((known && known.rank >= version.rank) || size > BYTES_MAX) return;
    if (known) this.#remove(known);
    for (const first of this.#versions.values()) {
      if (this.#versions.size < COUNT_MAX && this.#bytes + size <= BYTES_MAX) break;
      this.#remove(first);
    }
    this.#versions.set(version.key, version);
    this.#bytes += size;
  }

  get(key: string): Versioned | undefined {
    return this.#versions.get(key);
  }

  all(): Iterable<Versioned> {
    return this.#versions.values();
  }

  #remove(version: Versioned): void {
    this.#versions.delete(version.key);
    this.#bytes -= sizeOf(version);
  }
}
