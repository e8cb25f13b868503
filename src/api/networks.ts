import { differences, logicalOf, nameOf, nameTaken } from '../driver/logical.ts';
import type { Services } from '../driver/services.ts';
import type { Logical } from '../model/logical.ts';
import type { Network } from '../model/network.ts';
import type { State } from '../plan/state.ts';
import { type Keys, lookUp } from './lookup.ts';
import { byName, type Known } from './names.ts';
import { showPool } from './pools.ts';
import type { NetworkView } from './views.ts';

/** The networks of this host that are ours, then those that only other hosts of the cluster have in their Docker. */
export async function showNetworks(services: Services, known: Known): Promise<NetworkView[]> {
  const { state, driver } = services;
  const endpoints = new Map<string, number>();
  for (const { network } of state.endpoints.all()) endpoints.set(network, (endpoints.get(network) ?? 0) + 1);
  const hosts = driver.logicals.hosts();
  const here = [...state.networks.all()].map(async (network) => {
    const logical = logicalOf(state, network.pools);
    const { name } = known.network(network.id);
    const conflict = conflictOf(state, network, logical, name);
    return {
      id: network.id,
      ...(name !== undefined && { name }),
      ...(await shared(network, logical)),
      endpoints: endpoints.get(network.id) ?? 0,
      ...(network.copy !== undefined && { copy: 'propagated' as const }),
      ...(conflict !== undefined && { conflict }),
    };
  });
  const used = new Set([...state.networks.all()].map(({ pools }) => logicalOf(state, pools)?.id));
  const elsewhere = [...state.logicals.all()]
    .filter(({ id }) => !used.has(id))
    .map(async (logical) => {
      const name = nameOf(state, logical.id);
      return {
        ...(name !== undefined && { name }),
        ...(await shared(logical, logical)),
        endpoints: 0,
        ...declined(logical),
      };
    });
  const sorted = async (views: Promise<NetworkView>[]) =>
    (await Promise.all(views)).sort((a, b) => byName(a.name, b.name));
  return [...(await sorted(here)), ...(await sorted(elsewhere))];

  function declined({ id, createdAt }: Logical) {
    return state.declined.get(id)?.createdAt === createdAt ? { copy: 'declined' as const } : {};
  }

  async function shared(one: Network | Logical, logical: Logical | undefined) {
    const clusterName = logical && nameOf(state, logical.id);
    const having = hosts.get(logical?.id ?? '') ?? [];
    const pools = one.pools.map((id) => state.pools.get(id)).filter((pool) => pool !== undefined);
    return {
      ...(clusterName !== undefined && { clusterName }),
      tenant: one.tenant,
      encap: one.encap,
      mtu: one.mtu ?? services.host().mtu,
      internal: one.internal,
      createdAt: new Date(one.createdAt).toISOString(),
      pools: await Promise.all(pools.map((pool) => showPool(pool, services, known))),
      hosts: having.map((host) => host.name),
      madeOn: having.filter(({ byHand }) => byHand).map((host) => host.name),
    };
  }
}

/** The network that `text` names. What this host has goes before what it has not. @throws as lookUp does */
export function findNetwork(text: string, networks: readonly NetworkView[]): NetworkView {
  const isNamed = ({ id, name, clusterName }: NetworkView) =>
    id === undefined && [name, clusterName].includes(text);
  const here = networks.filter(({ id }) => id !== undefined);
  const elsewhere = networks.filter(isNamed);
  const isHere = here.some(({ id, name, clusterName }) => [id, name, clusterName].includes(text));
  return lookUp(text, !isHere && elsewhere.length > 0 ? elsewhere : here, networkKeys, 'NR_NETWORK_UNKNOWN');
}

function networkKeys({ id, name, clusterName }: NetworkView): Keys {
  return { ids: [id ?? ''], names: [name, clusterName], ...(name !== undefined && { label: name }) };
}

/** Networks of this host that contradict what the cluster has, each with the reason. */
export function conflictsOf(
  { state }: Pick<Services, 'state'>,
  known: Known,
): { name: string; why: string }[] {
  return [...state.networks.all()].flatMap((network) => {
    const { name } = known.network(network.id);
    const why = conflictOf(state, network, logicalOf(state, network.pools), name);
    return why === undefined ? [] : [{ name: name ?? network.id.slice(0, 12), why }];
  });
}

/** What hosts that could not hear each other have made different. */
function conflictOf(
  state: State,
  network: Network,
  logical: Logical | undefined,
  name: string | undefined,
): string | undefined {
  const differing = logical ? differences(logical, network) : [];
  if (differing.length > 0) return `the cluster's is another one: ${differing.join('; ')}`;
  return name === undefined ? undefined : nameTaken(state, network, name);
}
