import { asCoded, CodedError } from '../errors.ts';
import type { Logical } from '../model/logical.ts';
import type { Network } from '../model/network.ts';
import { isNetworkName, PROPAGATED } from '../model/options.ts';
import { poolName } from '../model/pool.ts';
import type { DockerNetworks, ListedNetwork } from '../ports/docker.ts';
import type { Change } from '../ports/store.ts';
import type { Context } from './context.ts';
import { type Copies, planCopies } from './copies.ts';
import { logicalOf, nameOf } from './logical.ts';
import { Obstacles } from './obstacles.ts';
import { record } from './record.ts';
import { Soonest } from './soonest.ts';

/** By which Docker's users know a network that the daemon has made; its value is the logical network's id. */
const LABEL = 'net-routed.propagated';
/** Many changes of records make one pass, in milliseconds after the first. */
const SETTLE_MS = 200;
/** The same for events of Docker, which there are with each container. */
const EVENT_MS = 1000;
/** How often it looks without being told, in milliseconds. */
const EVERY_MS = 30_000;

/** So many records that cannot be read are named. */
const SHOWN = 5;
/** Stands for dockerd as a whole among the obstacles. */
const DOCKER = '';

/** What stands in the way of a network. */
export interface Obstacle {
  /** What it is called. */
  readonly network: string;
  readonly error: CodedError;
}

/**
 * Has this host's Docker make the networks that other hosts of the cluster have, and remove them when the last one is
 * gone that somebody made by hand. Always in the background, one after the other.
 */
export class Propagation {
  readonly #context: Context;
  readonly #docker: DockerNetworks;
  readonly #makes: boolean;
  readonly #obstacles: Obstacles;
  readonly #stops: (() => void)[] = [];
  readonly #ending = new AbortController();
  readonly #soonest: Soonest;
  /** Who has networks that were made by hand, by pool, as of the pass that goes on. */
  #makers:
    | { readonly byPool: ReadonlyMap<string, readonly string[]>; readonly unread: readonly string[] }
    | undefined;
  /** Networks in Docker without a record, that a daemon has made. */
  #strays: readonly ListedNetwork[] = [];
  /** Networks that stay because of records that cannot be read. */
  #held: readonly Obstacle[] = [];
  /** Docker has been asked once for what an earlier run left. */
  #looked = false;
  #running: Promise<void> | undefined;
  /** This host is about to leave the cluster: nothing is made, and all goes that was. */
  #leaves = false;

  /** `makes`: whether networks of others are made here. Those that are here go in any case. */
  constructor(context: Context, docker: DockerNetworks, makes: boolean) {
    this.#context = context;
    this.#docker = docker;
    this.#makes = makes;
    this.#obstacles = new Obstacles(context.clock);
    this.#soonest = new Soonest(context.clock, () => this.#run());
  }

