import { asCoded } from '../errors.ts';
import { isNetworkName } from '../model/options.ts';
import type { Docker } from '../ports/docker.ts';
import type { Context } from './context.ts';
import { byName, logicalFrom, logicalOf, nameOf } from './logical.ts';
import type { Logicals } from './logicals.ts';
import { Soonest } from './soonest.ts';

/** Docker tells of a network a little before it lists it, in milliseconds. */
const SETTLE_MS = 200;
/** How often what could not be done is tried again, in milliseconds. */
const EVERY_MS = 30_000;

/**
 * Tells the cluster in the background what CreateNetwork could not: the names that Docker has for networks, and networks
 * of which the cluster has no record.
 */
export class Naming {
  readonly #context: Context;
  readonly #logicals: Logicals;
  readonly #docker: Docker;
  /** Docker's names by its ids, which never change. */
  readonly #names = new Map<string, string>();
  readonly #stops: (() => void)[] = [];
  readonly #soonest: Soonest;
  #running: Promise<void> | undefined;

  constructor(context: Context, logicals: Logicals, docker: Docker) {
    this.#context = context;
    this.#logicals = logicals;
    this.#docker = docker;
    this.#soonest = new Soonest(context.clock, () => this.#run());
  }

  start(): void {
    this.#stops.push(this.#docker.watch(() => this.#soonest.within(SETTLE_MS)));
    this.#soonest.within(SETTLE_MS);
  }

  async close(): Promise<void> {
    this.#soonest.close();
    for (const stop of this.#stops) stop();
    await this.#running;
  }

  /** Does what there is to do now. What the treasury refuses, or cannot be asked, is left for another time. */
  async pass(): Promise<void> {
    const { state } = this.#context;
    for (const network of [...state.networks.all()])
      if (!logicalOf(state, network.pools))
        await this.#attempt(network.id, () => this.#logicals.establish(logicalFrom(network)));
    if (this.#nameless().some(({ id }) => !this.#names.has(id))) {
      const listed = await this.#docker.networks();
      this.#names.clear();
      for (const { id, name } of listed) this.#names.set(id, name);
    }
    for (const { id, logical } of this.#nameless()) {
      const name = this.#names.get(id);
      if (name === undefined || !isNetworkName(name) || byName(state, logical.tenant, name)) continue;
      await this.#attempt(id, () => this.#logicals.call(logical, name));
    }
  }

  /** Networks of this host that the cluster has no name for. */
  #nameless() {
    const { state } = this.#context;
    return [...state.networks.all()].flatMap(({ id, pools }) => {
      const logical = logicalOf(state, pools);
      return logical && nameOf(state, logical.id) === undefined ? [{ id, logical }] : [];
    });
  }

  async #attempt(network: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.log.debug({ err: asCoded(error), network }, 'could not tell the cluster of a network');
    }
  }

  #run(): void {
    if (this.#running) return this.#soonest.within(SETTLE_MS);
    this.#running = this.pass()
      .catch((error: unknown) => {
        this.#context.log.debug({ err: asCoded(error) }, 'could not ask Docker for the names of networks');
      })
      .finally(() => {
        this.#running = undefined;
        this.#soonest.within(EVERY_MS);
      });
  }
}
