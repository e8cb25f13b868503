import { z } from 'zod';
import type { Range } from '../allocator/ranges.ts';
import type { Creation, Judge } from '../cluster/protocol/names.ts';
import { CodedError } from '../errors.ts';
import { logicalSchema, networkNameSchema } from '../model/logical.ts';
import type { Network } from '../model/network.ts';
import { type Pool, poolName, poolSchema } from '../model/pool.ts';
import { Address, WIDTH } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { State } from '../plan/state.ts';
import type { Change, Store } from '../ports/store.ts';
import { byName, logicalOf, nameOf, renamed, taken } from './logical.ts';
import { record } from './record.ts';

/** A chunk is a sixty-fourth of the pool, but no more than so many addresses. */
const CHUNK_MAX = 64n;
const NOBODY = 'a network that is being created, or was removed a moment ago,';
const named = z.object({ name: z.string() });

/** What the cluster's protocol, which knows integers, has to be told of pools. */
export class PoolSpaces {
  readonly #store: Store;
  readonly #state: State;
  /** Ids of pools by their spaces. */
  readonly #pools = new Map<string, string>();

  constructor(store: Store, state: State) {
    this.#store = store;
    this.#state = state;
    for (const { id, space } of state.pools.all()) this.#pools.set(space, id);
    store.observe('pool', ({ before, after }) => {
      const [was, is] = [state.pools.read(before), state.pools.read(after)];
      if (was) this.#pools.delete(was.space);
      if (is) this.#pools.set(is.space, is.id);
    });
  }

  /** Whether this host's Docker uses the space's pool. */
  readonly isUsed = (space: string): boolean =>
    this.#state.poolUses.get(this.#pools.get(space) ?? '') !== undefined;

  /** The address that a value of a space is. */
  readonly describe = (space: string, value: bigint): string => {
    const pool = this.#state.pools.get(this.#pools.get(space) ?? '');
    return pool ? addressAt(pool, value).toString() : `value ${value} of ${space}`;
  };

  /** No two pools of a tenant may overlap, no pool is in two networks, and no name is that of two. */
  readonly judge: Judge = ({ records }: Creation): CodedError | undefined => {
    for (const { key, value } of records) {
      const refusal = this.#refusal(key.slice(0, key.indexOf('/')), value);
      if (refusal) return refusal;
    }
    return undefined;
  };

