import { randomBytes } from 'node:crypto';
import type { Creation } from '../cluster/protocol/names.ts';
import { asCoded, CodedError } from '../errors.ts';
import type { Network } from '../model/network.ts';
import { DEFAULT_TENANT, parseIpamOptions } from '../model/options.ts';
import { type Pool, type PoolUse, poolId, poolName } from '../model/pool.ts';
import { Address, type Family, quote, WIDTH } from '../net/address.ts';
import { linkLocalGateway } from '../net/linklocal.ts';
import { Prefix } from '../net/prefix.ts';
import { UNUSABLE } from '../net/special.ts';
import { same } from '../plan/tracker.ts';
import { wallOf } from '../ports/clock.ts';
import type { Change } from '../ports/store.ts';
import type { Addresses } from './addresses.ts';
import type { RequestPool } from './calls.ts';
import type { Context } from './context.ts';
import { Cover } from './cover.ts';
import { declines } from './declines.ts';
import type { Logicals } from './logicals.ts';
import { Owed } from './owed.ts';
import { promised } from './promised.ts';
import { record } from './record.ts';
import { domainOf, prefixOf, spaceChange } from './spaces.ts';
import { usersOf, uses } from './uses.ts';

/** Length of the prefixes that networks without --subnet get. */
const AUTOMATIC_LENGTH = { 4: 24, 6: 64 } as const;

/** How long the treasury keeps a pool that no host uses, in milliseconds: one may be about to. */
const UNUSED_MS = 60_000;
/** How many prefixes are tried for a network without --subnet, when other hosts are faster. */
const TRIES = 8;

/** Pools: the subnets of networks, asked for by Docker before it creates the network. */
export class Pools {
  readonly #context: Context;
  readonly #addresses: Addresses;
  readonly #logicals: Logicals;
  readonly #cover: Cover;
  readonly #owed: Owed;
  /** Those that a network is being made of. */
  readonly #becoming = new Set<string>();
  /** Since when no host uses a pool whose treasury is ours, in milliseconds. */
  readonly #unused = new Map<string, number>();

  constructor(context: Context, addresses: Addresses, logicals: Logicals) {
    this.#context = context;
    this.#addresses = addresses;
    this.#logicals = logicals;
    this.#cover = new Cover(context, addresses);
    this.#owed = new Owed(context.clock);
    context.store.observe('pool', ({ key, after }) => {
      const use = context.state.poolUses.get(context.state.pools.id(key) ?? '');
      if (use && !after) this.#restoreLogged(use);
    });
  }

  /** A pool by its id. @throws NR_POOL_UNKNOWN */
  get(id: string): Pool {
    const pool = this.#context.state.pools.get(id);
    if (!pool) throw new CodedError('NR_POOL_UNKNOWN', `there is no pool ${quote(id)}`);
    return pool;
  }

