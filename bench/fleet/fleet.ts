/** Many nodes on this machine, in a few processes. */
import { until } from '../../lab/wait.ts';
import type { Crew, Usage } from './protocol.ts';
import { RemoteProcess } from './remote.ts';

/** How long a fleet may take until all of its nodes know the same. */
const SETTLE_MS = 60_000;

export interface FleetOptions {
  /** See worker.ts. */
  readonly kind: string;
  /** One for each node. */
  readonly orders: readonly unknown[];
  readonly processes: number;
  /** Of each process, in turn. */
  readonly namespaces: readonly string[];
  /** Numbers of those that a node is told of at first. */
  readonly friends: (node: number) => readonly number[];
}

export class Fleet<C extends Crew> {
  readonly size: number;
  readonly processes: readonly RemoteProcess<C>[];
  /** Process and number within of each node. */
  readonly #nodes: readonly { readonly process: RemoteProcess<Crew>; readonly at: number }[];

  private constructor(
    processes: readonly RemoteProcess<C>[],
    nodes: readonly { readonly process: RemoteProcess<Crew>; readonly at: number }[],
  ) {
    this.processes = processes;
    this.#nodes = nodes;
    this.size = nodes.length;
  }

  /** Starts one and has its nodes meet. Nodes go to processes in turn. */
  static async start<C extends Crew>(options: FleetOptions): Promise<Fleet<C>> {
    const { kind, orders, processes: count, namespaces, friends } = options;
    const processes: RemoteProcess<C>[] = [];
    try {
      for (let at = 0; at < count; at++)
        processes.push(await RemoteProcess.start<C>(kind, namespaces[at % namespaces.length]!));
      const all = processes as readonly RemoteProcess<unknown>[] as readonly RemoteProcess<Crew>[];
      const nodes = orders.map((_, at) => ({ process: all[at % count]!, at: Math.floor(at / count) }));
      const places = await Promise.all(
        all.map(({ crew }, at) => crew.start(orders.filter((_, node) => node % count === at))),
      );
      const placeOf = (node: number) => places[node % count]![Math.floor(node / count)]!;
      const told = orders.map((_, node) => friends(node).map(placeOf));
      await Promise.all(all.map(({ crew }, at) => crew.meet(told.filter((_, node) => node % count === at))));
      return new Fleet(processes, nodes);
    } catch (error) {
      for (const process of processes) await process.end();
      throw error;
    }
  }

  /** Waits until all nodes have their connections and know the same. @throws with how far they have come */
  async settled(): Promise<void> {
    let states: readonly (string | undefined)[] = [];
    const isSettled = async () => {
      states = await this.states();
      return allAlike(states);
    };
    await until('all nodes know the same', isSettled, { timeoutMs: SETTLE_MS }).catch((error: Error) => {
      const linked = states.filter((state) => state !== undefined);
      const most = Math.max(
        ...[...Map.groupBy(linked, (state) => state).values()].map(({ length }) => length),
      );
      throw new Error(
        `${error.message}: ${linked.length} of ${this.size} are linked, and ${most} of these alike`,
      );
    });
  }

  get #all(): readonly RemoteProcess<Crew>[] {
    return [...new Set(this.#nodes.map(({ process }) => process))];
  }

  async states(): Promise<(string | undefined)[]> {
    return (await Promise.all(this.#all.map(({ crew }) => crew.states()))).flat();
  }

  /**
   * Makes a change on a node.
   * @returns milliseconds until the last node has seen it; undefined if one has not within `patienceMs`
   */
  async visible(node: number, name: string, patienceMs: number): Promise<number | undefined> {
    const { process, at } = this.#nodes[node]!;
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    let missing = this.#all.length;
    let last = 0;
    for (const one of this.#all)
      one.seen = (seen, when) => {
        if (seen !== name) return;
        last = Math.max(last, when);
        if (--missing === 0) resolve(last);
      };
    const timer = setTimeout(resolve, patienceMs, undefined);
    const started = await process.crew.change(at, name);
    const ended = await promise;
    clearTimeout(timer);
    return ended === undefined ? undefined : ended - started;
  }

  /** Processor time and memory of all processes together. */
  async usage(): Promise<Usage> {
    const all = await Promise.all(this.#all.map(({ crew }) => crew.usage()));
    return {
      processorMs: all.reduce((sum, { processorMs }) => sum + processorMs, 0),
      rss: all.reduce((sum, { rss }) => sum + rss, 0),
    };
  }

  async end(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.end()));
  }
}

export function allAlike(states: readonly (string | undefined)[]): boolean {
  return states[0] !== undefined && states.every((state) => state === states[0]);
}

/** The one before, so that all hang together, and others by chance: so many altogether. */
export function atRandom(degree: number): (node: number) => number[] {
  return (node) => {
    const others = new Set<number>();
    if (node > 0) others.add(node - 1);
    while (others.size < Math.min(degree, node)) others.add(Math.floor(Math.random() * node));
    return [...others];
  };
}