  start(): void {
    const { store, cluster } = this.#context;
    const soon = () => this.#soonest.within(SETTLE_MS);
    for (const namespace of ['logical', 'network-name', 'pool', 'space', 'gone', 'member'])
      this.#stops.push(store.observe(namespace, soon));
    this.#stops.push(
      store.observe('network', ({ key, before, after }) => {
        const { networks } = this.#context.state;
        const isCopy = [before, after].every((entry) => !entry || networks.read(entry)?.copy !== undefined);
        // What others have as copies changes nothing here.
        if (!isCopy || networks.id(key) !== undefined) soon();
      }),
      // Only what is in the way of something is Docker's: there is an event with each container.
      this.#docker.watch(() => {
        if (this.#obstacles.hurry()) this.#soonest.within(EVENT_MS);
      }),
    );
    cluster.standing.whenStarted(soon);
    soon();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#soonest.close();
    for (const stop of this.#stops) stop();
    await this.#running;
  }

  /** What stands in the way of networks, for longer than a moment. */
  get obstacles(): readonly Obstacle[] {
    return [...this.#obstacles.lasting(), ...this.#held];
  }

  /**
   * Has all go that it has made, as this host is about to leave the cluster. Nothing goes while there is something that
   * a person has to remove, and nothing is made again until what this answers is called.
   * @throws NR_MEMBER_IN_USE with the networks that are left, NR_DOCKER_UNAVAILABLE, NR_STORE_FAILED
   */
  async vacate(): Promise<() => void> {
    const back = () => {
      this.#leaves = false;
      this.#soonest.within(SETTLE_MS);
    };
    this.#leaves = true;
    try {
      while (this.#running) await this.#running;
      const { networks } = this.#context.state;
      const isTheirs = ({ id, copy }: Network) => copy === undefined || this.#containersOf(id) > 0;
      this.#refuseLeft([...networks.all()].filter(isTheirs));
      if ([...networks.all()].length > 0) await this.#passNow();
      this.#refuseLeft([...networks.all()]);
      return back;
    } catch (error) {
      back();
      throw error;
    }
  }

  /** Does what there is to do now, as far as it can be done. @throws NR_DOCKER_UNAVAILABLE, NR_STORE_FAILED */
  async pass(): Promise<void> {
    this.#makers = undefined;
    const done = new Set<string>();
    let listed: readonly ListedNetwork[] | undefined;
    for (;;) {
      const copies = this.#copies();
      await this.#record(copies, listed);
      this.#held = this.#heldBy(copies);
      if (listed) this.#strays = listed.filter((one) => this.#isStray(one));
      const step = this.#mayChange() ? this.#next(copies, listed, done) : undefined;
      this.#obstacles.keep([
        ...copies.make.map(({ logical }) => logical.id),
        ...[...copies.remove, ...this.#strays].map(({ id }) => id),
        DOCKER,
      ]);
      if (!step || this.#ending.signal.aborted) return;
      done.add(step.key);
      if (listed && step.work) await this.#attempt(step.key, step.name, step.work);
      listed = await this.#docker.listed();
      this.#looked = true;
    }
  }

  /** A pass that waits for nothing, nor is any other one made meanwhile. */
  async #passNow(): Promise<void> {
    this.#obstacles.keep([]);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = promise;
    try {
      await this.pass();
    } finally {
      this.#running = undefined;
      resolve();
    }
  }

  /** @throws NR_MEMBER_IN_USE if there are any */
  #refuseLeft(left: readonly Network[]): void {
    const { state } = this.#context;
    if (left.length === 0) return;
    const names = left.map(({ id, pools }) => {
      const logical = logicalOf(state, pools);
      const name = (logical && nameOf(state, logical.id)) ?? id.slice(0, 12);
      const count = this.#containersOf(id);
      const why =
        count > 0
          ? `with ${count === 1 ? '1 container' : `${count} containers`}`
          : this.#obstacles.of(id)?.what;
      return why === undefined ? name : `${name} (${why})`;
    });
    const what = `this host has ${left.length === 1 ? '1 network' : `${left.length} networks`}: ${names.sort().join(', ')}`;
    throw new CodedError('NR_MEMBER_IN_USE', what);
  }

  #containersOf(network: string): number {
    return this.#context.state.endpointsOf(network).length;
  }

  /** What this host is to have, by what is known now. */
  #copies(): Copies {
    const { state, cluster } = this.#context;
    if (this.#leaves) {
      const remove = [...state.networks.all()].filter(({ copy }) => copy !== undefined);
      return { make: [], remove, held: [], write: [], forget: [] };
    }
    const makers = this.#whoMade();
    const logicals = [...state.logicals.all()];
    const names = new Map<string, string>();
    for (const { id } of logicals) {
      const name = nameOf(state, id);
      if (name !== undefined && isNetworkName(name)) names.set(id, name);
    }
    const copies = planCopies({
      logicals,
      names,
      makers: makers.byPool,
      isForgotten: (host) => cluster.members.gone(host)?.how === 'forgotten',
      isFirst: (network) => this.#isFirst(network),
      here: [...state.networks.all()],
      declined: [...state.declined.all()],
      isSure: this.#unread().length === 0,
      makes: this.#makes,
    });
    const isWhole = ({ pools }: Logical) =>
      pools.every((id) => cluster.spaces.get(state.pools.get(id)?.space ?? '') !== undefined);
    return { ...copies, make: copies.make.filter(({ logical }) => isWhole(logical)) };
  }

  #whoMade() {
    if (this.#makers) return this.#makers;
    const byPool = new Map<string, string[]>();
    const unread = new Set<string>();
    for (const { host, network } of this.#everywhere()) {
      if (!network) unread.add(`a network of host ${this.#context.cluster.members.nameOf(host)}`);
      if (!network || network.copy !== undefined) continue;
      for (const pool of network.pools) byPool.set(pool, [...(byPool.get(pool) ?? []), host]);
    }
    this.#makers = { byPool, unread: [...unread] };
    return this.#makers;
  }

  /** Records that cannot be read, of those that tell which networks have ended. */
  #unread(): string[] {
    const { state, store } = this.#context;
    const logicals = [...store.list('logical')].filter((entry) => !state.logicals.read(entry));
    return [...this.#whoMade().unread, ...logicals.map(({ key }) => key)];
  }

  #heldBy({ held }: Copies): Obstacle[] {
    if (held.length === 0) return [];
    const { state } = this.#context;
    const unread = this.#unread();
    const some = unread.slice(0, SHOWN).join(', ') + (unread.length > SHOWN ? ', …' : '');
    return held.map(({ id, pools }) => {
      const logical = logicalOf(state, pools);
      const what = `by what is known here it has ended; it stays, as records cannot be read: ${some}`;
      const name = logical && nameOf(state, logical.id);
      return { network: name ?? id.slice(0, 12), error: new CodedError('NR_PROPAGATE_UNREADABLE', what) };
    });
  }

  #isFirst({ pools }: Network): boolean {
    const { cluster, store } = this.#context;
    const holders = new Set(
      [...this.#everywhere()]
        .filter(({ network }) => network?.pools.some((pool) => pools.includes(pool)))
        .map(({ host }) => host),
    );
    return cluster.members.present().find(({ id }) => holders.has(id))?.id === store.origin;
  }

  /** The networks of all members; without the network where its record cannot be read. */
  *#everywhere(): Iterable<{ readonly host: string; readonly network: Network | undefined }> {
    const { state, store, cluster } = this.#context;
    for (const entry of store.all('network')) {
      const [, host = ''] = entry.key.split('/');
      if (!cluster.members.gone(host)) yield { host, network: state.networks.read(entry) };
    }
  }

  /** A host that gives nothing cannot have a network made, and one that has no say knows too little to remove one, unless it leaves. */
  #mayChange(): boolean {
    if (this.#leaves) return true;
    try {
      this.#context.cluster.standing.mayGive();
      return true;
    } catch {
      return false;
    }
  }

  /** Writes down what follows from what is known, of Docker too. */
  async #record({ write, forget }: Copies, listed: readonly ListedNetwork[] | undefined): Promise<void> {
    const { state, store } = this.#context;
    const known = new Set(listed?.map(({ id }) => id));
    const written = new Map(write.map((network) => [network.id, network]));
    for (const network of state.networks.all()) {
      const one = written.get(network.id) ?? network;
      if (one.copy === 'making' && known.has(one.id)) written.set(one.id, { ...one, copy: 'kept' });
    }
    const changes = [
      ...[...written.values()].map((network) => this.#change(network)),
      ...forget.map((id) => ({ key: state.declined.key(id) })),
    ];
    if (changes.length > 0) await store.commit(changes);
  }

  /** What to do next, if something is due; without work, to ask Docker what it has. */
  #next(
    { make, remove }: Copies,
    listed: readonly ListedNetwork[] | undefined,
    done: ReadonlySet<string>,
  ): { readonly key: string; readonly name: string; readonly work?: () => Promise<void> } | undefined {
    const { state } = this.#context;
    const isDue = (key: string) => !done.has(key) && this.#obstacles.isDue(key);
    const isMaking = [...state.networks.all()].some(({ copy }) => copy === 'making');
    const due = make.some(({ logical }) => isDue(logical.id)) || remove.some(({ id }) => isDue(id));
    const isUnseen = isMaking || !this.#looked || this.#obstacles.someDue;
    if (!listed) return due || isUnseen ? { key: DOCKER, name: '' } : undefined;
    const names = new Map(listed.map(({ id, name }) => [id, name]));
    for (const network of remove)
      if (isDue(network.id))
        return {
          key: network.id,
          name: names.get(network.id) ?? network.id.slice(0, 12),
          work: () => this.#remove(network),
        };
    for (const { id, name } of this.#strays)
      if (isDue(id))
        return { key: id, name, work: async () => void (await this.#docker.remove(id, this.#signal)) };
    for (const { logical, name } of make)
      if (isDue(logical.id)) return { key: logical.id, name, work: () => this.#make(logical, name, listed) };
    return undefined;
  }

  /** Whether a daemon has made it whose state is gone: nobody has its addresses. */
  #isStray({ id, ours, labels }: ListedNetwork): boolean {
    const { state, store } = this.#context;
    return ours && labels[LABEL] !== undefined && !store.get(state.networks.key(id));
  }

  get #signal(): AbortSignal {
    return this.#ending.signal;
  }

  async #make(logical: Logical, name: string, listed: readonly ListedNetwork[]): Promise<void> {
    const other = listed.find((one) => one.name === name);
    if (other) {
      const subnets = logical.pools.map((id) => poolName(id).prefix).join(', ');
      const what = `that of ${subnets} is not here, as Docker has another one of this name: ${other.id.slice(0, 12)}`;
      throw new CodedError('NR_PROPAGATE_NAME', what);
    }
    const { making, log } = this.#context;
    making.add(logical.id);
    try {
      const id = await this.#docker.create(specOf(logical, name), this.#signal);
      log.info({ network: id, name, logical: logical.id }, 'made a network of the cluster');
    } finally {
      making.delete(logical.id);
    }
  }

  async #remove(network: Network): Promise<void> {
    const { store, state, log } = this.#context;
    if (!state.networks.get(network.id)) return;
    // Before Docker is told, so that its call is not taken for that of a person.
    if (network.copy !== 'ending') await store.commit([this.#change({ ...network, copy: 'ending' })]);
    const logical = logicalOf(state, network.pools);
    if (await this.#docker.remove(network.id, this.#signal))
      log.info({ network: network.id, logical: logical?.id }, 'removed a network that has ended');
  }

  async #attempt(key: string, name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#obstacles.passed(key);
    } catch (error) {
      const coded = asCoded(error);
      if (coded.code === 'NR_DOCKER_UNAVAILABLE' || coded.code === 'NR_STORE_FAILED') throw coded;
      this.#obstacles.met(key, name, coded);
      this.#context.log.debug(
        { err: coded, network: name },
        'a network of the cluster is not as it is to be',
      );
    }
  }

  #change(network: Network): Change {
    return { key: this.#context.state.networks.key(network.id), value: record(network) };
  }

  #run(): void {
    if (this.#running) return this.#soonest.within(SETTLE_MS);
    if (!this.#obstacles.isDue(DOCKER)) return this.#soonest.within(EVENT_MS);
    this.#running = this.pass()
      .then(() => this.#obstacles.passed(DOCKER))
      .catch((error: unknown) => {
        if (this.#signal.aborted) return;
        // It shows in `status` as the comparison's, which asks the same.
        this.#obstacles.met(DOCKER, 'Docker', asCoded(error));
        this.#context.log.debug({ err: asCoded(error) }, 'could not look after the networks of the cluster');
      })
      .finally(() => {
        this.#running = undefined;
        this.#soonest.within(Math.max(this.#obstacles.next() ?? EVERY_MS, EVENT_MS));
      });
  }
}

function specOf({ id, pools, mtu, internal }: Logical, name: string) {
  return {
    name,
    subnets: pools.map((pool) => poolName(pool).prefix),
    internal,
    options: { ...(mtu !== undefined && { mtu: String(mtu) }), [PROPAGATED]: id },
    ipamOptions: { [PROPAGATED]: id },
    labels: { [LABEL]: id },
  };
}
