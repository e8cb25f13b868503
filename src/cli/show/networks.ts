import type { NetworkView } from '../../api/views.ts';
import { facts, short, table } from '../table.ts';
import { renderPools } from './pools.ts';

const HERE = {
  propagated: 'made by the daemon; removed by it when it is gone where it was made',
  declined: 'removed by hand; docker network create makes it here again',
} as const;

export function renderNetworks(networks: readonly NetworkView[]): string {
  if (networks.length === 0) return 'no networks';
  return table(
    ['NETWORK', 'NAME', 'TENANT', 'ENCAP', 'MTU', 'ENDPOINTS', 'POOLS', 'HOSTS'],
    networks.map((network) => [
      network.id === undefined ? 'not here' : short(network.id),
      nameOf(network),
      network.tenant,
      network.encap,
      String(network.mtu),
      String(network.endpoints),
      network.pools.map(({ prefix }) => prefix).join(', '),
      network.hosts.join(', '),
    ]),
  );
}

export function renderNetwork(network: NetworkView): string {
  const described = facts([
    ['id', network.id],
    ['name', network.name],
    ['called', isAliased(network) ? `${network.clusterName} in the cluster` : undefined],
    ['hosts', network.hosts.join(', ')],
    ['made on', network.madeOn.join(', ')],
    ['here', network.copy && HERE[network.copy]],
    ['tenant', network.tenant],
    ['encap', network.encap],
    ['mtu', String(network.mtu)],
    ['internal', network.internal ? 'yes' : undefined],
    ['created', network.createdAt],
    ['endpoints', String(network.endpoints)],
    ['conflict', network.conflict],
  ]);
  return `${described}\n\n${renderPools(network.pools)}`;
}

/** Docker's name, with the cluster's where that is another one. */
function nameOf(network: NetworkView): string {
  const { name, clusterName, conflict } = network;
  const alias = isAliased(network) ? ` (${clusterName} in the cluster)` : '';
  return `${name ?? ''}${alias}${conflict === undefined ? '' : ' (conflict)'}`;
}

function isAliased({ name, clusterName }: NetworkView): boolean {
  return clusterName !== undefined && clusterName !== name;
}