  /**
   * The pool that other hosts have, or a new one. The same again, while no network of this host has it, is the same
   * pool: Docker asked twice.
   * @throws NR_PREFIX_INVALID, NR_POOL_OVERLAP, NR_POOL_RANGE_INVALID, NR_POOLS_EXHAUSTED, NR_TENANT_UNKNOWN,
   * NR_NETWORK_NAME_UNKNOWN, NR_NETWORK_DIFFERS, NR_NETWORK_UNKNOWN for a copy, NR_OPTION_INVALID, NR_MEMBER_UNREACHABLE
   */
  async request(call: RequestPool): Promise<Pool> {
    const { tenant = DEFAULT_TENANT, network, propagated } = parseIpamOptions(call.options);
    if (tenant !== DEFAULT_TENANT)
      throw new CodedError('NR_TENANT_UNKNOWN', `there is no tenant ${quote(tenant)}`);
    const family: Family = call.v6 ? 6 : 4;
    const given = call.pool === undefined ? undefined : usable(call.pool, family);
    if (propagated !== undefined) this.#logicals.refuseEnded(propagated, given);
    const prefix = await this.#logicals.prefix(tenant, family, network, given);
    const range = call.subPool === undefined ? undefined : within(call.subPool, prefix);
    const { state, store, clock } = this.#context;
    for (;;) {
      const made = prefix ? await this.#named(tenant, prefix) : await this.#automatic(tenant, family);
      await this.#cover.pool(made);
      const pool = state.pools.get(made.id);
      // Meanwhile it may have been given back, or become another network's.
      if (pool?.space !== made.space || this.#isTaken(pool.id)) continue;
      await store.commit([
        this.#useChange(pool, { range: range?.toString(), network, since: wallOf(clock) }),
      ]);
      this.#addresses.choice.restock(pool);
      return pool;
    }
  }

  /** Gives the pool back, with all of its addresses. One that this host does not use is given back already. */
  async release(id: string): Promise<void> {
    const { state, store } = this.#context;
    const network = state.networkOf(id);
    // Not the owner's, but that of a network which was refused because of the owner.
    if (!state.poolUses.get(id) || (network && this.#owed.use(id))) {
      await store.commit([]);
      return;
    }
    const endpoints = network ? state.endpointsOf(network.id) : [];
    const living = endpoints.filter((endpoint) => this.#context.alive(endpoint));
    if (living.length > 0) {
      const names = living.map((endpoint) => endpoint.id.slice(0, 12)).join(', ');
      throw new CodedError('NR_POOL_IN_USE', `pool ${poolName(id).prefix} has the endpoints ${names}`);
    }
    const changes = [...endpoints.flatMap((endpoint) => this.#addresses.reap(endpoint)), ...this.unuse(id)];
    // Docker releases a network's pools before it deletes the network, whatever becomes of DeleteNetwork then.
    if (network?.pools.every((other) => other === id || !state.poolUses.get(other))) {
      changes.push({ key: state.networks.key(network.id) }, ...declines(this.#context, network));
    }
    for (const endpoint of endpoints) this.#context.mark(endpoint.id);
    await store.commit(changes);
  }

  /** Changes for a pool that this host uses no longer: it goes, if nobody else uses it and that is ours to say. */
  unuse(id: string): Change[] {
    const { state, store } = this.#context;
    this.#owed.forget(id);
    this.#becoming.delete(id);
    const pool = state.pools.get(id);
    const use = { key: state.poolUses.key(id) };
    if (!pool) return [use];
    const others = usersOf(store, id).some((host) => host !== store.origin);
    const gone = !others && this.#isOurs(pool);
    return [use, ...this.#addresses.forget(pool, gone), ...(gone ? this.#removal(pool) : [])];
  }

  /**
   * Removes pools that no host uses, if this host has their treasury; makes those again that are missing although they
   * are used, and gets chunks for those that are there. To be called from time to time.
   */
  async tidy(): Promise<void> {
    const { state, store, clock } = this.#context;
    const now = clock.now();
    const used = new Set([...uses(store)].map((use) => use.pool));
    const changes: Change[] = this.#logicals.orphans();
    for (const pool of state.pools.all()) {
      this.#cover.background(pool);
      if (used.has(pool.id) || !this.#isOurs(pool)) {
        this.#unused.delete(pool.id);
        if (used.has(pool.id)) changes.push(...this.#healed(pool));
        continue;
      }
      const since = this.#unused.get(pool.id) ?? now;
      this.#unused.set(pool.id, since);
      if (now - since >= UNUSED_MS)
        changes.push(...this.#addresses.forget(pool, true), ...this.#removal(pool));
    }
    for (const id of this.#unused.keys()) if (!state.pools.get(id)) this.#unused.delete(id);
    for (const use of state.poolUses.all()) {
      const pool = state.pools.get(use.pool);
      if (pool) this.#addresses.choice.restock(pool);
      else this.#restoreLogged(use);
    }
    if (changes.length > 0) await store.commit(changes);
  }

  /** Makes a network of pools, which nobody is given for another one meanwhile. */
  async become(ids: readonly string[], make: () => Promise<void>): Promise<void> {
    const begun = ids.filter((id) => !this.#becoming.has(id));
    for (const id of begun) this.#becoming.add(id);
    try {
      await make();
    } finally {
      for (const id of begun) this.#becoming.delete(id);
    }
  }

  #isTaken(id: string): boolean {
    return this.#becoming.has(id) || this.#context.state.networkOf(id) !== undefined;
  }

  /** The pool that CreateNetwork means by a CIDR. @throws NR_IPAM_FOREIGN */
  byPrefix(tenant: string, prefix: string): Pool {
    const id = poolId(tenant, prefix);
    const pool = this.#context.state.poolUses.get(id) && this.#context.state.pools.get(id);
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

  /** Changes that give back the pools of a network that is deleted, whose release was taken for that of a refused one. */
  unreleased(network: Network): Change[] {
    return network.pools.filter((id) => this.#owed.used(id)).flatMap((id) => this.unuse(id));
  }

  /** Changes that give a pool other attributes; none if it has them already. */
  change(pool: Pool): Change[] {
    const { state } = this.#context;
    const use = state.poolUses.get(pool.id);
    const change = { key: state.pools.key(pool.id), value: record(pool) };
    if (same(state.pools.get(pool.id), pool)) return [];
    return use ? [change, this.#useChange(pool, use)] : [change];
  }

  /** The pool with this prefix, made if there is none. */
  async #named(tenant: string, prefix: Prefix): Promise<Pool> {
    const { state, spaces } = this.#context;
    const id = poolId(tenant, prefix.toString());
    const standing = state.pools.get(id);
    if (standing) {
      if (this.#isTaken(id)) throw spaces.overlap(standing.prefix, standing);
      return this.#renewed(standing);
    }
    const other = spaces.overlapping(tenant, prefix);
    if (other) throw spaces.overlap(prefix.toString(), other);
    return this.#create(this.#fresh(tenant, prefix, false));
  }

  /** A pool that nobody uses is as if it were new. */
  async #renewed(pool: Pool): Promise<Pool> {
    const { state, store } = this.#context;
    if (usersOf(store, pool.id).length > 0) return pool;
    const { gateway, gatewayGiven, auxiliary, automatic } = this.#fresh(pool.tenant, prefixOf(pool), false);
    if (!pool.gatewayGiven && pool.auxiliary.length === 0) return pool;
    const renewed = { ...pool, gateway, gatewayGiven, auxiliary, automatic };
    await store.commit([{ key: state.pools.key(pool.id), value: record(renewed) }]);
    return renewed;
  }

  /**
   * The first free block, from a place that differs by host, so that hosts that ask at the same time seldom mean the
   * same one.
   */
  async #automatic(tenant: string, family: Family): Promise<Pool> {
    const refused: Prefix[] = [];
    for (;;) {
      const prefix = this.#freeBlock(family, refused);
      const wanted = this.#fresh(tenant, prefix, true);
      try {
        const made = await this.#create(wanted);
        if (made.space === wanted.space) return made;
      } catch (error) {
        if (asCoded(error).code !== 'NR_POOL_OVERLAP' || refused.length === TRIES) throw error;
      }
      // Somebody else has it, which was not known here.
      refused.push(prefix);
    }
  }

  #freeBlock(family: Family, refused: readonly Prefix[]): Prefix {
    const taken = [...[...this.#context.state.pools.all()].map(prefixOf), ...refused];
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

  /** A pool that there is not yet. */
  #fresh(tenant: string, prefix: Prefix, automatic: boolean): Pool {
    const id = poolId(tenant, prefix.toString());
    return {
      id,
      tenant,
      prefix: prefix.toString(),
      space: randomBytes(6).toString('hex'),
      gateway: this.#freeGateway(prefix.family, id),
      gatewayGiven: false,
      auxiliary: [],
      automatic,
      createdAt: wallOf(this.#context.clock),
    };
  }

  /** Has the treasury create the pool, with its space. @returns the one that stands, whoever made it */
  async #create(pool: Pool): Promise<Pool> {
    const { cluster, state } = this.#context;
    const name = { key: state.pools.key(pool.id), value: record(pool) };
    const creation = { domain: domainOf(pool.tenant), records: [name, spaceChange(pool)] } as Creation;
    await promised((done) => cluster.names.create(creation, done));
    return this.get(pool.id);
  }

  /**
   * Makes a pool again that this host uses: whoever removed it had not heard of that.
   * @throws NR_POOL_OVERLAP, NR_MEMBER_UNREACHABLE
   */
  async restore(use: PoolUse): Promise<void> {
    const { tenant, prefix } = poolName(use.pool);
    const { gateway, gatewayGiven, auxiliary, automatic } = use;
    const fresh = this.#fresh(tenant, Prefix.parse(prefix), automatic);
    await this.#create({ ...fresh, gateway, gatewayGiven, auxiliary });
    this.#context.log.info({ pool: use.pool }, 'made a pool again that is in use here');
  }

  #restoreLogged(use: PoolUse): void {
    this.restore(use).catch((error: unknown) => {
      this.#context.log.warn({ err: asCoded(error), pool: use.pool }, 'could not make a pool again');
    });
  }

  /** Whether this host alone decides about a pool, and nobody else has any of its addresses. */
  #isOurs({ space, tenant }: Pool): boolean {
    const { ownership, claims, standing } = this.#context.cluster;
    if (standing.halted || standing.leaving) return false;
    return ownership.isWhole(space, domainOf(tenant)) && !claims.isLending(space);
  }

  #removal(pool: Pool): Change[] {
    const { state, cluster } = this.#context;
    // The chunks one by one: whatever of their writes is still on its way loses against their end.
    const chunks = cluster.ownership.chunks(pool.space).map(({ key }) => ({ key }));
    const networks = this.#logicals.withPool(pool.id);
    return [{ key: state.pools.key(pool.id) }, { key: `space/${pool.space}` }, ...chunks, ...networks];
  }

  /** A pool that was written again after its removal has no space any more: it gets another one. */
  #healed(pool: Pool): Change[] {
    const { state, store } = this.#context;
    if (store.get(`space/${pool.space}`) || !this.#isOurs(pool)) return [];
    const again = { ...pool, space: randomBytes(6).toString('hex') };
    return [{ key: state.pools.key(pool.id), value: record(again) }, spaceChange(again)];
  }

  #useChange(pool: Pool, { range, network, since }: Pick<PoolUse, 'range' | 'network' | 'since'>): Change {
    const { state } = this.#context;
    const { gateway, gatewayGiven, auxiliary, automatic } = pool;
    const use: PoolUse = {
      pool: pool.id,
      range,
      network,
      gateway,
      gatewayGiven,
      auxiliary,
      automatic,
      since,
    };
    return { key: state.poolUses.key(pool.id), value: record(use) };
  }

  #freeGateway(family: Family, id: string): string {
    const taken = new Set([...this.#context.state.pools.all()].map((pool) => pool.gateway));
    for (let attempt = 0; ; attempt++) {
      const gateway = linkLocalGateway(family, id, attempt).toString();
      if (!taken.has(gateway)) return gateway;
    }
  }
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

function within(text: string, prefix: Prefix | undefined): Prefix {
  const range = Prefix.parse(text);
  if (!prefix?.contains(range)) {
    throw new CodedError(
      'NR_POOL_RANGE_INVALID',
      `the range ${range} is not within ${prefix ?? 'a subnet that is given, too'}`,
    );
  }
  return range;
}
