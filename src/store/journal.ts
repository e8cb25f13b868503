import { Replica, type ReplicaOptions } from './replica.ts';
import { SqliteBacking } from './sqlite.ts';

export interface JournalOptions extends ReplicaOptions {
  /** Path of the SQLite file; it and its folder are made if they are missing. */
  readonly file: string;
  /** The id that this replica is to have. */
  readonly origin?: string | undefined;
}

/**
 * The store of one host, in one file. Writes block the event loop for as long as the disk takes to sync, once per
 * turn of the loop, whatever the number of commits. What other hosts tell is written along, or every 10 ms.
 *
 * ```ts
 * const store = new JournalStore({ file: '/var/lib/net-routed/store.db' });
 * await store.commit([{ key: 'tenant/red', value: { vni: 7 }, expect: null }]);
 * ```
 */
export class JournalStore extends Replica {
  /** @throws NR_STORE_FAILED, NR_STORE_LOCKED, NR_STORE_NEWER, NR_STORE_IDENTITY */
  constructor(options: JournalOptions) {
    const later = (ms: number, flush: () => void) => void setTimeout(flush, ms);
    super(new SqliteBacking(options.file, options.origin), { later, ...options });
  }
}
