/**
 * Durable, keyed records that every part of the daemon decides from. Not all changes come from this process: what other
 * hosts have written arrives by gossip.
 */

/** Value of a record: plain JSON, replaced as a whole. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * Who may write a record. `owned`: the host that its key names, `namespace/HOST/id`; `ownership`: whoever it names as
 * the owner passes it on; `shared`: anybody, and the later write stands; `local`: it stays on this host.
 */
export type Class = 'owned' | 'ownership' | 'shared' | 'local';

/** A dot: which replica wrote a version, and its how-manieth write that was. */
export interface Version {
  readonly origin: string;
  readonly sequence: number;
}

export interface Entry {
  /** `namespace/id`, at most 1 KiB; a namespace is of `a-z0-9-`, an id may have slashes. */
  readonly key: string;
  /** A copy of its own at each reading, parsed then: keep it if it is needed twice. */
  readonly value: Json;
  readonly version: Version;
}

export interface Change {
  readonly key: string;
  /** At most 64 KiB as JSON. Absent: the record is removed; for one that does not exist nothing is done. */
  readonly value?: Json | undefined;
  /** Write only if the record has this version, `null` for: does not exist. @see NR_STORE_CONFLICT */
  readonly expect?: Version | null | undefined;
}

/** A change that is durable, whoever made it. */
export interface Observation {
  readonly key: string;
  readonly before?: Entry | undefined;
  readonly after?: Entry | undefined;
}

export interface Store {
  /** Id of this replica, made at random when the store was, and kept. */
  readonly origin: string;

  /**
   * What stands, including what this process has committed in this turn and is not durable yet. An entry is immutable
   * and stays the same object until its record is written again, so that it may be the key of a cache.
   */
  get(key: string): Entry | undefined;
  /** All of a namespace as it stands now, ordered by key. Later changes do not show in it. */
  list(namespace: string): Iterable<Entry>;
  /** As list, with what other hosts own as well, which is read from disk each time: for what happens rarely. */
  all(namespace: string): Iterable<Entry>;
  /**
   * A part of all, of what is durable only: up to `limit` records with keys after the given one. For going through very
   * many with pauses in between. `next` is where to go on; absent at the end.
   */
  slice(
    namespace: string,
    after: string,
    limit: number,
  ): { readonly entries: readonly Entry[]; readonly next?: string };

  /**
   * Writes all of the changes, in order, or none. Visible to get and list at once; the promise resolves when they are
   * on disk (one fsync for all commits of a turn of the event loop), so nothing may be acknowledged before. If the disk
   * refuses, everything of that turn is undone and every promise rejects. Never throws, but rejects. Answers the
   * entries that were written, without the removals.
   * @throws CodedError NR_STORE_FAILED, NR_STORE_CONFLICT, NR_STORE_TOO_LARGE, NR_STORE_RECORD (nothing is written)
   */
  commit(changes: readonly Change[]): Promise<readonly Entry[]>;

  /**
   * Calls back for each durable change in the namespace, in order, before the promise of its commit resolves. What the
   * observer throws is logged and counted and stops nobody else. Returns the way to stop it.
   */
  observe(namespace: string, observer: (change: Observation) => void): () => void;

  /** Makes durable what is not yet. */
  close(): Promise<void>;
}
