import type { Services } from '../driver/services.ts';
import type { Pool } from '../model/pool.ts';
import { byPrefix } from './compare.ts';
import type { Known } from './names.ts';
import type { PoolView } from './views.ts';

/** A pool with how much of it is used. */
export function showPool(pool: Pool, { state, driver }: Services, known: Known): PoolView {
  const network = state.networkOf(pool.id);
  const { size, held, resting, free, outside } = driver.addresses.usage(pool);
  return {
    id: pool.id,
    tenant: pool.tenant,
    prefix: pool.prefix,
    ...(pool.range !== undefined && { range: pool.range }),
    gateway: pool.gateway,
    automatic: pool.automatic,
    ...(network && { network: known.network(network.id) }),
    size: String(size),
    held: String(held),
    resting: String(resting),
    free: String(free),
    ...(pool.range !== undefined && { outside: String(outside) }),
  };
}

/** All pools, in the order of their addresses. */
export function showPools(services: Services, known: Known): PoolView[] {
  return [...services.state.pools.all()]
    .map((pool) => showPool(pool, services, known))
    .sort((a, b) => byPrefix(a.prefix, b.prefix));
}
