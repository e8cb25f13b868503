import type { Class, Entry } from '../ports/store.ts';
import type { Backing } from './backing.ts';
import { namespaceIn, ownerIn } from './crdt/record.ts';
import { living, type Move } from './move.ts';
import { Row } from './row.ts';
import { Shelf } from './shelf.ts';

/**
 * What stands of each record on one host, with what is not durable yet. In memory are the records that this host works
 * with; those that other hosts own, and those of namespaces that it does not know, are read from disk.
 */
export class Contents {
  readonly #backing: Backing;
  readonly #classes: ReadonlyMap<string, Class>;
  readonly #shelves = new Map<string, Shelf>();
  /** Tombstones of what is held in memory. */
  readonly #dead = new Map<string, Row>();
  /** Staged versions of what is not held in memory; null: dropped. */
  readonly #overlay = new Map<string, Row | null>();
  /** Whether memory may be ahead of the disk. */
  #isAhead = false;

  /** `classes`: of each namespace that this release knows. */
  constructor(backing: Backing, classes: ReadonlyMap<string, Class>) {
    this.#backing = backing;
    this.#classes = classes;
  }

  /** The class of a namespace; undefined for one that this release does not know. */
  classOf(namespace: string): Class | undefined {
    return this.#classes.get(namespace);
  }

  isResident(key: string): boolean {
    const kind = this.#classes.get(namespaceIn(key));
    return kind !== undefined && (kind !== 'owned' || ownerIn(key) === this.#backing.origin);
  }

  /** The version that stands, a tombstone too. */
  version(key: string): Row | undefined {
    const overlaid = this.#overlay.get(key);
    if (overlaid !== undefined) return overlaid ?? undefined;
    if (this.isResident(key)) return this.#shelves.get(namespaceIn(key))?.get(key) ?? this.#dead.get(key);
    const stored = this.#backing.get(key);
    return stored && new Row(stored);
  }

  /** Of a namespace: what is in memory, where this host's own records are, else all; ordered by key. */
  list(namespace: string): Iterable<Entry> {
    if (this.isResident(`${namespace}/${this.#backing.origin}/`))
      return this.#shelves.get(namespace)?.list() ?? [];
    return this.all(namespace);
  }

  /** All of a namespace, those that other hosts own as well, ordered by key. */
  all(namespace: string): Entry[] {
    const rows = new Map<string, Row>();
    for (const version of this.#backing.list(namespace)) rows.set(version.key, new Row(version));
    const shelf = this.#shelves.get(namespace);
    if (this.#isAhead && shelf) {
      for (const key of rows.keys()) if (this.isResident(key) && !shelf.get(key)) rows.delete(key);
    }
    for (const row of shelf?.list() ?? []) rows.set(row.key, row);
    for (const [key, row] of this.#overlay) {
      if (namespaceIn(key) !== namespace) continue;
      if (row && row.text !== undefined) rows.set(key, row);
      else rows.delete(key);
    }
    return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** What is held in memory, tombstones too. */
  resident(): Row[] {
    return [...[...this.#shelves.values()].flatMap((shelf) => shelf.list()), ...this.#dead.values()];
  }

  /** Has a version stand; undefined: none, not even a tombstone. */
  put(key: string, row: Row | undefined): void {
    this.#isAhead = true;
    if (!this.isResident(key)) {
      this.#overlay.set(key, row ?? null);
      return;
    }
    const namespace = namespaceIn(key);
    const shelf = this.#shelves.get(namespace) ?? new Shelf();
    this.#shelves.set(namespace, shelf);
    shelf.set(key, living(row));
    if (row && row.text === undefined) this.#dead.set(key, row);
    else this.#dead.delete(key);
  }

  undo(moves: readonly Move[]): void {
    for (const { key, before } of moves.toReversed()) this.put(key, before);
  }

  /** The disk has what stands. */
  settle(): void {
    this.#overlay.clear();
    this.#isAhead = false;
  }
}
