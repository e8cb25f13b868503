import { CodedError } from '../errors.ts';
import { type Logical, networkNameId, type Traits } from '../model/logical.ts';
import type { Network } from '../model/network.ts';
import { poolName } from '../model/pool.ts';
import { quote } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { State } from '../plan/state.ts';

const COMMAND = 'docker network create -d net-routed --ipam-driver ipam-routed';

/** The logical network of a name. */
export function byName(state: State, tenant: string, name: string): Logical | undefined {
  const entry = state.networkNames.get(networkNameId(tenant, name));
  return entry && state.logicals.get(entry.network);
}

/** The logical network that has one of the pools. */
export function logicalOf(state: State, pools: readonly string[]): Logical | undefined {
  for (const logical of state.logicals.all())
    if (logical.pools.some((id) => pools.includes(id))) return logical;
  return undefined;
}

/** What a logical network is called. */
export function nameOf(state: State, id: string): string | undefined {
  for (const { network, name } of state.networkNames.all()) if (network === id) return name;
  return undefined;
}

/** Why the cluster does not call a network by its name in Docker, if another network is called so. */
export function nameTaken(state: State, { tenant, pools }: Network, name: string): string | undefined {
  const logical = logicalOf(state, pools);
  const other = byName(state, tenant, name);
  if (!logical || !other || other.id === logical.id || nameOf(state, logical.id) !== undefined)
    return undefined;
  return `${name} is what the cluster calls the network of ${prefixesOf(other).join(', ')}`;
}

/** That a name is another network's. */
export function taken(other: Logical, name: string): CodedError {
  const subnets = prefixesOf(other);
  const flags = subnets.some(({ family }) => family === 6) ? ' --ipv6' : '';
  const what =
    `${quote(name)} is the network of ${subnets.join(', ')} in tenant ${other.tenant}; ` +
    `to have it here: ${COMMAND} --ipam-opt network=${name}${flags} ${name}`;
  return new CodedError('NR_NETWORK_NAME_TAKEN', what);
}

/** That a network has another name. */
export function renamed(standing: string, name: string): CodedError {
  return new CodedError('NR_NETWORK_DIFFERS', `the network is called ${standing}, not ${name}`);
}

/** In what a network differs from the logical one, for a message. Without an MTU it takes that one's. */
export function differences(logical: Traits, wanted: Traits): string[] {
  const found: string[] = [];
  for (const id of logical.pools.filter((one) => !wanted.pools.includes(one))) {
    const { prefix } = poolName(id);
    found.push(
      `it has the subnet ${prefix}, too: add ${prefix.includes(':') ? '--ipv6 ' : ''}--subnet ${prefix}`,
    );
  }
  for (const id of wanted.pools.filter((one) => !logical.pools.includes(one)))
    found.push(`it does not have the subnet ${poolName(id).prefix}`);
  if (wanted.mtu !== undefined && wanted.mtu !== logical.mtu)
    found.push(`its MTU is ${logical.mtu ?? "that of each host's uplink"}, not ${wanted.mtu}`);
  if (wanted.internal !== logical.internal)
    found.push(
      logical.internal ? 'it is internal: add --internal' : 'it is not internal: leave --internal out',
    );
  return found;
}

/** The subnets of a network. */
export function prefixesOf({ pools }: Logical): Prefix[] {
  return pools.map((id) => Prefix.parse(poolName(id).prefix));
}

/** What the cluster is to know of a network of this host. */
export function logicalFrom({ tenant, encap, mtu, internal, pools, createdAt }: Network): Logical {
  return {
    id: pools[0]!,
    tenant,
    encap,
    ...(mtu !== undefined && { mtu }),
    internal,
    pools: [...pools],
    createdAt,
  };
}
