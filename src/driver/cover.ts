import { asCoded } from '../errors.ts';
import { standingOf } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import { Address } from '../net/address.ts';
import type { Addresses } from './addresses.ts';
import type { Context } from './context.ts';
import { prefixOf, reservedIn } from './spaces.ts';

/**
 * An alias outside of every pool has no allocation. When a pool comes that it is in, whoever made that, the alias is
 * claimed like any address, so that nobody is given it.
 */
export class Cover {
  readonly #context: Context;
  readonly #addresses: Addresses;
  /** Claims that are under way, by the pool's space. */
  readonly #open = new Map<string, Promise<void>>();

  constructor(context: Context, addresses: Addresses) {
    this.#context = context;
    this.#addresses = addresses;
    context.store.observe('pool', ({ after }) => {
      const pool = context.state.pools.read(after);
      if (pool) this.background(pool);
    });
    // A crash may have come between the two.
    for (const pool of context.state.pools.all()) this.background(pool);
  }

  /**
   * Claims what this host's endpoints have of a pool as aliases. What it does not get is said and asked for again by
   * and by: the endpoint has it all the same.
   * @throws NR_STORE_FAILED
   */
  pool(pool: Pool): Promise<void> {
    const open = this.#open.get(pool.space) ?? this.#claim(pool).finally(() => this.#open.delete(pool.space));
    this.#open.set(pool.space, open);
    return open;
  }

  background(pool: Pool): void {
    const failed = (error: unknown) =>
      this.#context.log.warn({ err: asCoded(error), pool: pool.id }, 'could not cover the aliases of a pool');
    if (this.#missing(pool).length > 0) this.pool(pool).catch(failed);
  }

  async #claim(pool: Pool): Promise<void> {
    const claims = this.#missing(pool).map(async ({ id, alias }) => {
      try {
        await this.#addresses.adopt({ pool, address: alias }, id);
      } catch (error) {
        const coded = asCoded(error);
        if (coded.code === 'NR_STORE_FAILED') throw coded;
        if (coded.code === 'NR_ENDPOINT_UNKNOWN') return; // it has gone meanwhile
        this.#context.log.warn(
          { err: coded, endpoint: id, alias },
          'could not get an alias for its endpoint',
        );
      }
    });
    await Promise.all(claims);
  }

  #missing(pool: Pool): { readonly id: string; readonly alias: string }[] {
    const { endpoints, networks } = this.#context.state;
    const prefix = prefixOf(pool);
    const reserved = new Set(reservedIn(prefix).map(({ address }) => address.toString()));
    const isMissing = (alias: string) =>
      prefix.contains(Address.parse(alias)) &&
      !reserved.has(alias) &&
      !this.#addresses.has({ pool, address: alias });
    return [...endpoints.all()].flatMap((endpoint) => {
      const { id, network, unconfirmed = [] } = endpoint;
      if (networks.get(network)?.tenant !== pool.tenant) return [];
      // What a host that was forgotten has to be given again is asked for elsewhere.
      const standing = standingOf(endpoint).filter((one) => !unconfirmed.includes(one));
      return endpoint.aliases
        .filter((alias) => standing.includes(alias) && isMissing(alias))
        .map((alias) => ({ id, alias }));
    });
  }
}
