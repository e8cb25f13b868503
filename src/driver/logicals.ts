import type { Creation } from '../cluster/protocol/names.ts';
import { CodedError } from '../errors.ts';
import { type Logical, type NetworkName, networkNameId } from '../model/logical.ts';
import { poolName } from '../model/pool.ts';
import { type Family, quote } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import type { Change } from '../ports/store.ts';
import type { Context } from './context.ts';
import { byName, differences, logicalOf, nameOf, prefixesOf, renamed, taken } from './logical.ts';
import { promised } from './promised.ts';
import { record } from './record.ts';
import { domainOf } from './spaces.ts';

/** How long a name that is not known is waited for, in milliseconds: gossip, and Docker's event, take a part of that. */
const HEARD_MS = 1500;

/** Networks as the cluster knows them: made and named by the treasury of their tenant, and gone with their pools. */
export class Logicals {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * The subnet that RequestPool means: that of the network that the user names, or the given one; none for an automatic.
   * @throws NR_NETWORK_NAME_UNKNOWN, NR_NETWORK_DIFFERS
   */
  async prefix(tenant: string, family: Family, name: string | undefined, given: Prefix | undefined) {
    if (name === undefined) return given;
    const { state } = this.#context;
    // A subnet makes it, and the other family's may be automatic then.
    const begun = () => given !== undefined || [...state.poolUses.all()].some((use) => use.network === name);
    if (!byName(state, tenant, name) && !begun()) await this.#heard(tenant, name);
    const logical = byName(state, tenant, name);
    if (!logical && begun()) return given;
    if (!logical) throw this.#unknown(tenant, name);
    const own = prefixesOf(logical).filter((prefix) => prefix.family === family);
    if (given === undefined && own[0]) return own[0];
    if (given && own.some((prefix) => prefix.equals(given))) return given;
    const has = own.map(String).join(', ') || `no IPv${family} subnet`;
    const remedy =
      own.length > 0
        ? `leave --subnet ${given} out`
        : `leave ${family === 6 ? '--ipv6' : 'IPv4'} out${family === 4 ? ', with --ipv4=false of Docker 28' : ''}`;
    throw new CodedError('NR_NETWORK_DIFFERS', `network ${name} has ${has}: ${remedy}`);
  }

  /**
   * Whether there is the network that RequestPool is to have a copy of, with the subnet: what has ended meanwhile is not
   * made again.
   * @throws NR_NETWORK_UNKNOWN, NR_OPTION_INVALID if the daemon does not have it made
   */
  refuseEnded(id: string, given: Prefix | undefined): void {
    const { state } = this.#context;
    this.#refuseUnasked(id);
    const logical = state.logicals.get(id);
    const pool = logical?.pools.find((one) => given && poolName(one).prefix === given.toString());
    if (!pool || !state.pools.get(pool)) throw ended(id);
  }

