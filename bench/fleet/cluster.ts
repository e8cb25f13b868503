/** Nodes of a cluster: the shipped ClusterNode on TLS connections and SQLite files. Real time, no daemon around it. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { systemClock } from '../../src/clock.ts';
import { ClusterNode } from '../../src/cluster/node/node.ts';
import { certifiedTrust } from '../../src/cluster/node/trust.ts';
import { CLUSTER_CLASSES } from '../../src/cluster/protocol/namespaces.ts';
import { NAMESPACES } from '../../src/plan/namespaces.ts';
import { vectorHash } from '../../src/store/crdt/vector.ts';
import type { Range } from '../../src/store/gossip/messages.ts';
import { JournalStore } from '../../src/store/journal.ts';
import { identityOf } from '../../src/store/trust/identity.ts';
import { inFlight, timed } from '../flight.ts';
import { allocating, poolOf } from './addresses.ts';
import { churn } from './churn.ts';
import { log } from './log.ts';
import { type Crew, now, type Place, type Seen } from './protocol.ts';
import { type Sent, sent } from './sent.ts';

/** The namespaces of a daemon's store. */
export const CLASSES = new Map([...CLUSTER_CLASSES, ...NAMESPACES]);
const REST_MS = 60_000;
/** Links of a node before it counts as being there, if there are so many others. */
const LINKS = 2;

/** A node that is to be started. */
export interface Order {
  /** PEM of its key, and of the certificates. */
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
  readonly file: string;
  readonly address: string;
  /** What makes all of them members; nothing for the one that has written it. */
  readonly founding: Range;
  readonly members: number;
}

class Node {
  readonly store: JournalStore;
  readonly seeds: Place[] = [];
  readonly members: number;
  running!: ClusterNode;
  allocate: (() => Promise<string>) | undefined;

  constructor(store: JournalStore, members: number) {
    this.store = store;
    this.members = members;
  }

  get isLinked(): boolean {
    const links = [...this.running.connections.peers.values()].filter(({ isLinked }) => isLinked);
    return links.length >= Math.min(LINKS, this.members - 1);
  }
}

/** How many allocations a second, and how long each took in milliseconds. */
export interface Allocated {
  readonly rate: number;
  readonly ms: readonly number[];
}

export class ClusterCrew implements Crew {
  readonly #nodes: Node[] = [];
  readonly #seen: Seen;
  #load: NodeJS.Timeout | undefined;
  #done = 0;

  constructor(seen: Seen) {
    this.#seen = seen;
  }

  async start(orders: readonly Order[]): Promise<Place[]> {
    for (const order of orders) this.#nodes.push(await this.#start(order));
    return this.#nodes.map(({ running }) => running.place!);
  }

  async meet(places: readonly (readonly Place[])[]): Promise<void> {
    for (const [at, node] of this.#nodes.entries()) node.seeds.push(...places[at]!);
  }

  states(): (string | undefined)[] {
    return this.#nodes.map((node) => (node.isLinked ? vectorHash(node.store.vector) : undefined));
  }

  /** Vectors alike, whoever is linked with whom. */
  hashes(): string[] {
    return this.#nodes.map(({ store }) => vectorHash(store.vector));
  }

  change(at: number, name: string): number {
    const { store } = this.#nodes[at]!;
    const started = now();
    void store.commit([{ key: `endpoint/${store.origin}/${name}`, value: { name } }]);
    return started;
  }

  /** Every node begins to write and remove records, so many of them a second, each in a commit of its own. */
  churn(rate: number): void {
    const contents = this.#nodes.map(({ store }) => churn(store.origin));
    const started = now();
    let due = 0;
    this.#load = setInterval(() => {
      for (; due < ((now() - started) / 1000) * rate; due++)
        for (const [at, { store }] of this.#nodes.entries())
          store.commit([contents[at]!()]).then(() => {
            this.#done++;
          }, fail);
    }, 1);
  }

  /** Ends that. @returns how many changes were made, all of which are durable */
  async calm(): Promise<number> {
    clearInterval(this.#load);
    await Promise.all(this.#nodes.map(({ store }) => store.commit([])));
    return this.#done;
  }

  /** Bytes that this process has given to TLS so far, by kind of message. */
  sent(): Sent[] {
    return sent();
  }

  /** Makes the pool that addresses are allocated from. */
  async pool(at: number): Promise<void> {
    await this.#nodes[at]!.store.commit(poolOf());
  }

  /** Has addresses allocated on a node as Docker has them, so many in flight. */
  async allocate(at: number, parallel: number, count: number): Promise<Allocated> {
    const node = this.#nodes[at]!;
    node.allocate ??= allocating(node.running, REST_MS);
    const { allocate } = node;
    const ms: number[] = [];
    const all = await inFlight(parallel, count, async () => {
      ms.push(await timed(allocate));
    });
    return { rate: (count / all) * 1000, ms };
  }

  async stop(): Promise<void> {
    clearInterval(this.#load);
    await Promise.all(this.#nodes.map(({ running }) => running.stop()));
    await Promise.all(this.#nodes.map(({ store }) => store.close()));
  }

  async #start({ key, file, address, founding, members, ...pems }: Order): Promise<Node> {
    const identity = identityOf(createPrivateKey(key));
    const store = new JournalStore({ file, origin: identity.id, classes: CLASSES, report: fail });
    store.merge([founding]);
    const node = new Node(store, members);
    node.running = await ClusterNode.start({
      identity,
      name: identity.id.slice(0, 8),
      trust: certifiedTrust({
        identity,
        certificates: {
          certificate: new X509Certificate(pems.certificate),
          authority: new X509Certificate(pems.authority),
        },
        authority: () => undefined,
        clock: systemClock,
        log,
      }),
      replica: store,
      clock: systemClock,
      random: Math.random,
      log,
      listen: { address, port: 0 },
      seeds: node.seeds,
      methods: new Map(),
      rules: { restMs: REST_MS, isUsed: () => true },
    });
    store.observe('endpoint', ({ key: changed, after }) => {
      if (after) this.#seen(changed.slice(changed.lastIndexOf('/') + 1));
    });
    return node;
  }
}

/** A change that fails would make the others look fast. */
function fail(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
