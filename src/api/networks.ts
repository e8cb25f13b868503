import type { Services } from '../driver/services.ts';
import { byName, type Known } from './names.ts';
import { showPool } from './pools.ts';
import type { NetworkView } from './views.ts';

/** The networks of this host that are ours. */
export async function showNetworks(services: Services, known: Known): Promise<NetworkView[]> {
  const { state, host } = services;
  const endpoints = new Map<string, number>();
  for (const { network } of state.endpoints.all()) endpoints.set(network, (endpoints.get(network) ?? 0) + 1);
  const shown = [...state.networks.all()].map(async (network) => {
    const { name } = known.network(network.id);
    return {
      id: network.id,
      ...(name !== undefined && { name }),
      tenant: network.tenant,
      encap: network.encap,
      mtu: network.mtu ?? host().mtu,
      internal: network.internal,
      createdAt: new Date(network.createdAt).toISOString(),
      endpoints: endpoints.get(network.id) ?? 0,
      pools: await Promise.all(state.poolsOf(network).map((pool) => showPool(pool, services, known))),
    };
  });
  return (await Promise.all(shown)).sort((a, b) => byName(a.name, b.name));
}
