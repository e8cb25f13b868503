import type { PoolView } from '../../api/views.ts';
import { count, short, table } from '../table.ts';

export function renderPools(pools: readonly PoolView[]): string {
  if (pools.length === 0) return 'no pools';
  return table(
    [
      'POOL',
      'TENANT',
      'RANGE',
      'NETWORK',
      'GATEWAY',
      'SIZE',
      'HELD',
      'RESTING',
      'FREE',
      'OUTSIDE',
      'HERE',
      'OWNED',
      'SPARE',
    ],
    pools.map((pool) => [
      pool.prefix,
      pool.tenant,
      pool.range ?? '',
      pool.network ? (pool.network.name ?? short(pool.network.id)) : '',
      pool.gateway,
      count(pool.size),
      count(pool.held),
      count(pool.resting),
      count(pool.free),
      pool.outside === undefined ? '' : count(pool.outside),
      ...elsewhere(pool),
      pool.spare === undefined ? '' : count(pool.spare),
    ]),
  );
}

/** With what each host has of them, where there are several. */
export function renderPoolsOfHosts(pools: readonly PoolView[]): string {
  const rows = pools.flatMap(({ prefix, hosts }) =>
    hosts.map(({ name, owned, rest, used }) => [
      prefix,
      name,
      count(owned),
      rest === undefined ? '' : count(rest),
      count(used),
    ]),
  );
  const all = renderPools(pools);
  if (new Set(rows.map(([, name]) => name)).size < 2) return all;
  return `${all}\n\n${table(['POOL', 'HOST', 'OWNED', 'REST', 'USED'], rows)}`;
}

/** What this host has of a pool that others have something of as well. */
function elsewhere({ hosts, here, owned }: PoolView): string[] {
  return hosts.length < 2 ? ['', ''] : [count(here), count(owned)];
}
