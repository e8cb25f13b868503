import { CodedError } from '../errors.ts';
import type { Network } from '../model/network.ts';
import { DEFAULT_TENANT, parseIpamOptions } from '../model/options.ts';
import { type Pool, poolId } from '../model/pool.ts';
import { Address, type Family, quote, WIDTH } from '../net/address.ts';
import { linkLocalGateway } from '../net/linklocal.ts';
import { Prefix } from '../net/prefix.ts';
import { UNUSABLE } from '../net/special.ts';
import type { Change } from '../ports/store.ts';
import type { Addresses } from './addresses.ts';
import type { RequestPool } from './calls.ts';
import type { Context } from './context.ts';
import { Owed } from './owed.ts';
import { record } from './record.ts';

/** Length of the prefixes that networks without --subnet get. */
const AUTOMATIC_LENGTH = { 4: 24, 6: 64 } as const;

/** Pools: the subnets of networks, asked for by Docker before it creates the network. */
export class Pools {
  readonly #context: Context;
  readonly #addresses: Addresses;
  readonly #owed: Owed;

  constructor(context: Context, addresses: Addresses) {
    this.#context = context;
    this.#addresses = addresses;
    this.#owed = new Owed(context.clock);
  }

  /** A pool by its id. @throws NR_POOL_UNKNOWN */
  get(id: string): Pool {
    const pool = this.#context.state.pools.get(id);
    if (!pool) throw new CodedError('NR_POOL_UNKNOWN', `there is no pool ${quote(id)}`);
    return pool;
  }

  /**
   * The same pool again, while no network has it, is the same pool: Docker asked twice.
   * @throws NR_PREFIX_INVALID, NR_POOL_OVERLAP, NR_POOL_RANGE_INVALID, NR_POOLS_EXHAUSTED, NR_TENANT_UNKNOWN
   */
  async request(call: RequestPool): Promise<Pool> {
    const tenant = parseIpamOptions(call.options).tenant ?? DEFAULT_TENANT;
    if (tenant !== DEFAULT_TENANT)
      throw new CodedError('NR_TENANT_UNKNOWN', `there is no tenant ${quote(tenant)}`);
    const family: Family = call.v6 ? 6 : 4;
    const prefix = call.pool === undefined ? this.#automatic(family) : usable(call.pool, family);
    const range = call.subPool === undefined ? undefined : within(call.subPool, prefix);
    const id = poolId(tenant, prefix.toString());
    const standing = this.#context.state.pools.get(id);
    if (!standing || call.pool === undefined) this.#refuseOverlap(tenant, prefix);
    else this.#refuseUsed(standing);
    const pool: Pool = {
      id,
      tenant,
      prefix: prefix.toString(),
      ...(range && { range: range.toString() }),
      gateway: standing?.gateway ?? this.#freeGateway(family, id),
      gatewayGiven: standing?.gatewayGiven ?? false,
      automatic: call.pool === undefined,
      createdAt: standing?.createdAt ?? this.#context.clock.now(),
    };
    await this.#context.store.commit([this.change(pool), ...(standing ? [] : this.#addresses.cover(pool))]);
    return pool;
  }

