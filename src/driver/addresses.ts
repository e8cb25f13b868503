import type { Grant } from '../cluster/protocol/claims.ts';
import { CodedError } from '../errors.ts';
import { addressesOf, confirmed, type Endpoint } from '../model/endpoint.ts';
import type { Allocation, Pool } from '../model/pool.ts';
import { Address, quote } from '../net/address.ts';
import { isLinkLocal } from '../net/special.ts';
import { Ages, wallOf } from '../ports/clock.ts';
import type { Change } from '../ports/store.ts';
import { Choice } from './choice.ts';
import type { Context } from './context.ts';
import { promised } from './promised.ts';
import { record } from './record.ts';
import { placeOf, prefixOf, reservedIn } from './spaces.ts';
import { usersOf } from './uses.ts';

/** An address of a pool. */
export interface Place {
  readonly pool: Pool;
  readonly address: string;
}

/** One that no endpoint is to have. */
export interface Apart extends Place {
  readonly use: 'gateway' | 'auxiliary';
}

/** Addresses of pools: asked for, bound to endpoints, released, left to rest. */
export class Addresses {
  readonly choice: Choice;
  readonly #context: Context;
  readonly #ages: Ages;

  constructor(context: Context) {
    this.#context = context;
    this.#ages = new Ages(context.clock);
    this.choice = new Choice(context);
  }