  #refusal(namespace: string, value: unknown): CodedError | undefined {
    if (namespace === 'pool') {
      const wanted = poolSchema.safeParse(value).data;
      const standing = wanted && this.overlapping(wanted.tenant, Prefix.parse(wanted.prefix));
      return standing && this.overlap(wanted.prefix, standing, true);
    }
    if (namespace === 'logical') {
      const wanted = logicalSchema.safeParse(value).data;
      const standing = wanted && logicalOf(this.#state, wanted.pools);
      const shared = standing?.pools
        .filter((id) => wanted?.pools.includes(id))
        .map((id) => poolName(id).prefix);
      if (!standing) return undefined;
      const label = nameOf(this.#state, standing.id) ?? poolName(standing.id).prefix;
      return new CodedError('NR_NETWORK_DIFFERS', `${shared?.join(', ')} is of network ${label}`);
    }
    if (namespace !== 'network-name') return undefined;
    const wanted = networkNameSchema.safeParse(value).data;
    if (!wanted) return undefined;
    const other = byName(this.#state, wanted.tenant, wanted.name);
    if (other && other.id !== wanted.network) return taken(other, wanted.name);
    const standing = nameOf(this.#state, wanted.network);
    return standing === undefined || standing === wanted.name ? undefined : renamed(standing, wanted.name);
  }

  /** A pool of the tenant that has addresses of the prefix. */
  overlapping(tenant: string, prefix: Prefix): Pool | undefined {
    for (const pool of this.#state.pools.all())
      if (pool.tenant === tenant && prefixOf(pool).overlaps(prefix)) return pool;
    return undefined;
  }

  /** The error for a prefix that overlaps a pool. `forOther`: it is said to another host, where ids here are unknown. */
  overlap(prefix: string, pool: Pool, forOther = false): CodedError {
    const own = forOther ? undefined : this.#state.networkOf(pool.id);
    const user = own ? `network ${this.#label(own)}` : this.#networkElsewhere(pool.id);
    const what = `${prefix} overlaps ${pool.prefix} of ${user ?? NOBODY} in tenant ${pool.tenant}`;
    return new CodedError('NR_POOL_OVERLAP', what, {
      remedy: user === undefined ? 'choose a subnet that does not overlap, or wait two minutes' : undefined,
    });
  }

  /** The network that has a pool, on any host, by which a person finds it there. */
  #networkElsewhere(pool: string): string | undefined {
    for (const entry of this.#store.all('network')) {
      const network = this.#state.networks.read(entry);
      if (!network?.pools.includes(pool)) continue;
      const [, host = ''] = entry.key.split('/');
      const { data } = named.safeParse(this.#store.get(`member/${host}`)?.value);
      return `network ${this.#label(network)} on host ${data?.name ?? host.slice(0, 12)}`;
    }
    return undefined;
  }

  /** What the cluster calls a network, else its id in the Docker of the host that has it. */
  #label({ id, pools }: Network): string {
    const logical = logicalOf(this.#state, pools);
    return (logical && nameOf(this.#state, logical.id)) ?? id.slice(0, 12);
  }
}

/** The record of a new pool's space. */
export function spaceChange(pool: Pool): Change {
  const prefix = prefixOf(pool);
  const size = prefix.size;
  const chunk = size / CHUNK_MAX;
  const reserved = reservedIn(prefix).map(({ address }) => `${address.value - prefix.address.value}`);
  const space = {
    domain: domainOf(pool.tenant),
    size: `${size}`,
    chunk: Number(chunk > CHUNK_MAX ? CHUNK_MAX : chunk < 1n ? 1n : chunk),
    ...(reserved.length > 0 && { reserved }),
  };
  return { key: `space/${pool.space}`, value: record(space) };
}

/** What a tenant's pools and names are decided in. */
export function domainOf(tenant: string): string {
  return `tenant/${tenant}`;
}

const prefixes = new WeakMap<Pool, Prefix>();

/** The subnet of a pool. */
export function prefixOf(pool: Pool): Prefix {
  const known = prefixes.get(pool) ?? Prefix.parse(pool.prefix);
  prefixes.set(pool, known);
  return known;
}

/** An address's place in the pool's space; meaningless for one outside. */
export function placeOf(pool: Pool, address: Address): bigint {
  return address.value - prefixOf(pool).address.value;
}

export function addressAt(pool: Pool, place: bigint): Address {
  const { family, address } = prefixOf(pool);
  return Address.of(family, address.value + place);
}

/** The places of a part of the pool; of all by default. */
export function rangeOf(pool: Pool, cidr?: string): Range {
  const part = cidr === undefined ? prefixOf(pool) : Prefix.parse(cidr);
  return { first: placeOf(pool, part.address), last: placeOf(pool, part.last) };
}

/**
 * Addresses that name the subnet itself. A /31 (RFC 3021), /127 (RFC 6164) or longer prefix has none; IPv6 has no
 * broadcast, but its first address is the subnet-router anycast one (RFC 4291 section 2.6.1).
 */
export function reservedIn(prefix: Prefix): { readonly address: Address; readonly why: string }[] {
  if (prefix.length >= WIDTH[prefix.family] - 1) return [];
  const first = prefix.address;
  if (prefix.family === 6) return [{ address: first, why: 'the subnet-router anycast address' }];
  return [
    { address: first, why: 'the network address' },
    { address: prefix.last, why: 'the broadcast address' },
  ];
}
