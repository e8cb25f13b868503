import { CodedError } from '../errors.ts';
import type { Network } from '../model/network.ts';
import { DEFAULT_TENANT, type NetworkOptions, parseNetworkOptions } from '../model/options.ts';
import { type Pool, poolId } from '../model/pool.ts';
import { Address, quote } from '../net/address.ts';
import { splitCidr } from '../net/prefix.ts';
import { same } from '../plan/tracker.ts';
import { wallOf } from '../ports/clock.ts';
import type { Addresses, Apart } from './addresses.ts';
import { type CreateNetwork, LOCAL_ADDRESS_SPACE, type PoolData } from './calls.ts';
import type { Context } from './context.ts';
import { declines } from './declines.ts';
import { logicalFrom, logicalOf } from './logical.ts';
import type { Logicals } from './logicals.ts';
import type { Pools } from './pools.ts';
import { record } from './record.ts';
import { prefixOf } from './spaces.ts';

/** What a repeated call may find different. */
const ASIDE = { createdAt: 0, copy: undefined, makers: undefined };

/** Networks: pools under Docker's id. */
export class Networks {
  readonly #context: Context;
  readonly #pools: Pools;
  readonly #addresses: Addresses;
  readonly #logicals: Logicals;

  constructor(context: Context, parts: { pools: Pools; addresses: Addresses; logicals: Logicals }) {
    this.#context = context;
    this.#pools = parts.pools;
    this.#addresses = parts.addresses;
    this.#logicals = parts.logicals;
  }

  /** @throws NR_NETWORK_UNKNOWN */
  get(id: string): Network {
    const network = this.#context.state.networks.get(id);
    if (!network) throw new CodedError('NR_NETWORK_UNKNOWN', `there is no network ${quote(id.slice(0, 64))}`);
    return network;
  }

  /**
   * @throws NR_IPAM_FOREIGN, NR_NETWORK_EXISTS, NR_POOL_OVERLAP, NR_OPTION_CONFLICT, NR_NETWORK_DIFFERS,
   * NR_NETWORK_NAME_TAKEN, NR_NETWORK_UNKNOWN for a copy, and what the options' parser throws
   */
  async create(call: CreateNetwork): Promise<void> {
    try {
      const ours = [...call.ipv4, ...call.ipv6].map(({ pool }) => poolId(DEFAULT_TENANT, pool));
      await this.#pools.become(ours, () => this.#create(call));
    } catch (error) {
      for (const { addressSpace, pool } of [...call.ipv4, ...call.ipv6])
        if (addressSpace === LOCAL_ADDRESS_SPACE)
          this.#pools.refused(poolId(DEFAULT_TENANT, pool), call.network);
      throw error;
    }
  }