  /**
   * Whether pools are those of the network that a network is to be a copy of.
   * @throws NR_NETWORK_UNKNOWN, NR_OPTION_INVALID if the daemon does not have it made
   */
  refuseUnlike(id: string, pools: readonly string[]): void {
    this.#refuseUnasked(id);
    if (logicalOf(this.#context.state, pools)?.id !== id) throw ended(id);
  }

  /**
   * The logical network of a network that is created here: the one that has its pools, or a new one. With a name it is
   * called so.
   * @throws NR_NETWORK_DIFFERS, NR_NETWORK_NAME_TAKEN, NR_MEMBER_UNREACHABLE for a new one or a new name
   */
  async establish(wanted: Logical, name?: string): Promise<Logical> {
    const { state } = this.#context;
    const before = logicalOf(state, wanted.pools);
    if (!before) await this.#create(wanted, name);
    const logical = before ?? logicalOf(state, wanted.pools) ?? wanted;
    const differing = differences(logical, wanted);
    if (differing.length > 0) {
      const what = `network ${this.label(logical)} is not as asked for: ${differing.join('; ')}`;
      throw new CodedError('NR_NETWORK_DIFFERS', what);
    }
    if (name !== undefined) await this.call(logical, name);
    return logical;
  }

  /**
   * Gives a network its name, if it has none.
   * @throws NR_NETWORK_DIFFERS if it has another one, NR_NETWORK_NAME_TAKEN, NR_MEMBER_UNREACHABLE
   */
  async call(logical: Logical, name: string): Promise<void> {
    const { state, cluster } = this.#context;
    this.#refuseTaken(logical, name);
    const standing = nameOf(state, logical.id);
    if (standing === name) return;
    if (standing !== undefined) throw renamed(standing, name);
    const creation = { domain: domainOf(logical.tenant), records: [this.#naming(logical, name)] };
    await promised((done) => cluster.names.create(creation as Creation, done));
    this.#refuseTaken(logical, name); // somebody else was faster
  }

  /**
   * The hosts that have each network in their Docker, by its id, and whether somebody made it there. Read from disk, so
   * not for calls of Docker.
   */
  hosts(): Map<string, { readonly name: string; readonly byHand: boolean }[]> {
    const { state, store, cluster } = this.#context;
    const ids = new Map(
      [...state.logicals.all()].flatMap(({ id, pools }) => pools.map((pool) => [pool, id])),
    );
    const hosts = new Map<string, Map<string, boolean>>();
    for (const entry of store.all('network')) {
      const network = state.networks.read(entry);
      const id = ids.get(network?.pools.find((pool) => ids.has(pool)) ?? '');
      const [, host = ''] = entry.key.split('/');
      if (!network || id === undefined) continue;
      hosts.set(
        id,
        (hosts.get(id) ?? new Map()).set(cluster.members.nameOf(host), network.copy === undefined),
      );
    }
    return new Map(
      [...hosts].map(([id, names]) => [
        id,
        [...names].map(([name, byHand]) => ({ name, byHand })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      ]),
    );
  }

  /** What a network is called, or else its first subnet. */
  label(logical: Logical): string {
    return nameOf(this.#context.state, logical.id) ?? poolName(logical.id).prefix;
  }

  /** Changes for networks that go with a pool. */
  withPool(pool: string): Change[] {
    const { state } = this.#context;
    return [...state.logicals.all()]
      .filter(({ pools }) => pools.includes(pool))
      .flatMap((one) => this.#removal(one));
  }

  /**
   * Changes for what was left behind in the tenants that this host decides on: networks and names of nothing. What is
   * there and cannot be read, as of a later release, is not nothing.
   */
  orphans(): Change[] {
    const { state, cluster, store } = this.#context;
    if (cluster.standing.halted || cluster.standing.leaving) return [];
    const isOurs = (tenant: string) => cluster.ownership.treasury(domainOf(tenant)) === store.origin;
    const networks = [...state.logicals.all()].filter(
      ({ tenant, pools }) => isOurs(tenant) && !pools.some((id) => store.get(state.pools.key(id))),
    );
    const names = [...state.networkNames.all()].filter(
      ({ tenant, network }) => isOurs(tenant) && !store.get(state.logicals.key(network)),
    );
    return [
      ...networks.flatMap((one) => this.#removal(one)),
      ...names.map((one) => ({ key: this.#nameKey(one) })),
    ];
  }

  /** Waits until the name is known here: it may have been given on another host a moment ago. */
  #heard(tenant: string, name: string): Promise<void> {
    const { state, store, clock, cluster } = this.#context;
    if (cluster.members.present().length < 2) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        for (const stop of stops) stop();
        resolve();
      };
      const look = () => byName(state, tenant, name) && end();
      const stops = ['logical', 'network-name'].map((namespace) => store.observe(namespace, look));
      const cancel = clock.after(HEARD_MS, end);
    });
  }

  async #create(wanted: Logical, name: string | undefined): Promise<void> {
    const { state, cluster, log } = this.#context;
    const records = [{ key: state.logicals.key(wanted.id), value: record(wanted) }];
    if (name !== undefined) records.push(this.#naming(wanted, name));
    const creation = { domain: domainOf(wanted.tenant), records } as Creation;
    try {
      await promised((done) => cluster.names.create(creation, done));
    } catch (error) {
      // The pools stand, so that containers can have addresses; the rest is made up for in the background.
      const later =
        error instanceof CodedError && error.code === 'NR_MEMBER_UNREACHABLE' && name === undefined;
      if (!later) throw error;
      log.warn({ err: error, network: wanted.id }, 'the cluster does not know of a network yet');
    }
  }

  /** A copy is removed without being asked for: it must not be what somebody made. */
  #refuseUnasked(id: string): void {
    if (this.#context.making.has(id)) return;
    const what = `propagated=${quote(id)} is for the daemon, which is not creating this network now`;
    throw new CodedError('NR_OPTION_INVALID', what);
  }

  #removal(logical: Logical): Change[] {
    const { state } = this.#context;
    const names = [...state.networkNames.all()].filter(({ network }) => network === logical.id);
    return [{ key: state.logicals.key(logical.id) }, ...names.map((one) => ({ key: this.#nameKey(one) }))];
  }

  #naming({ id, tenant }: Logical, name: string) {
    const value: NetworkName = { tenant, name, network: id };
    return { key: this.#nameKey(value), value: record(value) };
  }

  #nameKey({ tenant, name }: NetworkName): string {
    return this.#context.state.networkNames.key(networkNameId(tenant, name));
  }

  #refuseTaken(wanted: Logical, name: string): void {
    const { state } = this.#context;
    const other = byName(state, wanted.tenant, name);
    if (other && !other.pools.some((id) => wanted.pools.includes(id))) throw taken(other, name);
  }

  #unknown(tenant: string, name: string): CodedError {
    const names = [...this.#context.state.networkNames.all()].filter((one) => one.tenant === tenant);
    const known = names.map((one) => one.name).sort();
    const some =
      known.length > 0 ? `known: ${known.slice(0, 20).join(', ')}` : 'there is none with a name yet';
    const what = `tenant ${tenant} has no network ${quote(name)} (${some})`;
    const remedy = known.length > 0 ? undefined : 'give --subnet to make the network';
    return new CodedError('NR_NETWORK_NAME_UNKNOWN', what, { remedy });
  }
}

function ended(id: string): CodedError {
  return new CodedError(
    'NR_NETWORK_UNKNOWN',
    `the cluster has no network ${quote(id)} with this subnet any more`,
  );
}
