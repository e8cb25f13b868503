import type { Store } from '../ports/store.ts';

/** That a host uses a pool. */
export interface Use {
  readonly host: string;
  /** The pool's id. */
  readonly pool: string;
}

/**
 * Who uses which pools, on all hosts; read from disk. By the keys alone: a record that cannot be read, as of a later
 * release, is of a use as well.
 */
export function* uses(store: Pick<Store, 'all'>): Iterable<Use> {
  for (const { key } of store.all('pool-use')) {
    const [, host = '', ...pool] = key.split('/');
    yield { host, pool: pool.join('/') };
  }
}

/** The hosts that use a pool. Reads from disk. */
export function usersOf(store: Pick<Store, 'all'>, pool: string): string[] {
  return [...uses(store)].flatMap((use) => (use.pool === pool ? [use.host] : []));
}
