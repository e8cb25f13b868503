import { CodedError } from '../errors.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { Addresses } from './addresses.ts';
import type {
  AddressCalls,
  CreateEndpoint,
  CreateNetwork,
  Join,
  NetworkCalls,
  PortBinding,
  RequestPool,
} from './calls.ts';
import type { Context } from './context.ts';
import { Endpoints } from './endpoints.ts';
import { Holdings } from './holdings.ts';
import { Logicals } from './logicals.ts';
import { Networks } from './networks.ts';
import { Pools } from './pools.ts';
import { choosePorts, type Taken, whoListens } from './ports.ts';
import { Underway } from './underway.ts';

/** The use-cases behind Docker's two drivers. */
export class Driver implements NetworkCalls, AddressCalls {
  readonly addresses: Addresses;
  readonly logicals: Logicals;
  readonly pools: Pools;
  readonly networks: Networks;
  readonly endpoints: Endpoints;
  readonly holdings: Holdings;
  readonly #context: Context;
  /** Those that may have to ask other hosts. */
  readonly #underway = new Underway();

  constructor(context: Context) {
    this.#context = context;
    this.addresses = new Addresses(context);
    this.logicals = new Logicals(context);
    this.pools = new Pools(context, this.addresses, this.logicals);
    this.networks = new Networks(context, { ...this });
    this.endpoints = new Endpoints(context, this.networks, this.addresses);
    this.holdings = new Holdings(context, this.addresses.choice);
  }

  createNetwork(call: CreateNetwork): Promise<void> {
    return this.#underway.once(['network', call], () => this.networks.create(call));
  }

  deleteNetwork(network: string): Promise<void> {
    return this.networks.delete(network);
  }

  createEndpoint(call: CreateEndpoint): Promise<{ mac?: string | undefined }> {
    return this.#underway.once(['endpoint', call], () => this.endpoints.create(call));
  }

  deleteEndpoint(network: string, endpoint: string): Promise<void> {
    return this.endpoints.delete(network, endpoint);
  }

  join(call: Join) {
    return this.endpoints.join(call);
  }

  leave(network: string, endpoint: string): Promise<void> {
    return this.endpoints.leave(network, endpoint);
  }

  async publish(network: string, endpoint: string, bindings: readonly PortBinding[]): Promise<void> {
    if (!this.#publishes(network, endpoint, bindings)) {
      await this.#context.store.commit([]);
      return;
    }
    const listeners = await this.#context.listeners();
    const standing = this.#publishes(network, endpoint, bindings);
    if (!standing) {
      await this.#context.store.commit([]);
      return;
    }
    const { state, alive, mark } = this.#context;
    const others = [...state.endpoints.all()].filter(({ id, ports }) => id !== endpoint && ports.length > 0);
    const choice = choosePorts(bindings, standing, others.filter(alive), listeners);
    if ('taken' in choice) throw await this.#inUse(choice.taken);
    // The host may still have the ports of those that have ended.
    for (const other of others) if (!alive(other)) mark(other.id);
    await this.endpoints.publish(network, endpoint, choice.ports);
  }

  /**
   * The endpoint, unless there is nothing to do: a replay keeps the ports that were chosen the first time.
   * @throws NR_ENDPOINT_UNKNOWN, NR_ENDPOINT_NOT_JOINED
   */
  #publishes(network: string, id: string, bindings: readonly PortBinding[]): Endpoint | undefined {
    const endpoint = this.endpoints.get(network, id);
    if (endpoint.ports.length > 0 || bindings.length === 0) return undefined;
    if (endpoint.phase !== 'joined')
      throw new CodedError('NR_ENDPOINT_NOT_JOINED', `endpoint ${id.slice(0, 12)} is in no sandbox`);
    return endpoint;
  }

  async #inUse({ what, listener }: Taken): Promise<CodedError> {
    const who = listener ? `: ${await whoListens(listener, this.#context.listeners)}` : '';
    return new CodedError('NR_PORT_IN_USE', `${what}${who}`);
  }

  unpublish(network: string, endpoint: string): Promise<void> {
    return this.endpoints.unpublish(network, endpoint);
  }

  async endpointInfo(network: string, endpoint: string): Promise<Record<string, string>> {
    this.endpoints.get(network, endpoint);
    return {};
  }

  async requestPool(call: RequestPool) {
    const pool = await this.pools.request(call);
    return { id: pool.id, pool: pool.prefix, gateway: Prefix.host(Address.parse(pool.gateway)).toString() };
  }

  releasePool(id: string): Promise<void> {
    return this.pools.release(id);
  }

  async requestAddress(call: {
    pool: string;
    address?: string | undefined;
    gateway: boolean;
    holder?: string | undefined;
  }) {
    const pool = this.pools.get(call.pool);
    const address = await this.#given(pool, call.address, call.gateway).catch((error: unknown) => {
      // A gateway, or an address to be set apart, of a network that Docker gives up then, with the pool.
      const apart = error instanceof CodedError && error.code === 'NR_ADDRESS_RESERVED';
      if (call.gateway || apart) this.pools.refused(pool.id, 'a network that is being created');
      throw error;
    });
    return { address: Prefix.host(Address.parse(address)).toString() };
  }

  #given(pool: Pool, address: string | undefined, gateway: boolean): Promise<string> {
    const once = (begin: () => Promise<string>) =>
      this.#underway.once(['address', pool.id, address, gateway], begin);
    if (gateway) return once(() => this.addresses.gateway(pool, address));
    return address === undefined
      ? this.addresses.choose(pool)
      : once(() => this.addresses.request(pool, address));
  }

  async releaseAddress(id: string, address: string): Promise<void> {
    const pool = this.#context.state.pools.get(id);
    if (pool) await this.addresses.release(pool, address);
    else await this.#context.store.commit([]);
  }
}
