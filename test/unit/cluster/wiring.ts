/** Nodes that talk over connections: in memory, or over TLS of this machine. Time stands still but in `until`. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Gossip } from '../../../src/cluster/gossip/gossip.ts';
import { Connections } from '../../../src/cluster/links/connections.ts';
import { Cluster } from '../../../src/cluster/protocol/cluster.ts';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import type { Place } from '../../../src/net/place.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { decode, encode } from '../../../src/store/gossip/frames.ts';
import type { Message } from '../../../src/store/gossip/messages.ts';
import { type Connection, DialError, type Transport } from '../../../src/store/gossip/transport.ts';
import { Splitter } from '../../../src/store/gossip/wire/splitter.ts';
import { MemoryDisk, MemoryStore } from '../../../src/store/memory.ts';
import { ManualClock } from '../store/manualclock.ts';
import { sealerOf } from './sealed.ts';

export const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
const FRAME_MAX = 4 * 1024 * 1024;

/** One end of a connection in memory. */
export class MemoryConnection implements Connection {
  readonly peer: string;
  readonly dialed: boolean;
  readonly remote = 'memory';
  readonly self: string;
  buffered = 0;
  /** Nothing that is sent arrives, and nobody notices. */
  isDead = false;
  reason: string | undefined;
  other!: MemoryConnection;
  readonly sent: Message['kind'][] = [];
  readonly #ends: ((reason: string) => void)[] = [];
  readonly #early: Uint8Array[] = [];
  #handler: ((message: Message) => void) | undefined;

  constructor(self: string, peer: string, dialed: boolean) {
    this.self = self;
    this.peer = peer;
    this.dialed = dialed;
  }

  send(message: Message): void {
    this.sent.push(message.kind);
    this.sendBytes(encode(message, this.self));
  }

  sendBytes(bytes: Uint8Array): void {
    const { other } = this;
    if (this.reason === undefined && !this.isDead) process.nextTick(() => other.#arrive(bytes));
  }

  onMessage(call: (message: Message) => void): void {
    this.#handler = call;
    for (const bytes of this.#early.splice(0)) this.#arrive(bytes);
  }

  onClose(call: (reason: string) => void): void {
    this.#ends.push(call);
  }

  close(reason: string): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.#handler = undefined;
    process.nextTick(() => {
      for (const call of this.#ends.splice(0)) call(reason);
      if (!this.isDead) this.other.close('closed');
    });
  }

  #arrive(bytes: Uint8Array): void {
    if (this.reason !== undefined) return;
    if (!this.#handler) {
      this.#early.push(bytes);
      return;
    }
    try {
      for (const frame of new Splitter(FRAME_MAX).push(bytes)) {
        const message = decode(frame, this.peer);
        if (message) this.#handler?.(message);
      }
    } catch (error) {
      this.close(error instanceof Error ? error.name : 'unhandled');
    }
  }
}

/** Who can be dialled, by port; all have one address. */
export class MemoryNetwork {
  readonly connections: MemoryConnection[] = [];
  readonly #nodes = new Map<number, { id: string; connected: (connection: Connection) => void }>();
  /** Dials so far, from and to. */
  readonly dials: string[] = [];
  /** What is dialled waits for this. */
  hold: Promise<void> | undefined;
  /** Whether two ids get through to each other. */
  reaches: (from: string, to: string) => boolean = () => true;

  transport(id: string, port: number): Transport {
    return {
      id,
      listen: () => Promise.reject(new Error('not in memory')),
      dial: async (_address, to, expected) => {
        const there = this.#nodes.get(to);
        this.dials.push(`${id[0]}>${there?.id[0]}`);
        await setImmediate();
        await this.hold;
        if (!there || !this.reaches(id, there.id)) throw new DialError('unreachable', 'nobody is there');
        if (expected !== undefined && there.id !== expected) throw new DialError('identity', 'another one');
        const [here, far] = this.pair(id, there.id);
        there.connected(far);
        return here;
      },
      onConnection: (connected) => void this.#nodes.set(port, { id, connected }),
      close: async () => {
        this.#nodes.delete(port);
        for (const connection of this.connections) if (connection.self === id) connection.close('stopped');
      },
    };
  }

  pair(from: string, to: string): [MemoryConnection, MemoryConnection] {
    const [here, far] = [new MemoryConnection(from, to, true), new MemoryConnection(to, from, false)];
    here.other = far;
    far.other = here;
    this.connections.push(here, far);
    return [here, far];
  }