  /** Frees the pool with all of its addresses. One that does not exist is free already. */
  async release(id: string): Promise<void> {
    const { state, store } = this.#context;
    const pool = state.pools.get(id);
    const network = state.networkOf(id);
    // Not the owner's, but that of a network which was refused because of the owner.
    if (!pool || (network && this.#owed.use(id))) {
      await store.commit([]);
      return;
    }
    const endpoints = network ? state.endpointsOf(network.id) : [];
    const living = endpoints.filter((endpoint) => this.#context.alive(endpoint));
    if (living.length > 0) {
      const names = living.map((endpoint) => endpoint.id.slice(0, 12)).join(', ');
      throw new CodedError('NR_POOL_IN_USE', `pool ${pool.prefix} has the endpoints ${names}`);
    }
    const changes: Change[] = [
      ...endpoints.flatMap((endpoint) => this.#addresses.reap(endpoint)),
      ...this.#removal(pool),
    ];
    // Docker releases a network's pools before it deletes the network, whatever becomes of DeleteNetwork then.
    if (network?.pools.every((other) => other === id || !state.pools.get(other))) {
      changes.push({ key: state.networks.key(network.id) });
    }
    for (const endpoint of endpoints) this.#context.mark(endpoint.id);
    await store.commit(changes);
  }

  /** The pool that CreateNetwork means by a CIDR. @throws NR_IPAM_FOREIGN */
  byPrefix(tenant: string, prefix: string): Pool {
    const pool = this.#context.state.pools.get(poolId(tenant, prefix));
    if (!pool)
      throw new CodedError('NR_IPAM_FOREIGN', `the subnet ${prefix} is not from the IPAM driver ipam-routed`);
    return pool;
  }

  /**
   * Docker has been refused something for `who`, and gives back a pool that it wanted for a network: not the one that
   * another network has.
   */
  refused(id: string, who: string): void {
    const network = this.#context.state.networkOf(id);
    if (network && network.id !== who) this.#owed.add(id, who);
  }

  /** Changes that remove the pools of a network that is deleted, whose release was taken for that of a refused one. */
  unreleased(network: Network): Change[] {
    const pools = this.#context.state.poolsOf(network).filter((pool) => this.#owed.used(pool.id));
    return pools.flatMap((pool) => this.#removal(pool));
  }

  #removal(pool: Pool): Change[] {
    this.#owed.forget(pool.id);
    return [{ key: this.#context.state.pools.key(pool.id) }, ...this.#addresses.forget(pool)];
  }

  change(pool: Pool): Change {
    return { key: this.#context.state.pools.key(pool.id), value: record(pool) };
  }

  #refuseUsed(pool: Pool): void {
    const network = this.#context.state.networkOf(pool.id);
    if (network) throw overlap(pool.prefix, pool, network.id);
  }

  #refuseOverlap(tenant: string, prefix: Prefix): void {
    for (const pool of this.#context.state.pools.all()) {
      if (pool.tenant !== tenant || !Prefix.parse(pool.prefix).overlaps(prefix)) continue;
      throw overlap(prefix.toString(), pool, this.#context.state.networkOf(pool.id)?.id);
    }
  }

  /** The first free block, from a place that differs by host, as hosts choose without asking each other. */
  #automatic(family: Family): Prefix {
    const taken = [...this.#context.state.pools.all()].map((pool) => Prefix.parse(pool.prefix));
    const length = AUTOMATIC_LENGTH[family];
    for (const block of this.#context.automatic) {
      if (block.family !== family || block.length > length) continue;
      const count = 1n << BigInt(length - block.length);
      for (let step = 0n; step < count && step <= BigInt(taken.length); step++) {
        const offset = ((this.#context.spread + step) % count) << BigInt(WIDTH[family] - length);
        const candidate = Prefix.around(Address.of(family, block.address.value + offset), length);
        if (!taken.some((prefix) => prefix.overlaps(candidate))) return candidate;
      }
    }
    throw new CodedError(
      'NR_POOLS_EXHAUSTED',
      `no IPv${family} prefix is left for a network without --subnet`,
    );
  }

  #freeGateway(family: Family, id: string): string {
    const taken = new Set([...this.#context.state.pools.all()].map((pool) => pool.gateway));
    for (let attempt = 0; ; attempt++) {
      const gateway = linkLocalGateway(family, id, attempt).toString();
      if (!taken.has(gateway)) return gateway;
    }
  }
}

function overlap(prefix: string, pool: Pool, network: string | undefined): CodedError {
  const user = network ? `network ${network.slice(0, 12)}` : 'a network that is being created';
  return new CodedError(
    'NR_POOL_OVERLAP',
    `${prefix} overlaps ${pool.prefix} of ${user} in tenant ${pool.tenant}`,
  );
}

function usable(text: string, family: Family): Prefix {
  const prefix = Prefix.parse(text);
  if (prefix.family !== family) {
    throw new CodedError('NR_PREFIX_INVALID', `${prefix} is not an IPv${family} prefix`);
  }
  const reserved = UNUSABLE.find((one) => one.overlaps(prefix));
  if (reserved)
    throw new CodedError('NR_PREFIX_INVALID', `${prefix} overlaps ${reserved}, which no endpoint can use`);
  return prefix;
}

function within(text: string, prefix: Prefix): Prefix {
  const range = Prefix.parse(text);
  if (!prefix.contains(range)) {
    throw new CodedError('NR_POOL_RANGE_INVALID', `the range ${range} is not within ${prefix}`);
  }
  return range;
}
