import { CodedError } from '../errors.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Allocation, Pool } from '../model/pool.ts';
import { Address, quote } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { isLinkLocal } from '../net/special.ts';
import type { Change } from '../ports/store.ts';
import type { Context } from './context.ts';
import { record } from './record.ts';
import { Spaces } from './spaces.ts';

/** Addresses of pools: asked for, bound to endpoints, released, left to rest. */
export class Addresses {
  readonly #context: Context;
  readonly #spaces: Spaces;

  constructor(context: Context) {
    this.#context = context;
    this.#spaces = new Spaces(context.restMs, context.spread);
    const { state, store, clock } = context;
    for (const pool of state.pools.all()) this.#spaces.open(pool);
    for (const allocation of state.allocations.all()) this.#spaces.put(allocation);
    // Whoever changes a record, this process or (in a cluster) another host, the bitmaps follow the store.
    store.observe('pool', ({ key, after }) => {
      const pool = state.pools.read(after);
      if (pool) this.#spaces.open(pool);
      else if (!after) this.#spaces.close(state.pools.id(key) ?? '');
    });
    store.observe('allocation', ({ key, before, after }) => {
      if (state.allocations.id(key) === undefined) return;
      const [gone, come] = [state.allocations.read(before), state.allocations.read(after)];
      if (come) this.#spaces.put(come);
      else if (gone) this.#spaces.drop(gone, clock.now());
    });
  }

  /** An address of the driver's choice, durable. @throws NR_POOL_FULL */
  async choose(pool: Pool): Promise<string> {
    const address = this.#spaces.next(pool, this.#context.clock.now(), (one) => this.#unwanted(pool, one));
    await this.#commit(this.#allocation(pool, address.toString(), 'held'));
    return address.toString();
  }