  /** Somebody has opened this connection to a node. */
  connect(to: string, connection: MemoryConnection): void {
    for (const { id, connected } of this.#nodes.values()) if (id === to) connected(connection);
  }

  /** Ends all that do not get through any more. */
  cut(reaches: (from: string, to: string) => boolean): void {
    this.reaches = reaches;
    for (const one of this.connections) if (!reaches(one.self, one.peer)) one.close('cut');
  }
}

export interface Wired {
  readonly id: string;
  readonly store: MemoryStore;
  readonly cluster: Cluster;
  readonly gossip: Gossip;
  readonly connections: Connections;
  readonly transport: Transport;
  readonly boot: string;
  stop(): Promise<void>;
}

export interface NodeOptions {
  readonly disk?: MemoryDisk;
  readonly boot?: string;
  readonly cluster?: string;
  readonly seeds?: readonly Place[];
  /** How far ahead its clock is, in milliseconds. */
  readonly aheadMs?: number;
  /** By how much its clock was set since, in milliseconds. */
  readonly setMs?: () => number;
  /** Of whom it takes that it is away. */
  readonly isAway?: (member: string) => boolean;
  /** It seals what it writes, and believes nothing that is not sealed. */
  readonly isSealed?: boolean;
}

/** Nodes, by their transports. */
export class Wiring {
  /** Real time, for what happens outside of this process; else one that stands still but in `until` and `pass`. */
  readonly clock: Clock;
  readonly #manual: ManualClock | undefined;
  readonly nodes: Wired[] = [];
  readonly warnings: object[] = [];
  /** How often somebody was refused, by reason. */
  readonly refused = new Map<string, number>();
  readonly places = new Map<string, Place>();
  #seed = 1;

  constructor(clock?: Clock) {
    this.#manual = clock ? undefined : new ManualClock(1_800_000_000_000);
    this.clock = clock ?? this.#manual!;
  }

  /** Starts a node; its start is on disk when this ends. */
  async node(transport: Transport, options: NodeOptions = {}): Promise<Wired> {
    const { disk = new MemoryDisk(transport.id), boot = `boot-${this.#seed}` } = options;
    // Whole milliseconds, as those of the clocks that ship: timers are due in between.
    const now = () => Math.floor(this.clock.now()) + (options.aheadMs ?? 0);
    const store = new MemoryStore({ disk, classes: CLUSTER_CLASSES, wallMs: now });
    if (options.isSealed) store.sealer = sealerOf(transport.id);
    const log = { warn: (what: object) => void this.warnings.push(what), info: () => {} };
    const wall = () => now() + (options.setMs?.() ?? 0);
    const ground = { timer: { now, wall, after: this.clock.after }, random: () => this.#random(), log };
    const connections = new Connections({
      transport,
      replica: store,
      ground,
      uuid: options.cluster ?? CLUSTER,
      placeOf: (member) => this.places.get(member),
      seeds: () => options.seeds ?? [],
      refused: (reason) => void this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1),
      founder: (): string | undefined => cluster.members.founder(),
      ...(options.isAway && { isAway: options.isAway }),
    });
    const whole = { ...ground, calls: connections };
    const cluster: Cluster = new Cluster({
      replica: store,
      ground: whole,
      boot,
      restMs: 60_000,
      isUsed: () => true,
      boots: (member) => connections.boots(member),
      links: () => gossip.peers,
    });
    const gossip: Gossip = new Gossip({ replica: store, cluster, ground: whole });
    connections.start(cluster, gossip);
    await store.commit([]); // the start is on disk before this
    const node: Wired = {
      id: transport.id,
      store,
      cluster,
      gossip,
      connections,
      transport,
      boot,
      stop: async () => {
        if (this.nodes.includes(node)) this.nodes.splice(this.nodes.indexOf(node), 1);
        connections.stop();
        gossip.stop();
        cluster.stop();
        store.kill();
        await transport.close();
      },
    };
    this.nodes.push(node);
    return node;
  }

  /** What makes these ids members, for a node to write. */
  members(ids: readonly string[]) {
    return ids.map((id, index) => ({
      key: `member/${id}`,
      value: { number: index + 1, key: id, complete: true, name: `h${index + 1}` },
    }));
  }

  /** Lets time pass until something is so. Gives up after so many milliseconds of that time. */
  async until(condition: () => boolean, ms = 60_000): Promise<void> {
    for (let passed = 0; !condition(); passed += 10) {
      if (passed > ms) throw new Error(`in vain: ${condition}`);
      await this.pass(10);
    }
  }

  /** Lets time pass, and what is due happen. */
  async pass(ms: number): Promise<void> {
    if (!this.#manual) return setTimeout(ms);
    for (let passed = 0; passed < ms; passed += 10) {
      this.#manual.pass(Math.min(10, ms - passed));
      for (let turn = 0; turn < 4; turn++) await setImmediate();
    }
  }

  async end(): Promise<void> {
    for (const node of [...this.nodes]) await node.stop();
  }

  /** From 0 to 1, the same in each run. */
  #random(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }
}

/** All know the same, durably. */
export function areAlike(nodes: readonly Wired[]): boolean {
  const [first, ...others] = nodes.map(({ store }) => JSON.stringify([...store.vector].sort()));
  return others.every((other) => other === first);
}

/** A request, and how it ends. */
export function asked(node: Wired, member: string, method: string, body: object, ms = 1000): Promise<string> {
  return new Promise((resolve) =>
    node.connections.ask(member, method, body as never, ms, (error, answer) =>
      resolve(error ? `${error.code}: ${error.what}` : JSON.stringify(answer?.body)),
    ),
  );
}
