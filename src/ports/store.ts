/**
 * Durable, keyed records that every part of the daemon decides from. One host's journal today; the gossiped store
 * stands behind the same port, so nothing here assumes that all changes come from this process.
 */

/** Value of a record: plain JSON, replaced as a whole. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A dot: which replica wrote a version, and its how-manieth write that was. */
export interface Version {
  readonly origin: string;
  readonly sequence: number;
}

export interface Entry {
  /** `namespace/id`; a namespace has no slash, an id may. */
  readonly key: string;
  readonly value: Json;
  readonly version: Version;
}

export interface Change {
  readonly key: string;
  /** Absent: the record is removed. */
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

  /** What stands, including what this process has committed in this turn and is not durable yet. */
  get(key: string): Entry | undefined;
  /** All of a namespace, ordered by key. */
  list(namespace: string): Iterable<Entry>;

  /**
   * Writes all of the changes or none. Visible to get and list at once; the promise resolves when they are on disk
   * (one fsync for all commits of a turn of the event loop), so nothing may be acknowledged before. If the disk
   * refuses, everything of that turn is undone and every promise rejects.
   * @throws CodedError NR_STORE_FAILED, NR_STORE_CONFLICT (nothing is written)
   */
  commit(changes: readonly Change[]): Promise<readonly Entry[]>;

  /**
   * Calls back for each durable change in the namespace, in order. What the observer throws is logged and counted
   * and stops nobody else. Returns the way to stop it.
   */
  observe(namespace: string, observer: (change: Observation) => void): () => void;

  close(): Promise<void>;
}