  /**
   * The address that the user asked for, durable. Asked for again before an endpoint has it, it is the same one.
   * @throws NR_ADDRESS_INVALID, NR_ADDRESS_OUTSIDE, NR_ADDRESS_RESERVED, NR_ADDRESS_IN_USE
   */
  async request(pool: Pool, text: string): Promise<string> {
    const address = this.#usable(pool, text).toString();
    const standing = this.get(pool, address);
    const changes: Change[] = [];
    if (standing?.use === 'gateway' || standing?.use === 'auxiliary')
      throw reserved(address, `the ${standing.use} one`);
    if (standing?.use === 'endpoint') changes.push(...this.#reapOrRefuse(standing));
    changes.push(this.change(this.#allocation(pool, address, 'held')));
    await this.#context.store.commit(changes);
    for (const endpoint of this.#endpointsIn(changes)) this.#context.mark(endpoint);
    return address;
  }

  /**
   * The gateway that the user named with --gateway, else the pool's own. Asked for again, it is the same one.
   * @throws as request(), and NR_OPTION_CONFLICT when a network has the pool with another gateway
   */
  async gateway(pool: Pool, text: string | undefined): Promise<string> {
    if (text === undefined) return pool.gateway;
    const address = this.#usable({ ...pool, gatewayGiven: false }, text).toString();
    const { state, store } = this.#context;
    if (pool.gatewayGiven && pool.gateway === address) {
      await store.commit([]);
      return address;
    }
    const network = state.networkOf(pool.id);
    if (network) {
      const what = `network ${network.id.slice(0, 12)} has the gateway ${pool.gateway}, and not ${address}`;
      throw new CodedError('NR_OPTION_CONFLICT', what);
    }
    this.refuseUnusableGateway(pool, Address.parse(address));
    await store.commit([
      { key: state.pools.key(pool.id), value: record({ ...pool, gateway: address, gatewayGiven: true }) },
      this.change(this.#allocation(pool, address, 'gateway')),
    ]);
    return address;
  }

  /**
   * The host takes the gateway for an address of its own, so it must be nobody's that the host talks to.
   * @throws NR_ADDRESS_UNUSABLE, and NR_ADDRESS_RESERVED, NR_ADDRESS_IN_USE for one within the pool
   */
  refuseUnusableGateway(pool: Pool, address: Address): void {
    const inside = Prefix.parse(pool.prefix).contains(address);
    if (!inside && !isLinkLocal(address)) {
      const what = `the gateway ${address} is neither in the subnet ${pool.prefix} nor link-local`;
      throw new CodedError('NR_ADDRESS_UNUSABLE', what);
    }
    this.refuseClaimed(address);
    if (!inside) return;
    this.#usable({ ...pool, gatewayGiven: false }, address.toString());
    const standing = this.get(pool, address.toString());
    if (standing && standing.use !== 'gateway' && standing.use !== 'resting') {
      throw new CodedError('NR_ADDRESS_IN_USE', `${address} is in use`);
    }
  }

  /** @throws NR_ADDRESS_UNUSABLE for an address of the host or of its surroundings */
  refuseClaimed(address: Address): void {
    const claim = this.#context.claimed(address);
    if (claim) throw new CodedError('NR_ADDRESS_UNUSABLE', `${address} is ${claim}`);
  }

  /**
   * Docker needs the address no longer. One that a living endpoint has stays: the release is then of an earlier
   * holder whose end Docker has only noticed now. What a network has set apart goes with its pool: the release may be
   * for another network, which was refused.
   */
  async release(pool: Pool, text: string): Promise<void> {
    const address = Address.parse(text).toString();
    const standing = this.get(pool, address);
    const apart = standing?.use === 'gateway' || standing?.use === 'auxiliary';
    if (!standing || standing.use === 'resting' || (apart && this.#context.state.networkOf(pool.id))) {
      await this.#context.store.commit([]);
      return;
    }
    if (standing.use === 'endpoint') {
      const endpoint = this.#context.state.endpoints.get(standing.endpoint ?? '');
      if (endpoint && endpoint.phase !== 'left' && this.#context.alive(endpoint)) {
        this.#context.log.warn(
          { address, endpoint: endpoint.id },
          'release of an address that is in use is ignored',
        );
        return;
      }
      if (endpoint) {
        const { store, mark } = this.#context;
        await store.commit([...this.reap(endpoint), this.#rest(standing)]);
        mark(endpoint.id);
        return;
      }
    }
    await this.#context.store.commit([this.#rest(standing)]);
  }

  /** Changes that give an address, which Docker asked for, to its endpoint. @throws NR_ADDRESS_* */
  bind(pool: Pool, address: string, endpoint: string): Change[] {
    const standing = this.get(pool, address);
    const changes: Change[] = [];
    if (standing?.use === 'endpoint' && standing.endpoint !== endpoint)
      changes.push(...this.#reapOrRefuse(standing));
    else if (standing?.use !== 'held' && standing?.use !== 'endpoint') {
      throw new CodedError('NR_ADDRESS_NOT_HELD', `${address} was not asked for`);
    }
    return [...changes, this.change({ ...this.#allocation(pool, address, 'endpoint'), endpoint })];
  }

  /** Changes that take an address which Docker does not know of: an alias. @throws NR_ADDRESS_* */
  take(pool: Pool, text: string, endpoint: string): Change[] {
    const address = this.#usable(pool, text).toString();
    const standing = this.get(pool, address);
    const changes: Change[] = [];
    if (standing && standing.use !== 'resting' && standing.endpoint !== endpoint) {
      if (standing.use !== 'endpoint') throw new CodedError('NR_ADDRESS_IN_USE', `${address} is in use`);
      changes.push(...this.#reapOrRefuse(standing));
    }
    return [...changes, this.change({ ...this.#allocation(pool, address, 'endpoint'), endpoint })];
  }

  /** Changes for an endpoint that goes: what Docker asked for is held until it is released, aliases rest. */
  unbind(endpoint: Endpoint): Change[] {
    return this.#of(endpoint).map((allocation) =>
      endpoint.aliases.includes(allocation.address)
        ? this.#rest(allocation)
        : this.change({
            pool: allocation.pool,
            address: allocation.address,
            use: 'held',
            since: this.#context.clock.now(),
          }),
    );
  }

  /** Changes that remove an endpoint which Docker has forgotten, and free all it has. */
  reap(endpoint: Endpoint): Change[] {
    return [
      { key: this.#context.state.endpoints.key(endpoint.id) },
      ...this.#of(endpoint).map((allocation) => this.#rest(allocation)),
    ];
  }

  /** Changes that give a new pool's addresses to the endpoints that have them as aliases already. */
  cover(pool: Pool): Change[] {
    const { endpoints, networks } = this.#context.state;
    const prefix = Prefix.parse(pool.prefix);
    return [...endpoints.all()].flatMap(({ id, network, aliases }) =>
      networks.get(network)?.tenant !== pool.tenant
        ? []
        : aliases
            .filter((alias) => prefix.contains(Address.parse(alias)))
            .map((alias) => this.change({ ...this.#allocation(pool, alias, 'endpoint'), endpoint: id })),
    );
  }

  /** Changes that remove all records of a pool's addresses. */
  forget(pool: Pool): Change[] {
    return this.of(pool).map((allocation) => ({ key: this.#key(allocation) }));
  }

  get(pool: Pool, address: string): Allocation | undefined {
    return this.#context.state.allocations.get(`${pool.id}/${address}`);
  }

  of(pool: Pool): Allocation[] {
    return [...this.#context.state.allocations.all()].filter((allocation) => allocation.pool === pool.id);
  }

  change(allocation: Allocation): Change {
    return { key: this.#key(allocation), value: record(allocation) };
  }

  /** How many of the addresses that are given automatically there are, are given, and rest; how many others are given. */
  usage(pool: Pool) {
    return this.#spaces.usage(pool, this.#context.clock.now());
  }

  /** Changes that end the rest of addresses that have rested long enough, and free what nobody came for. */
  expired(now: number, heldMs: number): Change[] {
    const changes: Change[] = [];
    for (const allocation of this.#context.state.allocations.all()) {
      const age = now - allocation.since;
      if (allocation.use === 'resting' && age > this.#context.restMs)
        changes.push({ key: this.#key(allocation) });
      if (allocation.use === 'held' && age > heldMs) changes.push(this.#rest(allocation));
    }
    return changes;
  }

  #key({ pool, address }: Allocation): string {
    return this.#context.state.allocations.key(`${pool}/${address}`);
  }

  #of(endpoint: Endpoint): Allocation[] {
    const { state } = this.#context;
    const pools = [...state.pools.all()];
    const texts = [endpoint.address, endpoint.addressV6, ...endpoint.aliases].filter(
      (text) => text !== undefined,
    );
    return texts.flatMap((text) =>
      pools
        .map((pool) => this.get(pool, text))
        .filter((one) => one?.endpoint === endpoint.id)
        .filter((one) => one !== undefined),
    );
  }

  /** @throws NR_ADDRESS_IN_USE when the holder lives; else the changes that remove it */
  #reapOrRefuse(allocation: Allocation): Change[] {
    const endpoint = this.#context.state.endpoints.get(allocation.endpoint ?? '');
    if (!endpoint) return [];
    if (this.#context.alive(endpoint)) {
      throw new CodedError(
        'NR_ADDRESS_IN_USE',
        `${allocation.address} is held by endpoint ${endpoint.id.slice(0, 12)}`,
      );
    }
    return this.reap(endpoint);
  }

  /** What the automatic choice passes over: what the host or somebody in the fabric has, or was just asked for. */
  #unwanted(pool: Pool, address: Address): boolean {
    const text = address.toString();
    const staged = this.get(pool, text);
    if (staged && staged.use !== 'resting') return true;
    const { holder, claimed } = this.#context;
    return holder(address) !== undefined || text === pool.gateway || claimed(address) !== undefined;
  }

  #usable(pool: Pool, text: string): Address {
    const address = Address.parse(text);
    const prefix = Prefix.parse(pool.prefix);
    if (!prefix.contains(address)) {
      throw new CodedError('NR_ADDRESS_OUTSIDE', `${quote(text)} is not in the subnet ${prefix}`);
    }
    const why = this.#spaces.reservedFor(pool, address);
    if (why) throw reserved(address.toString(), why);
    if (pool.gatewayGiven && pool.gateway === address.toString()) throw reserved(pool.gateway, 'the gateway');
    return address;
  }

  #allocation(pool: Pool, address: string, use: Allocation['use']): Allocation {
    return { pool: pool.id, address, use, since: this.#context.clock.now() };
  }

  #rest({ pool, address }: Allocation): Change {
    return this.change({ pool, address, use: 'resting', since: this.#context.clock.now() });
  }

  #endpointsIn(changes: readonly Change[]): string[] {
    const { endpoints } = this.#context.state;
    return changes.map(({ key }) => endpoints.id(key)).filter((id) => id !== undefined);
  }

  async #commit(allocation: Allocation): Promise<void> {
    // Taken at once, so that the next call of this turn does not choose the same.
    this.#spaces.put(allocation);
    try {
      await this.#context.store.commit([this.change(allocation)]);
    } catch (error) {
      this.#spaces.drop(allocation, 0);
      throw error;
    }
  }
}

function reserved(address: string, what: string): CodedError {
  return new CodedError('NR_ADDRESS_RESERVED', `${address} is ${what} of the subnet`);
}
