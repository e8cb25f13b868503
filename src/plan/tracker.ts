import type { Operation } from '../ports/target.ts';

/**
 * What is wanted of one target against what is there, by key; pure. Wanted sets belong to owners (an endpoint, the
 * learned routes), and replacing an owner's set is how it changes. Only keys that may differ are looked at again:
 *
 *     want(owner, set) ─▶ wanted ┐
 *                                ├─▶ dirty keys ─▶ pending() ─▶ operations ─▶ done() ─▶ there
 *     found(read-back) ─▶ there  ┘
 */
export class Tracker<R extends { readonly kind: string }> {
  readonly #keyOf: (resource: R) => string;
  readonly #wanted = new Map<string, { resource: R; owner: string }>();
  readonly #owned = new Map<string, ReadonlyMap<string, R>>();
  /** Who else wants a key, in the order of asking; only for keys that several want. */
  readonly #rivals = new Map<string, readonly string[]>();
  readonly #there = new Map<string, R>();
  readonly #dirty = new Set<string>();
  /** When each key last changed on either side, so that an older read-back does not overrule it. */
  readonly #touched = new Map<string, number>();
  #epoch = 0;

  constructor(keyOf: (resource: R) => string) {
    this.#keyOf = keyOf;
  }

  /** Replaces what the owner wants. Of several owners of one key the first has it, until it lets go. */
  want(owner: string, resources: Iterable<R>): void {
    const before = this.#owned.get(owner);
    const now = new Map<string, R>();
    for (const resource of resources) now.set(this.#keyOf(resource), resource);
    if (now.size > 0) this.#owned.set(owner, now);
    else this.#owned.delete(owner);
    for (const [key, resource] of now) this.#claim(owner, key, resource);
    for (const key of before?.keys() ?? []) if (!now.has(key)) this.#release(owner, key);
  }

  #claim(owner: string, key: string, resource: R): void {
    const holder = this.#wanted.get(key);
    if (holder && holder.owner !== owner) {
      const rivals = this.#rivals.get(key) ?? [];
      if (!rivals.includes(owner)) this.#rivals.set(key, [...rivals, owner]);
    } else if (!holder || !same(holder.resource, resource)) {
      this.#wanted.set(key, { resource, owner });
      this.#touch(key);
    }
  }

  #release(owner: string, key: string): void {
    const rivals = (this.#rivals.get(key) ?? []).filter((rival) => rival !== owner);
    if (this.#wanted.get(key)?.owner === owner) {
      const next = rivals.shift();
      const resource = next === undefined ? undefined : this.#owned.get(next)?.get(key);
      if (next !== undefined && resource) this.#wanted.set(key, { resource, owner: next });
      else this.#wanted.delete(key);
      this.#touch(key);
    }
    if (rivals.length > 0) this.#rivals.set(key, rivals);
    else this.#rivals.delete(key);
  }

  /** What an owner wants, by key, whether or not another has the key. */
  owned(owner: string): ReadonlyMap<string, R> {
    return this.#owned.get(owner) ?? new Map();
  }

  owners(): Iterable<string> {
    return this.#owned.keys();
  }

  /** Take a stamp before a read-back, and give it to found(). */
  stamp(): number {
    return this.#epoch;
  }

  /**
   * Takes over a whole read-back that began at `stamp`. Keys touched since keep what is known of them. `only` limits
   * it to the keys that the read-back covers.
   */
  found(read: ReadonlyMap<string, R>, stamp: number, only: (resource: R) => boolean = () => true): void {
    for (const [key, resource] of this.#there) {
      if (!read.has(key) && only(resource) && !this.#touchedSince(key, stamp)) {
        this.#there.delete(key);
        this.#dirty.add(key);
      }
    }
    for (const [key, resource] of read) {
      if (this.#touchedSince(key, stamp)) continue;
      const known = this.#there.get(key);
      if (!known || !same(known, resource)) this.#there.set(key, resource);
      this.#dirty.add(key);
    }
    for (const key of this.#wanted.keys()) if (!this.#there.has(key)) this.#dirty.add(key);
  }

  /** What an operation achieved: the resource that is there now, or none. */
  done(key: string, resource: R | undefined): void {
    if (resource) this.#there.set(key, resource);
    else this.#there.delete(key);
    this.#touch(key);
  }

  /** Something happened to the key outside: forget what was known of it. */
  lost(key: string): void {
    if (this.#there.delete(key)) this.#touch(key);
  }

  /** What has to be done, for all dirty keys or for those that `among` admits; the others stay dirty. */
  pending(among: (key: string, owner: string | undefined) => boolean = () => true): Operation<R>[] {
    const operations: Operation<R>[] = [];
    for (const key of this.#dirty) {
      const wanted = this.#wanted.get(key);
      const there = this.#there.get(key);
      if (this.rests(key)) {
        this.#dirty.delete(key);
        if (!wanted && !there) this.#touched.delete(key);
        continue;
      }
      if (!among(key, wanted?.owner)) continue;
      if (wanted) operations.push({ do: 'put', key, resource: wanted.resource, was: there });
      else if (there) operations.push({ do: 'remove', key, resource: there });
    }
    return operations;
  }

  /** Whether everything that the owner wants is there. */
  settled(owner: string): boolean {
    for (const key of this.owned(owner).keys()) {
      const wanted = this.#wanted.get(key);
      const there = this.#there.get(key);
      if (wanted && wanted.owner === owner && !(there && same(wanted.resource, there))) return false;
    }
    return true;
  }

  /** Whether nothing has to be done for a key: it is there as wanted, or neither wanted nor there. */
  rests(key: string): boolean {
    const wanted = this.#wanted.get(key)?.resource;
    const there = this.#there.get(key);
    return wanted && there ? same(wanted, there) : !wanted && !there;
  }

  wanted(key: string): R | undefined {
    return this.#wanted.get(key)?.resource;
  }

  ownerOf(key: string): string | undefined {
    return this.#wanted.get(key)?.owner;
  }

  there(): ReadonlyMap<string, R> {
    return this.#there;
  }

  *allWanted(): Iterable<R> {
    for (const { resource } of this.#wanted.values()) yield resource;
  }

  #touch(key: string): void {
    this.#dirty.add(key);
    this.#touched.set(key, ++this.#epoch);
  }

  #touchedSince(key: string, stamp: number): boolean {
    return (this.#touched.get(key) ?? 0) > stamp;
  }
}

/** Whether two plain values are equal, member by member; an absent member equals an undefined one. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const name in left) if (!same(left[name], right[name])) return false;
  for (const name in right) if (right[name] !== undefined && left[name] === undefined) return false;
  return true;
}