  /** An address of the driver's choice, durable. @throws as Choice.take */
  async choose(pool: Pool): Promise<string> {
    const taken = await this.choice.take(pool, (address) => this.#unwanted(pool, address));
    const address = taken.toString();
    try {
      this.#refuseGone(pool);
      await this.#context.store.commit([this.change(this.#allocation({ pool, address }, 'held'))]);
    } catch (error) {
      this.choice.allocator(pool).free(placeOf(pool, taken), 0);
      throw error;
    }
    return address;
  }

  /**
   * The address that the user asked for, durable. Asked for again before an endpoint has it, it is the same one.
   * @throws NR_ADDRESS_INVALID, NR_ADDRESS_OUTSIDE, NR_ADDRESS_RESERVED, NR_ADDRESS_IN_USE, NR_MEMBER_UNREACHABLE
   */
  async request(pool: Pool, text: string): Promise<string> {
    const { state, store, clock } = this.#context;
    const address = this.#usable(pool, text).toString();
    // Docker asks for the auxiliary addresses like for any before it creates the network: another host has them then.
    const isSetApart = pool.auxiliary.includes(address);
    if (isSetApart && !state.networkOf(pool.id)) {
      await store.commit([]);
      return address;
    }
    const standing = this.get(pool, address);
    if (isSetApart || standing?.use === 'gateway' || standing?.use === 'auxiliary')
      throw reserved(address, `the ${isSetApart ? 'auxiliary' : standing?.use} one`);
    if (!isTaken(standing)) {
      await this.#claim({ pool, address }, () => this.#allocation({ pool, address }, 'held'));
      return address;
    }
    const dead = this.#deadHolder(standing);
    const { endpoint: _, ...kept } = standing;
    const held = this.change({ ...kept, use: 'held', since: wallOf(clock) });
    await store.commit([...dead.flatMap((endpoint) => this.reap(endpoint, [standing])), held]);
    for (const { id } of dead) this.#context.mark(id);
    return address;
  }

  /**
   * The gateway that the user named with --gateway, else the pool's own. Asked for again, it is the same one.
   * @throws as request(), and NR_OPTION_CONFLICT when a network has the pool with another gateway
   */
  async gateway(pool: Pool, text: string | undefined): Promise<string> {
    if (text === undefined) return pool.gateway;
    const address = this.#usable({ ...pool, gatewayGiven: false }, text).toString();
    if (pool.gatewayGiven && pool.gateway === address) {
      await this.#context.store.commit([]);
      return address;
    }
    this.refuseUnusableGateway(pool, Address.parse(address));
    const { pools } = this.#context.state;
    await this.setApart([{ pool, address, use: 'gateway' }], () => {
      this.#refuseOtherGateway(pool, Address.parse(address));
      return [{ key: pools.key(pool.id), value: record(withGateway(pool, address)) }];
    });
    return address;
  }

  /**
   * The host takes the gateway for an address of its own, so it must be nobody's that the host talks to.
   * @throws NR_OPTION_CONFLICT when a network has the pool with another gateway; NR_ADDRESS_UNUSABLE;
   * NR_ADDRESS_RESERVED, NR_ADDRESS_IN_USE for one within the pool that something else has
   */
  refuseUnusableGateway(pool: Pool, address: Address): void {
    this.#refuseOtherGateway(pool, address);
    const inside = prefixOf(pool).contains(address);
    if (!inside && !isLinkLocal(address)) {
      const what = `the gateway ${address} is neither in the subnet ${pool.prefix} nor link-local`;
      throw new CodedError('NR_ADDRESS_UNUSABLE', what);
    }
    this.refuseClaimed(address);
    if (!inside) return;
    this.#usable({ ...pool, gatewayGiven: false }, address.toString());
    const standing = this.get(pool, address.toString());
    if (isTaken(standing) && standing.use !== 'gateway')
      throw new CodedError('NR_ADDRESS_IN_USE', `${address} is in use`);
  }

  /** @throws NR_ADDRESS_UNUSABLE for an address of the host or of its surroundings */
  refuseClaimed(address: Address): void {
    const claim = this.#context.claimed(address);
    if (claim) throw new CodedError('NR_ADDRESS_UNUSABLE', `${address} is ${claim}`);
  }

  /** What uses a pool on other hosts, in words; undefined for nothing. Reads from disk. */
  usedElsewhere(pool: Pool): string | undefined {
    const { store, cluster } = this.#context;
    const other = usersOf(store, pool.id).find((host) => host !== store.origin);
    return other === undefined ? undefined : `host ${cluster.members.nameOf(other)}`;
  }

  /**
   * Takes addresses that no endpoint is to have, and writes `also` with the last of them. What this host has asked for
   * already is set apart now; what it has not is asked for, and only then `also` is called, as much may have happened
   * meanwhile. All or none.
   * @throws NR_ADDRESS_IN_USE, NR_MEMBER_UNREACHABLE, and what `also` throws
   */
  async setApart(places: readonly Apart[], also: () => readonly Change[]): Promise<void> {
    const missing = places.filter((place) => !this.has(place));
    const undo = missing.length > 0 ? await this.hold(missing) : () => {};
    const { store, clock, mark } = this.#context;
    try {
      for (const { pool } of places) this.#refuseGone(pool);
      const standing = places.map((place) => ({ ...place, at: this.get(place.pool, place.address) }));
      const dead = standing.flatMap(({ at }) => (at?.use === 'endpoint' ? this.#deadHolder(at) : []));
      const apart = standing.map(({ use, at, ...place }) => {
        const { endpoint: _, ...kept } = at ?? this.#allocation(place, use);
        return this.change({ ...kept, use, since: wallOf(clock) });
      });
      const but = standing.flatMap(({ at }) => at ?? []);
      const ended = [...new Set(dead)].flatMap((endpoint) => this.reap(endpoint, but));
      await store.commit([...ended, ...apart, ...also()]);
      for (const { id } of dead) mark(id);
    } catch (error) {
      await undo();
      throw error;
    }
  }

  /**
   * Asks for addresses, all or none, durable. `shared`: whoever has them already may, if all of them share them.
   * @returns the way to give them back as if nothing had been
   * @throws NR_ADDRESS_IN_USE, NR_MEMBER_UNREACHABLE
   */
  async hold(places: readonly Place[], shared = false): Promise<() => Promise<void>> {
    const { store, log } = this.#context;
    const before: { readonly place: Place; readonly standing: Allocation | undefined }[] = [];
    const undo = async () => {
      const changes = before.flatMap(({ place, standing }) => this.#unheld(place, standing));
      // Docker is to hear what was wrong in the first place; what stays held is freed by the janitor.
      await store.commit(changes).catch((error) => log.warn({ err: error }, 'could not give addresses back'));
    };
    try {
      for (const place of places) {
        const standing = this.get(place.pool, place.address);
        await this.#claim(place, () => this.#allocation(place, 'held'));
        before.push({ place, standing });
        const held = this.get(place.pool, place.address);
        if (held?.shared && !shared) throw this.#sharedBy(place);
      }
    } catch (error) {
      await undo();
      throw error;
    }
    return undo;
  }

  /**
   * Docker needs the address no longer. One that a living endpoint has stays: the release is then of an earlier
   * holder whose end Docker has only noticed now. What a network has set apart goes with its pool: the release may be
   * for another network, which was refused.
   */
  async release(pool: Pool, text: string): Promise<void> {
    const { state, store, alive, mark, log } = this.#context;
    const address = Address.parse(text).toString();
    const standing = this.get(pool, address);
    const isApart = standing?.use === 'gateway' || standing?.use === 'auxiliary';
    if (!isTaken(standing) || (isApart && state.networkOf(pool.id))) {
      await store.commit([]);
      return;
    }
    const endpoint = standing.use === 'endpoint' ? state.endpoints.get(standing.endpoint ?? '') : undefined;
    if (endpoint && endpoint.phase !== 'left' && alive(endpoint)) {
      log.warn({ address, endpoint: endpoint.id }, 'release of an address that is in use is ignored');
      return;
    }
    await store.commit(endpoint ? this.reap(endpoint) : this.#rest(standing));
    if (endpoint) mark(endpoint.id);
  }

  /** Whether others share an address that was asked for: who binds it has to share it as well. */
  isShared({ pool, address }: Place): boolean {
    const standing = this.get(pool, address);
    return standing?.use === 'held' && standing.shared === true;
  }

  /**
   * Gives such an address back, for an endpoint that does not share it: nobody knew of the endpoint when the address was
   * asked for. @returns the error for it
   */
  async giveBack(place: Place): Promise<CodedError> {
    const refusal = this.#sharedBy(place);
    const standing = this.get(place.pool, place.address);
    if (standing) await this.#context.store.commit(this.#rest(standing));
    return refusal;
  }

  /**
   * Changes that give addresses, which were asked for, to an endpoint, and remove those that had them and have ended.
   * `ended`: others to be removed with those.
   * @throws NR_ADDRESS_*
   */
  bind(places: readonly Place[], { id, anycast }: Endpoint, ended: readonly Endpoint[] = []): Change[] {
    const standing = places.map((place) => this.#bindable(place, anycast));
    const dead = standing.flatMap((one) => (one.endpoint === id ? [] : this.#deadHolder(one)));
    return [
      ...[...new Set([...dead, ...ended])].flatMap((endpoint) => this.reap(endpoint, standing)),
      ...standing.map((one) => this.#bound(one, id, anycast)),
    ];
  }

  /** @throws NR_ADDRESS_* for an address that Docker does not know of, an alias, and the endpoint cannot have */
  refuseAlias({ pool, address }: Place): void {
    this.#usable(pool, address);
    const standing = this.get(pool, address);
    if (pool.auxiliary.includes(address) || (isTaken(standing) && standing.use !== 'endpoint'))
      throw new CodedError('NR_ADDRESS_IN_USE', `${address} is in use`);
    if (isTaken(standing)) this.#deadHolder(standing);
  }

  /**
   * Gets an address for an endpoint that has had it as an alias since before there was a pool of it.
   * @throws as hold(), and NR_ENDPOINT_UNKNOWN when the endpoint has gone meanwhile
   */
  adopt(place: Place, id: string): Promise<void> {
    return this.#claim(place, (grant) => this.#adopted(place, id, grant));
  }

  /**
   * Gets an address again for an endpoint that had it before this host was forgotten. Asked again, over restarts too, it
   * is the same use of the address.
   * @throws as adopt()
   */
  regain(place: Place, id: string): Promise<void> {
    const { state, store } = this.#context;
    const also = () => {
      const endpoint = state.endpoints.get(id);
      return endpoint
        ? [{ key: state.endpoints.key(id), value: record(confirmed(endpoint, place.address)) }]
        : [];
    };
    const nonce = `${store.origin}-${id}-${place.address}`;
    return this.#claim(place, (grant) => this.#adopted(place, id, grant), { nonce, also });
  }

  /** Whether this host has the address for an endpoint, living or not, or has asked for it. */
  has({ pool, address }: Place): boolean {
    return isTaken(this.get(pool, address));
  }

  /** Changes for an endpoint that goes: what Docker asked for is held until it is released, aliases rest. */
  unbind(endpoint: Endpoint): Change[] {
    return this.#of(endpoint).flatMap((allocation) => {
      if (endpoint.aliases.includes(allocation.address)) return this.#rest(allocation);
      const { endpoint: _, ...kept } = allocation;
      return [this.change({ ...kept, use: 'held', since: wallOf(this.#context.clock) })];
    });
  }

  /** Changes that remove an endpoint which Docker has forgotten, and free all it has but what somebody else gets. */
  reap(endpoint: Endpoint, but: readonly Allocation[] = []): Change[] {
    return [
      { key: this.#context.state.endpoints.key(endpoint.id) },
      ...this.#of(endpoint)
        .filter((allocation) => !but.includes(allocation))
        .flatMap((allocation) => this.#rest(allocation)),
    ];
  }

  /**
   * Changes that free all of a pool's addresses, but those that endpoints of other networks have as aliases; `gone`: all
   * of them with its space, so that none has to rest.
   */
  forget(pool: Pool, gone: boolean): Change[] {
    const { allocations, endpoints, networks } = this.#context.state;
    const isAlias = ({ use, endpoint }: Allocation) => {
      const holder = use === 'endpoint' ? endpoints.get(endpoint ?? '') : undefined;
      return holder !== undefined && !networks.get(holder.network)?.pools.includes(pool.id);
    };
    const all = [...allocations.entries()].filter(([, one]) => one.pool === pool.id);
    if (gone) return all.map(([id]) => ({ key: allocations.key(id) }));
    return all.filter(([, one]) => isTaken(one) && !isAlias(one)).flatMap(([id, one]) => this.#rest(one, id));
  }

  /** What this host uses an address for. */
  get(pool: Pool, address: string): Allocation | undefined {
    return this.#context.state.allocations.get(idOf({ pool, address }));
  }

  change(allocation: Allocation, id = this.#id(allocation)): Change {
    return { key: this.#context.state.allocations.key(id), value: record(allocation) };
  }

  /** Changes that end the rest of addresses that have rested long enough, and free what nobody came for. */
  expired(heldMs: number): Change[] {
    const { restMs, state } = this.#context;
    const changes: Change[] = [];
    for (const [id, allocation] of state.allocations.entries()) {
      const age = this.#ages.of(allocation, allocation.since);
      if (allocation.use === 'resting' && age > restMs) changes.push({ key: state.allocations.key(id) });
      if (allocation.use === 'held' && age > heldMs) changes.push(...this.#rest(allocation, id));
    }
    return changes;
  }

  /** Of an allocation whose pool exists. */
  #id({ pool, address }: Allocation): string {
    const standing = this.#context.state.pools.get(pool);
    if (!standing) throw new CodedError('NR_POOL_UNKNOWN', `there is no pool ${quote(pool)}`);
    return idOf({ pool: standing, address });
  }

  /** @throws NR_OPTION_CONFLICT when a network, here or elsewhere, has the pool with another gateway */
  #refuseOtherGateway(pool: Pool, address: Address): void {
    const network = this.#context.state.networkOf(pool.id);
    const user = network ? `network ${network.id.slice(0, 12)}` : this.usedElsewhere(pool);
    if (!user) return;
    const what = `${user} has the gateway ${pool.gateway}, and not ${address}`;
    throw new CodedError('NR_OPTION_CONFLICT', what);
  }

  /** For a pool that was read before something was waited for. @throws NR_POOL_UNKNOWN when it was removed meanwhile */
  #refuseGone({ id, space }: Pool): void {
    if (this.#context.state.pools.get(id)?.space !== space)
      throw new CodedError('NR_POOL_UNKNOWN', `pool ${quote(id)} was removed meanwhile`);
  }

  #of(endpoint: Endpoint): Allocation[] {
    const pools = [...this.#context.state.pools.all()];
    return addressesOf(endpoint).flatMap((text) => {
      const address = Address.parse(text);
      return pools
        .filter((pool) => prefixOf(pool).contains(address))
        .map((pool) => this.get(pool, text))
        .filter((one) => one?.endpoint === endpoint.id)
        .filter((one) => one !== undefined);
    });
  }

  /** The endpoint that has an address and has ended, if there is one. @throws NR_ADDRESS_IN_USE when it lives */
  #deadHolder(allocation: Allocation): Endpoint[] {
    const endpoint = this.#context.state.endpoints.get(allocation.endpoint ?? '');
    if (!endpoint) return [];
    if (this.#context.alive(endpoint)) {
      throw new CodedError(
        'NR_ADDRESS_IN_USE',
        `${allocation.address} is held by endpoint ${endpoint.id.slice(0, 12)}`,
      );
    }
    return [endpoint];
  }

  #bindable(place: Place, anycast: boolean): Allocation {
    const standing = this.get(place.pool, place.address);
    if (standing?.use !== 'held' && standing?.use !== 'endpoint')
      throw new CodedError('NR_ADDRESS_NOT_HELD', `${place.address} was not asked for`);
    if (standing.shared && !anycast) throw this.#sharedBy(place);
    return standing;
  }

  #sharedBy({ pool, address }: Place): CodedError {
    const { claims, members } = this.#context.cluster;
    const others = claims.others(pool.space, placeOf(pool, Address.parse(address)));
    const hosts = others.map((id) => `host ${members.nameOf(id)}`).join(', ') || 'another host';
    const what = `${address} is shared with ${hosts}, and this endpoint does not share it (it has no anycast=true)`;
    return new CodedError('NR_ADDRESS_IN_USE', what);
  }

  /** What the automatic choice passes over: what the host or somebody in the fabric has, and what is set apart. */
  #unwanted(pool: Pool, address: Address): boolean {
    const text = address.toString();
    if (text === pool.gateway || pool.auxiliary.includes(text)) return true;
    const { holder, claimed } = this.#context;
    return holder(address) !== undefined || claimed(address) !== undefined;
  }

  #usable(pool: Pool, text: string): Address {
    const address = Address.parse(text);
    const prefix = prefixOf(pool);
    if (!prefix.contains(address)) {
      throw new CodedError('NR_ADDRESS_OUTSIDE', `${quote(text)} is not in the subnet ${prefix}`);
    }
    const why = reservedIn(prefix).find((one) => one.address.equals(address))?.why;
    if (why) throw reserved(address.toString(), why);
    if (pool.gatewayGiven && pool.gateway === address.toString()) throw reserved(pool.gateway, 'the gateway');
    return address;
  }

  #allocation({ pool, address }: Place, use: Allocation['use']): Allocation {
    return { pool: pool.id, address, use, since: wallOf(this.#context.clock) };
  }

  /** What an endpoint has by a grant. @throws NR_ENDPOINT_UNKNOWN, NR_ADDRESS_IN_USE */
  #adopted(place: Place, id: string, grant: Grant): Allocation {
    const endpoint = this.#context.state.endpoints.get(id);
    if (!endpoint)
      throw new CodedError('NR_ENDPOINT_UNKNOWN', `endpoint ${id.slice(0, 12)} has gone meanwhile`);
    if (grant.shared && !endpoint.anycast) throw this.#sharedBy(place);
    const bound = { ...this.#allocation(place, 'endpoint'), endpoint: id };
    return endpoint.anycast ? { ...bound, shared: true } : bound;
  }

  /**
   * Takes an address that this host does not use, or that rests. `also`: what is written with it; `nonce`: tells this
   * use of it from every other.
   */
  #claim(
    place: Place,
    use: (grant: Grant) => Allocation,
    more: { readonly nonce?: string; readonly also?: () => readonly Change[] } = {},
  ): Promise<void> {
    const { claims } = this.#context.cluster;
    const space = this.choice.space(place.pool);
    const value = placeOf(place.pool, Address.parse(place.address));
    const taken = (grant: Grant) => {
      this.#refuseGone(place.pool);
      return [this.change({ ...use(grant), ...granted(grant) }), ...(more.also?.() ?? [])];
    };
    return promised((done) => claims.claim(space, value, taken, done, more.nonce));
  }

  #bound(standing: Allocation, endpoint: string, anycast: boolean): Change {
    const { shared: _, ...kept } = standing;
    const since = wallOf(this.#context.clock);
    return this.change({ ...kept, use: 'endpoint', endpoint, since, ...(anycast && { shared: true }) });
  }

  /** Changes that free an address: it rests here, or with the host that has lent it. */
  #rest({ pool, address, nonce }: Allocation, id?: string): Change[] {
    const since = wallOf(this.#context.clock);
    const resting: Allocation = { pool, address, use: 'resting', since };
    const name = id ?? this.#id(resting);
    if (nonce === undefined) return [this.change(resting, name)];
    const [space = '', place = ''] = name.split('/');
    return this.#context.cluster.claims.release(space, BigInt(place));
  }

  /** Changes that give back what was asked for in vain. */
  #unheld(place: Place, before: Allocation | undefined): Change[] {
    const standing = this.get(place.pool, place.address);
    const id = idOf(place);
    if (standing?.use !== 'held') return [];
    if (standing.nonce !== undefined) return this.#rest(standing, id);
    return [before ? this.change(before, id) : { key: this.#context.state.allocations.key(id) }];
  }
}

/** Of a place's allocation. */
function idOf({ pool, address }: Place): string {
  return `${pool.space}/${placeOf(pool, Address.parse(address))}`;
}

/** Whether an address is in use, and does not only rest. */
function isTaken(allocation: Allocation | undefined): allocation is Allocation {
  return allocation !== undefined && allocation.use !== 'resting';
}

function granted({ nonce, shared }: Grant): Pick<Allocation, 'nonce' | 'shared'> {
  return { ...(nonce !== undefined && { nonce }), ...(shared && { shared }) };
}

function withGateway(pool: Pool, gateway: string): Pool {
  return { ...pool, gateway, gatewayGiven: true };
}

function reserved(address: string, what: string): CodedError {
  return new CodedError('NR_ADDRESS_RESERVED', `${address} is ${what} of the subnet`);
}
