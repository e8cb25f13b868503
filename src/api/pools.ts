import type { Services } from '../driver/services.ts';
import type { Pool } from '../model/pool.ts';
import { byPrefix } from './compare.ts';
import type { Known } from './names.ts';
import type { PoolView } from './views.ts';

/** A pool with how much of it is used, on all hosts. */
export async function showPool(pool: Pool, { state, driver }: Services, known: Known): Promise<PoolView> {
  const network = state.networkOf(pool.id);
  const range = state.poolUses.get(pool.id)?.range;
  const shares = await driver.holdings.shares(pool);
  const { size, held, resting, free, outside, here, owned, spare, part } = await driver.holdings.usage(pool);
  return {
    id: pool.id,
    tenant: pool.tenant,
    prefix: pool.prefix,
    ...(range !== undefined && { range }),
    gateway: pool.gateway,
    automatic: pool.automatic,
    ...(network && { network: known.network(network.id) }),
    size: String(size),
    held: String(held),
    resting: String(resting),
    free: String(free),
    ...(range !== undefined && { outside: String(outside) }),
    here: String(here),
    owned: String(owned),
    ...(spare !== undefined && { spare: String(spare) }),
    part: String(part),
    hosts: shares.map(({ host: id, name, owned: own, rest, used }) => ({
      id,
      name,
      owned: String(own),
      ...(rest > 0n && { rest: String(rest) }),
      used: String(used),
    })),
  };
}

/** All pools, in the order of their addresses. */
export async function showPools(services: Services, known: Known): Promise<PoolView[]> {
  const pools = [...services.state.pools.all()].map((pool) => showPool(pool, services, known));
  return (await Promise.all(pools)).sort((a, b) => byPrefix(a.prefix, b.prefix));
}
