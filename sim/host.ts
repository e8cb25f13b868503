import { Cluster } from '../src/cluster/cluster.ts';
import { Gossip } from '../src/cluster/gossip/gossip.ts';
import { type Greeting, judge } from '../src/cluster/greeting.ts';
import { CLUSTER_CLASSES } from '../src/cluster/namespaces.ts';
import type { Batch } from '../src/store/backing.ts';
import { MemoryDisk, MemoryStore } from '../src/store/memory.ts';
import type { World } from './world.ts';

/** Namespaces of the workload besides the protocol's own. */
const CLASSES = new Map([...CLUSTER_CLASSES, ['policy', 'shared' as const]]);
/** How long the disk takes, at most, in milliseconds. */
const FSYNC_MS = 3;
const REST_MS = 2000;

/** What dies in a crash. */
export interface Node {
  readonly replica: MemoryStore;
  readonly cluster: Cluster;
  readonly gossip: Gossip;
  readonly boot: string;
  readonly bootSequence: number;
}

/** A disk that can be waited for. */
export class SimulatedDisk extends MemoryDisk {
  /** Called once, when something has become durable and nobody has heard of it. */
  written: (() => void) | undefined;

  override write(batch: Batch): void {
    super.write(batch);
    const { written } = this;
    this.written = undefined;
    written?.();
  }
}

/** A machine: its disk stays, what runs on it comes and goes. */
export class Host {
  readonly name: string;
  readonly world: World;
  disk: SimulatedDisk;
  /** Counts starts and ends: what was begun in one life must not go on in the next. */
  life = 0;
  /** The wall clock's error, in milliseconds. */
  skewMs = 0;
  /** Let into the cluster, whether it knows already or not. */
  admitted = false;
  /** Never to be started again. */
  dead = false;
  #node: Node | undefined;
  /** Crash at the next write of the disk: before it, or after it and before anybody is told. */
  doom: 'before' | 'after' | undefined;

  constructor(name: string, world: World, disk = new SimulatedDisk(idOf(name))) {
    this.name = name;
    this.world = world;
    this.disk = disk;
  }

  get id(): string {
    return this.disk.origin;
  }

  get up(): boolean {
    return this.#node !== undefined;
  }

  get node(): Node {
    if (!this.#node) throw new Error(`${this.name} is down`);
    return this.#node;
  }

  start(): void {
    if (this.#node || this.dead) return;
    this.life++;
    this.disk.written = undefined;
    this.world.ledger.compare(this, true);
    const { life, world } = this;
    const { timeline, random } = world;
    const wallMs = () => world.epochMs + timeline.now + this.skewMs;
    const replica: MemoryStore = new MemoryStore({
      disk: this.disk,
      classes: CLASSES,
      wallMs,
      schedule: (flush) =>
        void timeline.after(random.next() * FSYNC_MS, () => {
          if (this.life === life) this.#flush(flush);
        }),
      report: (error) => world.fault(error),
    });
    const boot = `${this.name}-${life}`;
    const ground = {
      random: random.next,
      timer: {
        now: wallMs,
        after: (ms: number, call: () => void) =>
          timeline.after(ms, () => {
            if (this.life === life) call();
          }),
      },
      calls: {
        ask: (member: string, ...rest: [string, never, number, never]) =>
          world.network.ask(this, world.byId(member), ...rest),
      },
      log: { warn: (what: object) => world.fault(what), info: () => {} },
    };
    const cluster = new Cluster({ replica, ground, boot, restMs: REST_MS, isUsed: () => true });
    const gossip = new Gossip({
      replica,
      collector: cluster.collector,
      ground,
      onAhead: () => cluster.standing.halt('rollback'),
    });
    this.#node = { replica, cluster, gossip, boot, bootSequence: replica.known(this.id) + 1 };
    replica.write([{ key: `host/${this.id}`, value: { boot } }], () => {});
    world.network.changed();
  }

  /** Ends as by kill -9, or a power failure. */
  crash(): void {
    if (!this.#node) return;
    this.#node.replica.kill();
    this.#node.cluster.stop();
    this.#node.gossip.stop();
    this.#node = undefined;
    this.life++;
    this.doom = undefined;
    this.world.network.changed();
    this.world.crashed(this);
  }

  /** Runs something on this host; nothing if it has died. */
  during(call: () => void): void {
    if (this.#node) call();
  }

  /** Whether this host lets another one in; else that one is told why not. */
  greet(other: Host): boolean {
    const { boot, bootSequence } = other.node;
    const greeting: Greeting = { id: other.id, boot, bootSequence };
    const halt = judge(greeting, this.node.replica, this.node.cluster.members);
    if (halt) other.node.cluster.standing.halt(halt);
    return halt === undefined;
  }

  #flush(flush: () => void): void {
    const { doom } = this;
    this.doom = undefined;
    if (doom === 'before') return this.crash();
    if (doom === 'after') {
      this.disk.written = () => {
        this.crash();
        throw new Error('crashed');
      };
    }
    flush();
  }
}

function idOf(name: string): string {
  return Buffer.from(name.padEnd(16, '.')).toString('hex').slice(0, 32);
}
