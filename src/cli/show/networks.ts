import type { NetworkView } from '../../api/views.ts';
import { facts, short, table } from '../table.ts';
import { renderPools } from './pools.ts';

export function renderNetworks(networks: readonly NetworkView[]): string {
  if (networks.length === 0) return 'no networks';
  return table(
    ['NETWORK', 'NAME', 'TENANT', 'ENCAP', 'MTU', 'ENDPOINTS', 'POOLS'],
    networks.map((network) => [
      short(network.id),
      network.name ?? '',
      network.tenant,
      network.encap,
      String(network.mtu),
      String(network.endpoints),
      network.pools.map(({ prefix }) => prefix).join(', '),
    ]),
  );
}

export function renderNetwork(network: NetworkView): string {
  const described = facts([
    ['id', network.id],
    ['name', network.name],
    ['tenant', network.tenant],
    ['encap', network.encap],
    ['mtu', String(network.mtu)],
    ['internal', network.internal ? 'yes' : undefined],
    ['created', network.createdAt],
    ['endpoints', String(network.endpoints)],
  ]);
  return `${described}\n\n${renderPools(network.pools)}`;
}
