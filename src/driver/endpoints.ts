import { CodedError } from '../errors.ts';
import { addressesOf, type Endpoint } from '../model/endpoint.ts';
import type { Network } from '../model/network.ts';
import { type EndpointOptions, parseEndpointOptions } from '../model/options.ts';
import type { Pool } from '../model/pool.ts';
import { Address, quote } from '../net/address.ts';
import { vethNames } from '../net/ifname.ts';
import { macOf, parseMac } from '../net/mac.ts';
import { Prefix, splitCidr } from '../net/prefix.ts';
import { same } from '../plan/tracker.ts';
import { wallOf } from '../ports/clock.ts';
import type { Change } from '../ports/store.ts';
import type { Addresses, Place } from './addresses.ts';
import type { CreateEndpoint, Join, JoinAnswer } from './calls.ts';
import type { Context } from './context.ts';
import type { Networks } from './networks.ts';
import { record } from './record.ts';
import { prefixOf } from './spaces.ts';

/** Longest wait for the host to become as planned, in milliseconds: at Join, and when something goes. */
const JOIN_MS = 5000;
const LEAVE_MS = 2000;

/** What an endpoint that is to be made needs; see #wanted. */
interface Wanted {
  readonly endpoint: Endpoint;
  readonly shared?: Place;
  readonly missing: readonly Place[];
  readonly changes: readonly Change[];
}

/** Endpoints: a container's interface in a network, from CreateEndpoint to DeleteEndpoint. */
export class Endpoints {
  readonly #context: Context;
  readonly #networks: Networks;
  readonly #addresses: Addresses;

  constructor(context: Context, networks: Networks, addresses: Addresses) {
    this.#context = context;
    this.#networks = networks;
    this.#addresses = addresses;
  }

  /** @throws NR_ENDPOINT_UNKNOWN, also when the endpoint is another network's */
  get(network: string, id: string): Endpoint {
    const endpoint = this.#context.state.endpoints.get(id);
    if (endpoint?.network !== network) {
      throw new CodedError(
        'NR_ENDPOINT_UNKNOWN',
        `there is no endpoint ${quote(id.slice(0, 64))} in this network`,
      );
    }
    return endpoint;
  }