  async #create(call: CreateNetwork): Promise<void> {
    const { state, store, clock } = this.#context;
    const data = [...call.ipv4, ...call.ipv6];
    const options = parseNetworkOptions(call.options, call.ipv6.length > 0);
    this.#refuseForeign(data);
    const tenant = options.tenant ?? DEFAULT_TENANT;
    if (tenant !== DEFAULT_TENANT)
      throw new CodedError('NR_TENANT_UNKNOWN', `there is no tenant ${quote(tenant)}`);
    const given = data.map((one) => ({ one, pool: this.#pools.byPrefix(tenant, one.pool) }));
    const name = this.#nameGiven(options, given);
    const ids = given.map(({ pool }) => pool.id);
    const mtu = options.mtu ?? logicalOf(state, ids)?.mtu;
    const network: Network = {
      id: call.network,
      tenant,
      encap: 'none',
      ...(mtu !== undefined && { mtu }),
      internal: call.internal,
      pools: ids,
      ...(options.propagated !== undefined && { copy: 'making' }),
      createdAt: wallOf(clock),
    };
    const standing = state.networks.get(call.network);
    if (standing) {
      if (same({ ...standing, ...ASIDE }, { ...network, ...ASIDE })) {
        await store.commit([]);
        return;
      }
      throw new CodedError(
        'NR_NETWORK_EXISTS',
        `network ${call.network.slice(0, 12)} exists with other settings`,
      );
    }
    for (const { pool } of given) this.#refuseUsed(pool);
    if (options.propagated !== undefined) this.#logicals.refuseUnlike(options.propagated, ids);
    const pools = given.map(({ one, pool }) => this.#withAuxiliary(this.#withGateway(pool, options), one));
    const logical = await this.#logicals.establish(
      { ...logicalFrom(network), ...(options.mtu === undefined && { mtu: undefined }) },
      name,
    );
    // Somebody may have made it since, with an MTU of its own.
    const { mtu: agreed } = logical;
    const made: Network = { ...network, ...(agreed !== undefined && { mtu: agreed }) };
    await this.#addresses.setApart(
      pools.flatMap((pool) => this.#apart(pool)),
      () => {
        for (const pool of pools) this.#refuseUsed(pool);
        return [
          { key: state.networks.key(network.id), value: record(made), expect: null },
          ...pools.flatMap((pool) => this.#pools.change(pool)),
        ];
      },
    );
  }

  /** One that does not exist is deleted already. @throws NR_NETWORK_IN_USE */
  async delete(id: string): Promise<void> {
    const { state, store } = this.#context;
    const network = state.networks.get(id);
    if (!network) {
      await store.commit([]);
      return;
    }
    const living = state.endpointsOf(id).filter((endpoint) => this.#context.alive(endpoint));
    if (living.length > 0) {
      const names = living.map((endpoint) => endpoint.id.slice(0, 12)).join(', ');
      throw new CodedError('NR_NETWORK_IN_USE', `network ${id.slice(0, 12)} has the endpoints ${names}`);
    }
    const stale = state.endpointsOf(id);
    await store.commit([
      { key: state.networks.key(id) },
      ...stale.flatMap((endpoint) => this.#addresses.reap(endpoint)),
      ...this.#pools.unreleased(network),
      ...declines(this.#context, network),
    ]);
    for (const endpoint of stale) this.#context.mark(endpoint.id);
  }

  /** What the user calls the network, with either option. @throws NR_OPTION_CONFLICT */
  #nameGiven(options: NetworkOptions, given: readonly { readonly pool: Pool }[]): string | undefined {
    const { poolUses } = this.#context.state;
    const names = [options.network, ...given.map(({ pool }) => poolUses.get(pool.id)?.network)];
    const [name, other] = [...new Set(names.filter((one) => one !== undefined))];
    if (other !== undefined)
      throw new CodedError('NR_OPTION_CONFLICT', `the network is called ${name} and ${other}`);
    return name;
  }

  /** @throws NR_POOL_OVERLAP for the pool of another network, NR_IPAM_FOREIGN for one that was given back meanwhile */
  #refuseUsed(pool: Pool): void {
    const { state } = this.#context;
    const user = state.networkOf(pool.id);
    if (user) {
      const what = `${pool.prefix} is the subnet of network ${user.id.slice(0, 12)}`;
      throw new CodedError('NR_POOL_OVERLAP', what);
    }
    this.#pools.byPrefix(pool.tenant, pool.prefix);
  }

  #refuseForeign(data: readonly PoolData[]): void {
    if (data.length === 0) throw new CodedError('NR_IPAM_FOREIGN', 'the network has no subnet');
    const foreign = data.find((one) => one.addressSpace !== LOCAL_ADDRESS_SPACE);
    if (foreign) {
      throw new CodedError(
        'NR_IPAM_FOREIGN',
        `the subnet ${foreign.pool} is not from the IPAM driver ipam-routed`,
      );
    }
  }

  /** The pool with the gateway that `-o gateway` names for its family. */
  #withGateway(pool: Pool, options: NetworkOptions): Pool {
    if (pool.gatewayGiven) this.#addresses.refuseClaimed(Address.parse(pool.gateway)); // another host may have named it
    if (options.gateway === undefined) return pool;
    const gateway = Address.parse(options.gateway);
    if (gateway.family !== prefixOf(pool).family) return pool;
    if (pool.gatewayGiven && pool.gateway === gateway.toString()) return pool;
    if (pool.gatewayGiven) {
      throw new CodedError(
        'NR_OPTION_CONFLICT',
        `--gateway ${pool.gateway} and -o gateway=${gateway} differ`,
      );
    }
    this.#addresses.refuseUnusableGateway(pool, gateway);
    return { ...pool, gateway: gateway.toString(), gatewayGiven: true };
  }

  /** The pool with the addresses that `--aux-address` names. @throws NR_OPTION_CONFLICT, NR_ADDRESS_* */
  #withAuxiliary(pool: Pool, { auxAddresses }: PoolData): Pool {
    const given = Object.values(auxAddresses).map((text) => splitCidr(text).address.toString());
    const auxiliary = [...new Set(given)].sort();
    if (auxiliary.length === 0 || same(auxiliary, pool.auxiliary)) return pool;
    const user = this.#addresses.usedElsewhere(pool);
    if (user) {
      const standing = pool.auxiliary.join(', ') || 'none';
      const what = `${user} has the auxiliary addresses ${standing} of ${pool.prefix}, and not ${auxiliary.join(', ')}`;
      throw new CodedError('NR_OPTION_CONFLICT', what);
    }
    return { ...pool, auxiliary };
  }

  /** What no endpoint may have, and this host has to keep: what other hosts that use the pool have kept, they keep. */
  #apart(pool: Pool): Apart[] {
    const gateway: Apart[] = pool.gatewayGiven ? [{ pool, address: pool.gateway, use: 'gateway' }] : [];
    const auxiliary = pool.auxiliary.map((address): Apart => ({ pool, address, use: 'auxiliary' }));
    const within = [...gateway, ...auxiliary].filter(({ address }) =>
      prefixOf(pool).contains(Address.parse(address)),
    );
    if (!this.#addresses.usedElsewhere(pool)) return within;
    return within.filter((one) => this.#addresses.has(one));
  }
}
