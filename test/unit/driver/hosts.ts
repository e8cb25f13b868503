import type { Context } from '../../../src/driver/context.ts';
import { Driver } from '../../../src/driver/driver.ts';
import { Janitor } from '../../../src/driver/janitor.ts';
import { Naming } from '../../../src/driver/naming.ts';
import { Regain } from '../../../src/driver/regain.ts';
import { PoolSpaces } from '../../../src/driver/spaces.ts';
import type { Address } from '../../../src/net/address.ts';
import { State } from '../../../src/plan/state.ts';
import type { DockerNetwork } from '../../../src/ports/docker.ts';
import type { MemoryStore } from '../../../src/store/memory.ts';
import { Hosts } from '../cluster/world.ts';
import { contextOf } from './world.ts';

/** Hosts h1, h2, ... of one cluster with their drivers. The first one has the treasury. */
export class Drivers {
  readonly hosts: Hosts;
  readonly #spaces = new Map<MemoryStore, { state: State; spaces: PoolSpaces }>();
  /** What keeps containers of a host from an address, by host and address. */
  readonly claims = new Map<string, string>();
  readonly #drivers: {
    driver: Driver;
    janitor: Janitor;
    naming: Naming;
    context: Context;
    regain: Regain;
    docker: DockerNetwork[];
    dead: Set<string>;
  }[] = [];

  constructor(count: number, spread = 0n) {
    this.hosts = new Hosts(count, (store) => {
      const state = new State(store);
      const spaces = new PoolSpaces(store, state);
      this.#spaces.set(store, { state, spaces });
      return spaces;
    });
    for (const [at, { store, cluster }] of this.hosts.nodes.entries()) {
      const { state, spaces } = this.#spaces.get(store)!;
      const { context, dead } = contextOf(store, state, cluster, spaces, this.hosts.time);
      const clock = { now: () => this.hosts.time.now, after: this.hosts.after };
      const claimed = (address: Address) => this.claims.get(`${at + 1} ${address}`);
      const own = { ...context, clock, spread, claimed };
      const driver = new Driver(own);
      const docker: DockerNetwork[] = [];
      const dockerd = { networks: async () => docker, watch: () => () => {} };
      const janitor = new Janitor(context, driver, dockerd);
      const naming = new Naming(context, driver.logicals, dockerd);
      const regain = new Regain(context, driver);
      this.#drivers.push({ driver, janitor, naming, regain, context: own, docker, dead });
    }
  }

  driver(host: number): Driver {
    return this.#drivers[host - 1]!.driver;
  }

  context(host: number): Context {
    return this.#drivers[host - 1]!.context;
  }

  /** The endpoint has ended, and Docker has not said so. */
  die(host: number, endpoint: string): void {
    this.#drivers[host - 1]!.dead.add(endpoint);
  }

  state(host: number): State {
    return this.#spaces.get(this.store(host))!.state;
  }

  store(host: number): MemoryStore {
    return this.hosts.at(host - 1).store;
  }

  /** What a call of Docker on a host is answered, or the error's text. */
  async say<T>(host: number, call: (driver: Driver) => Promise<T>): Promise<T> {
    return this.hosts.until(call(this.driver(host)));
  }

  /** The text of the error that a call ends with. */
  async refused(host: number, call: (driver: Driver) => Promise<unknown>): Promise<string> {
    return this.say(host, call).then(
      () => 'it was not refused',
      (error: Error) => error.message,
    );
  }

  /** Creates the network `nHOST` as dockerd does. */
  async network(
    host: number,
    pool: string,
    more: { range?: string; gateway?: string; aux?: readonly string[] } = {},
  ): Promise<string> {
    const { id, gateway } = await this.say(host, (driver) =>
      driver.requestPool({ pool, subPool: more.range, options: {}, v6: false }),
    );
    const ask = (address: string, isGateway: boolean) =>
      this.say(host, (driver) => driver.requestAddress({ pool: id, address, gateway: isGateway }));
    if (more.gateway) await ask(more.gateway, true);
    for (const address of more.aux ?? []) await ask(address, false);
    const auxAddresses = Object.fromEntries((more.aux ?? []).map((one, at) => [`a${at}`, `${one}/32`]));
    const ipv4 = [
      {
        addressSpace: 'net-routed',
        pool,
        gateway: more.gateway ? `${more.gateway}/32` : gateway,
        auxAddresses,
      },
    ];
    await this.say(host, (driver) =>
      driver.createNetwork({ network: `n${host}`, options: {}, internal: false, ipv4, ipv6: [] }),
    );
    this.hosts.gossip();
    return id;
  }

  /** An address for a container, given by the driver unless it is named. */
  async address(host: number, pool: string, address?: string): Promise<string> {
    const given = await this.say(host, (driver) => driver.requestAddress({ pool, address, gateway: false }));
    return given.address.replace('/32', '');
  }

  async endpoint(host: number, id: string, address: string, options: Record<string, string> = {}) {
    await this.say(host, (driver) =>
      driver.createEndpoint({ network: `n${host}`, endpoint: id, address: `${address}/32`, options }),
    );
    this.hosts.gossip();
  }

  /** Has a host tell the cluster what its Docker calls networks. */
  async name(host: number, names: Readonly<Record<string, string>>): Promise<void> {
    const { naming, docker } = this.#drivers[host - 1]!;
    docker.splice(0, docker.length);
    for (const [id, name] of Object.entries(names)) docker.push({ id, name, endpoints: [] });
    await this.hosts.until(naming.pass());
    this.hosts.gossip();
  }

  /** Has a host ask once for what its containers had before it was forgotten. */
  async regain(host: number): Promise<void> {
    await this.hosts.until(this.#drivers[host - 1]!.regain.pass());
    this.hosts.gossip();
  }

  /** One sweep of a host's janitor, with Docker listing its networks, or those named, and endpoints. */
  async sweep(host: number, listed?: readonly string[]): Promise<void> {
    const { janitor, docker } = this.#drivers[host - 1]!;
    const state = this.state(host);
    const networks = (listed ?? [...state.networks.all()].map(({ id }) => id)).map((id) => ({
      id,
      name: id,
      endpoints: state.endpointsOf(id).map((one) => ({ id: one.id, container: one.id, name: one.id })),
    }));
    docker.splice(0, docker.length, ...networks);
    await this.hosts.until(janitor.sweep());
    this.hosts.gossip();
  }
}