  /**
   * Touches memory and the journal only, as Docker holds the network's lock meanwhile; but an alias in a pool may be
   * another host's to give, which is asked then, a second at most.
   * @throws NR_NETWORK_UNKNOWN, NR_ENDPOINT_EXISTS, NR_ENDPOINT_NO_ADDRESS, NR_ADDRESS_*, and what the options'
   * parser throws
   */
  async create(call: CreateEndpoint): Promise<{ mac?: string }> {
    const asked: Place[] = [];
    const undo: (() => Promise<void>)[] = [];
    try {
      // When other hosts were asked, much may have happened meanwhile.
      for (;;) {
        const { endpoint, shared, missing, changes } = this.#wanted(call, asked);
        if (shared) throw await this.#addresses.giveBack(shared);
        if (missing.length === 0) {
          await this.#context.store.commit(changes);
          return call.mac ? {} : { mac: endpoint.mac };
        }
        undo.push(await this.#addresses.hold(missing, endpoint.anycast));
        asked.push(...missing);
      }
    } finally {
      // What the endpoint has got stays.
      for (const back of undo) await back();
    }
  }

  /**
   * Makes the endpoint's path and answers when it is there.
   * @throws NR_ENDPOINT_UNKNOWN, NR_ENDPOINT_JOINED, NR_KERNEL_*, NR_FIREWALL_REFUSED, NR_DEADLINE
   */
  async join(call: Join): Promise<JoinAnswer> {
    const { alive, settled, incarnation, mark } = this.#context;
    const network = this.#networks.get(call.network);
    const endpoint = this.get(call.network, call.endpoint);
    if (endpoint.phase === 'joined' && endpoint.sandbox !== call.sandbox && alive(endpoint)) {
      throw new CodedError(
        'NR_ENDPOINT_JOINED',
        `endpoint ${endpoint.id.slice(0, 12)} is in another sandbox`,
      );
    }
    if (!(endpoint.phase === 'joined' && endpoint.sandbox === call.sandbox && alive(endpoint))) {
      this.#context.expect(endpoint.id);
      await this.#write({ ...endpoint, phase: 'joined', sandbox: call.sandbox, incarnation: incarnation() });
    } else await this.#context.store.commit([]);
    try {
      await settled(endpoint.id, JOIN_MS);
    } catch (error) {
      // Docker takes a failed Join for one that never was. It may have deleted the endpoint meanwhile; and one that
      // was joined before stays so.
      const standing = this.#context.state.endpoints.get(endpoint.id);
      if (standing && endpoint.phase !== 'joined') {
        await this.#write({ ...standing, phase: 'created', sandbox: undefined, incarnation: undefined });
        mark(endpoint.id);
      }
      throw error;
    }
    return answerOf(endpoint, this.#context.state.poolsOf(network));
  }

  /** Withdraws the routes; the interface stays for Docker to take it out of the sandbox. @throws NR_ENDPOINT_UNKNOWN */
  async leave(network: string, id: string): Promise<void> {
    const endpoint = this.get(network, id);
    if (endpoint.phase !== 'joined') {
      await this.#context.store.commit([]);
      return;
    }
    await this.#write({ ...endpoint, phase: 'left', ports: [] });
    await this.#settledOrLogged(id);
  }

  /** One that does not exist is deleted already. Its addresses stay held until Docker releases them. */
  async delete(network: string, id: string): Promise<void> {
    const { state, store } = this.#context;
    const endpoint = state.endpoints.get(id);
    if (endpoint?.network !== network) {
      await store.commit([]);
      return;
    }
    await store.commit([{ key: state.endpoints.key(id) }, ...this.#addresses.unbind(endpoint)]);
    await this.#settledOrLogged(id);
  }

  /** Publishes the ports, or leaves none published. @throws NR_ENDPOINT_UNKNOWN, NR_FIREWALL_REFUSED, NR_DEADLINE */
  async publish(network: string, id: string, ports: Endpoint['ports']): Promise<void> {
    await this.#write({ ...this.get(network, id), ports });
    try {
      await this.#context.settled(id, JOIN_MS);
    } catch (error) {
      await this.unpublish(network, id);
      throw error;
    }
  }

  /** One that does not exist publishes nothing already. */
  async unpublish(network: string, id: string): Promise<void> {
    const endpoint = this.#context.state.endpoints.get(id);
    if (endpoint?.network !== network || endpoint.ports.length === 0) {
      await this.#context.store.commit([]);
      return;
    }
    await this.#write({ ...endpoint, ports: [] });
    await this.#settledOrLogged(id);
  }

  /** Docker only logs what goes wrong on the way out, so we do too, and go on in the background. */
  async #settledOrLogged(id: string): Promise<void> {
    try {
      await this.#context.settled(id, LEAVE_MS);
    } catch (error) {
      this.#context.log.warn({ err: error, endpoint: id }, 'endpoint has not settled yet');
    }
  }

  async #write(endpoint: Endpoint): Promise<void> {
    await this.#context.store.commit([
      { key: this.#context.state.endpoints.key(endpoint.id), value: record(endpoint) },
    ]);
  }

  /**
   * The endpoint, and what is to be written for it as things are now; or else an address that it is refused because
   * others share it, or what it has to ask for first. `asked`: what it has asked for.
   */
  #wanted(call: CreateEndpoint, asked: readonly Place[]): Wanted {
    const { state } = this.#context;
    const network = this.#networks.get(call.network);
    const pools = state.poolsOf(network);
    const options = parseEndpointOptions(call.options, call.addressV6 !== undefined);
    const endpoint = this.#described(call, options);
    const standing = state.endpoints.get(call.endpoint);
    if (standing) {
      refuseOther(standing, endpoint);
      return { endpoint: standing, missing: [], changes: [] };
    }
    const own = [endpoint.address, endpoint.addressV6]
      .filter((one) => one !== undefined)
      .map((address) => ({ pool: poolFor(pools, address), address }));
    const { places: aliases, ended } = this.#aliases(network, endpoint, asked);
    for (const address of addressesOf(endpoint).map(Address.parse)) {
      this.#addresses.refuseClaimed(address);
      this.#refuseAnnounced(address, endpoint.anycast);
    }
    const shared = endpoint.anycast ? undefined : own.find((place) => this.#addresses.isShared(place));
    if (shared) return { endpoint, shared, missing: [], changes: [] };
    const missing = aliases.filter((place) => !this.#addresses.has(place));
    // What is wrong with its own is to be found before other hosts are asked for the aliases.
    const places = missing.length > 0 ? own : [...own, ...aliases];
    const bound = this.#addresses.bind(places, endpoint, ended);
    const created = { key: state.endpoints.key(endpoint.id), value: record(endpoint), expect: null };
    return { endpoint, missing, changes: [created, ...bound] };
  }

  #described(call: CreateEndpoint, options: EndpointOptions): Endpoint {
    const address = call.address === undefined ? undefined : splitCidr(call.address).address;
    const addressV6 = call.addressV6 === undefined ? undefined : splitCidr(call.addressV6).address;
    const first = address ?? addressV6;
    if (!first) throw new CodedError('NR_ENDPOINT_NO_ADDRESS', 'the endpoint has no address');
    return {
      id: call.endpoint,
      network: call.network,
      ...(address && { address: address.toString() }),
      ...(addressV6 && { addressV6: addressV6.toString() }),
      mac: call.mac ? parseMac(call.mac) : macOf(first),
      aliases: [...options.aliases],
      ...(options.mtu !== undefined && { mtu: options.mtu }),
      ...(options.ingress && { ingress: [...options.ingress] }),
      anycast: options.anycast,
      phase: 'created',
      ports: [],
      createdAt: wallOf(this.#context.clock),
    };
  }

  /**
   * The aliases that are of a pool; others only have to be nobody else's on this host, and `ended` are endpoints that
   * have one of those and have ended: they would have it again if they were joined again.
   * @throws NR_ADDRESS_*
   */
  #aliases(
    network: Network,
    { aliases }: Endpoint,
    asked: readonly Place[],
  ): { places: Place[]; ended: Endpoint[] } {
    const { state, alive } = this.#context;
    const places: Place[] = [];
    const ended: Endpoint[] = [];
    for (const alias of aliases) {
      const address = Address.parse(alias);
      const isIts = (pool: Pool) => pool.tenant === network.tenant && prefixOf(pool).contains(address);
      const pool = [...state.pools.all()].find(isIts);
      if (pool) {
        places.push({ pool, address: alias });
        continue;
      }
      for (const other of state.endpoints.all()) {
        if (!other.aliases.includes(alias)) continue;
        if (alive(other)) {
          const what = `${alias} is an alias of endpoint ${other.id.slice(0, 12)}`;
          throw new CodedError('NR_ADDRESS_IN_USE', what);
        }
        ended.push(other);
      }
    }
    const isAsked = ({ pool, address }: Place) =>
      asked.some((one) => one.pool.id === pool.id && one.address === address);
    for (const place of places) if (!isAsked(place)) this.#addresses.refuseAlias(place);
    return { places, ended };
  }

  #refuseAnnounced(address: Address, anycast: boolean): void {
    const route = this.#context.holder(address);
    if (!route || (anycast && route.anycast)) return;
    const shared = anycast ? 'does not share it (it has no anycast=true)' : 'has it';
    throw new CodedError(
      'NR_ADDRESS_ANNOUNCED',
      `${address} is announced by ${route.holder}, which ${shared}`,
    );
  }
}

