import { CodedError } from '../../src/errors.ts';
import type { DockerNetwork, DockerNetworks, ListedNetwork, NetworkSpec } from '../../src/ports/docker.ts';

/** What dockerd asks of our drivers for a network; it may fail, and then Docker takes back what it has done. */
export interface Calls {
  requestPool(call: { pool: string; options: Record<string, string>; v6: boolean }): Promise<string>;
  createNetwork(call: {
    network: string;
    options: Record<string, string>;
    internal: boolean;
    subnets: readonly string[];
  }): Promise<void>;
  releasePool(pool: string): Promise<void>;
  deleteNetwork(network: string): Promise<void>;
}

const NOBODY: Calls = {
  requestPool: async ({ pool }) => pool,
  createNetwork: async () => {},
  releasePool: async () => {},
  deleteNetwork: async () => {},
};

interface Kept extends ListedNetwork {
  readonly pools: readonly string[];
}

/** dockerd's networks in memory. It calls the drivers in the order in which dockerd does. */
export class MemoryDocker implements DockerNetworks {
  /** Its process has ended: nobody answers. */
  away = false;
  /** It ends when the drivers have been asked for the next network, which it does not know then. */
  dies = false;
  /** Endpoints by the network's id. */
  readonly connected = new Map<string, number>();
  /** How often it was to remove a network with containers. */
  refusals = 0;
  readonly #calls: Calls;
  readonly #networks = new Map<string, Kept>();
  readonly #listeners = new Set<() => void>();
  #count = 0;
  readonly #prefix: string;

  constructor(calls: Calls = NOBODY, prefix = 'd') {
    this.#calls = calls;
    this.#prefix = prefix;
  }

  async listed(): Promise<readonly ListedNetwork[]> {
    this.#answers();
    return [...this.#networks.values()].map(({ pools: _, ...network }) => network);
  }

  /** As the port of the comparison has it. */
  async networks(): Promise<readonly DockerNetwork[]> {
    this.#answers();
    return [...this.#networks.values()]
      .filter(({ ours }) => ours)
      .map(({ id, name }) => ({ id, name, endpoints: [] }));
  }

  async create(spec: NetworkSpec): Promise<string> {
    this.#answers();
    if ([...this.#networks.values()].some(({ name }) => name === spec.name))
      throw new CodedError('NR_PROPAGATE_NAME', `network with name ${spec.name} already exists`);
    const id = `${this.#prefix}${++this.#count}`;
    const { name, options, internal, subnets, ipamOptions, labels } = spec;
    const pools: string[] = [];
    try {
      for (const pool of subnets)
        pools.push(
          await this.#calls.requestPool({ pool, options: { ...ipamOptions }, v6: pool.includes(':') }),
        );
      await this.#calls.createNetwork({ network: id, options: { ...options }, internal, subnets });
    } catch (error) {
      for (const pool of pools) await this.#calls.releasePool(pool);
      throw new CodedError('NR_PROPAGATE_REFUSED', (error as Error).message);
    }
    if (this.dies) this.#die();
    this.#networks.set(id, { id, name, ours: true, labels, pools });
    this.#tell();
    return id;
  }

  async remove(id: string): Promise<boolean> {
    this.#answers();
    const network = this.#networks.get(id);
    if (!network) return false;
    if ((this.connected.get(id) ?? 0) > 0) {
      this.refusals++;
      throw new CodedError('NR_PROPAGATE_IN_USE', `network ${network.name} has active endpoints`);
    }
    for (const pool of network.pools) await this.#calls.releasePool(pool);
    await this.#calls.deleteNetwork(id);
    this.#networks.delete(id);
    this.#tell();
    return true;
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A network of another driver. */
  foreign(name: string): string {
    const id = `${this.#prefix}${++this.#count}`;
    this.#networks.set(id, { id, name, ours: false, labels: {}, pools: [] });
    this.#tell();
    return id;
  }

  /** What `docker network rm` of a network does, whoever's it is. */
  async rm(name: string): Promise<void> {
    const found = [...this.#networks.values()].find((one) => one.name === name);
    if (!found) throw new Error(`there is no network ${name}`);
    await this.remove(found.id);
  }

  /** A container has come or gone. */
  connect(name: string, count: number): void {
    for (const network of this.#networks.values())
      if (network.name === name) this.connected.set(network.id, count);
    this.#tell();
  }

  /** The names of the networks, in order. */
  get names(): string[] {
    return [...this.#networks.values()].map(({ name }) => name).sort();
  }

  #answers(): void {
    if (this.away) throw new CodedError('NR_DOCKER_UNAVAILABLE', 'nobody answers');
  }

  #die(): never {
    this.dies = false;
    this.away = true;
    throw new CodedError('NR_DOCKER_UNAVAILABLE', 'the connection broke off');
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