/** @throws NR_ENDPOINT_EXISTS unless the endpoint was made by the same call */
function refuseOther(standing: Endpoint, wanted: Endpoint): void {
  const { unconfirmed: _, lost: __, ...as } = standing;
  const made = { ...as, phase: 'created', sandbox: undefined, incarnation: undefined, ports: [] };
  if (same({ ...made, createdAt: 0 }, { ...wanted, createdAt: 0 })) return;
  const what = `endpoint ${wanted.id.slice(0, 12)} exists with other settings`;
  throw new CodedError('NR_ENDPOINT_EXISTS', what);
}

function poolFor(pools: readonly Pool[], address: string): Pool {
  const parsed = Address.parse(address);
  const pool = pools.find((one) => prefixOf(one).contains(parsed));
  if (!pool) throw new CodedError('NR_ADDRESS_OUTSIDE', `${address} is in no subnet of the network`);
  return pool;
}

function answerOf(endpoint: Endpoint, pools: readonly Pool[]): JoinAnswer {
  const gateway = (address: string | undefined) =>
    address === undefined ? undefined : poolFor(pools, address).gateway;
  const gateways = [gateway(endpoint.address), gateway(endpoint.addressV6)] as const;
  return {
    interface: vethNames(endpoint.id).peer,
    prefix: 'eth',
    gateway: gateways[0],
    gatewayV6: gateways[1],
    onLink: gateways
      .filter((one) => one !== undefined)
      .map((one) => Prefix.host(Address.parse(one)).toString()),
  };
}
