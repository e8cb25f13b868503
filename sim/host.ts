import { Gossip } from '../src/cluster/gossip/gossip.ts';
import { Cluster } from '../src/cluster/protocol/cluster.ts';
import { haltOf, judge } from '../src/cluster/protocol/greeting.ts';
import { CLUSTER_CLASSES } from '../src/cluster/protocol/namespaces.ts';
import type { Batch } from '../src/store/backing.ts';
import { MemoryDisk, MemoryStore } from '../src/store/memory.ts';
import { Sealer } from '../src/store/seal.ts';
import { CheapSigner } from './signer.ts';
import { overlaps } from './workload.ts';
import type { World } from './world.ts';

/** Namespaces of the workload besides the protocol's own. */
const CLASSES = new Map([...CLUSTER_CLASSES, ['policy', 'shared' as const], ['pool', 'shared' as const]]);
/** How long the disk takes, at most, in milliseconds. */
const FSYNC_MS = 3;
const REST_MS = 2000;

/** What dies in a crash. */
export interface Node {
  readonly replica: MemoryStore;
  readonly cluster: Cluster;
  readonly gossip: Gossip;
  readonly boot: string;
}

/** A disk that can be full, and waited for. */
export class SimulatedDisk extends MemoryDisk {
  /** Nothing can be written until there is room again. */
  full = false;
  /** Called once, when something has become durable and nobody has heard of it. */
  written: (() => void) | undefined;
  /** Told of what is durable. */
  watch: ((batch: Batch) => void) | undefined;
  /** Told that nothing became durable. */
  refused: (() => void) | undefined;

  override write(batch: Batch): void {
    if (this.full || this.failure) this.refused?.();
    if (this.full) throw new Error('no space left on device');
    super.write(batch);
    this.watch?.(batch);
    const { written } = this;
    this.written = undefined;
    written?.();
  }

  override copy(): SimulatedDisk {
    return this.copyTo(new SimulatedDisk(this.origin));
  }
}

/** A machine: its disk stays, what runs on it comes and goes. */
export class Host {
  readonly name: string;
  readonly world: World;
  /** Counts starts and ends: what was begun in one life must not go on in the next. */
  life = 0;
  /** The wall clock's error, in milliseconds. */
  skewMs = 0;
  /** Let into the cluster, whether it knows already or not. */
  admitted = false;
  /** Never to be started again by itself. */
  dead = false;
  /** Its disk is not what it last wrote: whatever it gives is a mistake. */
  tainted = false;
  /** Nothing befalls it for now. */
  spared = false;
  /** Spaces that come and go, and in which it has a network. */
  readonly uses = new Set<string>();
  /** Crash at the next write of the disk: before it, or after it and before anybody is told. */
  doom: 'before' | 'after' | undefined;
  #disk!: SimulatedDisk;
  #node: Node | undefined;

  constructor(name: string, world: World, disk = new SimulatedDisk(idOf(name))) {
    this.name = name;
    this.world = world;
    this.disk = disk;
  }

  get id(): string {
    return this.disk.origin;
  }

  get disk(): SimulatedDisk {
    return this.#disk;
  }

  set disk(disk: SimulatedDisk) {
    this.#disk = disk;
    disk.watch = ({ steps }) => this.world.wrote(this, steps);
    disk.refused = () => this.world.counts.refusedWrites++;
  }

  get up(): boolean {
    return this.#node !== undefined;
  }

  get node(): Node {
    if (!this.#node) throw new Error(`${this.name} is down`);
    return this.#node;
  }

  /** Milliseconds since 1970, as this host has it. */
  wallMs = (): number => this.world.epochMs + this.world.timeline.now + this.skewMs;

  start(): void {
    if (this.#node) return;
    this.life++;
    this.disk.written = undefined;
    this.world.ledger.compare(this, true);
    const { life, world, wallMs } = this;
    const { timeline, random } = world;
    world.trace(this, () => 'starts');
    const flushAfter = (ms: number, flush: () => void) =>
      timeline.after(ms, () => {
        if (this.life === life) this.#flush(flush);
      });
    const replica: MemoryStore = new MemoryStore({
      disk: this.disk,
      classes: CLASSES,
      wallMs,
      monotonicMs: () => timeline.now,
      schedule: (flush) => void flushAfter(random.next() * FSYNC_MS, flush),
      later: (ms, flush) => void flushAfter(ms + random.next() * FSYNC_MS, flush),
      report: (error) => world.fault(error),
    });
    replica.sealer = new Sealer(new CheapSigner(this.id), 'simulated', world.linksMax);
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
      log: {
        warn: (what: object) => {
          if ('repaired' in what) {
            world.repaired(this, what);
          } else if ('disputed' in what && world.counts.unseenRollbacks > 0) {
            world.trace(this, () => `disputes ${JSON.stringify(what)}`);
          } else if ('unmended' in what) {
            world.unmended(this, what);
          } else if (!world.operator.mayBeginAnew(this, what)) world.fault(what);
        },
        info: () => {},
      },
    };
    const cluster = new Cluster({
      replica,
      ground,
      boot,
      restMs: REST_MS,
      isUsed: (space) => world.isPermanent(space) || this.uses.has(space),
      judge: (creation) => overlaps(creation, replica),
      boots: (member) => world.network.boots(this, member),
      links: () => gossip.peers,
    });
    const { treeAbove } = world;
    const gossip: Gossip = new Gossip({
      replica,
      cluster,
      ground,
      ...(treeAbove !== undefined && { treeAbove }),
    });
    this.#node = { replica, cluster, gossip, boot };
    world.network.changed();
  }

  /** Ends as by kill -9, or a power failure. */
  crash(): void {
    if (!this.#node) return;
    this.world.trace(this, () => 'dies');
    this.world.network.vanishes(this);
    this.#node.replica.kill();
    this.#node.cluster.stop();
    this.#node.gossip.stop();
    this.#node = undefined;
    this.life++;
    this.doom = undefined;
    this.world.network.changed();
    this.world.counts.crashes++;
  }

  /** The crash that was to come does not. */
  reprieve(): void {
    this.doom = undefined;
    this.disk.written = undefined;
  }

  /** Runs something on this host; nothing if it has died. */
  during(call: () => void): void {
    if (this.#node) call();
  }

  /** Whether this host lets another one in; one that is not who it should be is told so. */
  greet(other: Host): boolean {
    const { greeting } = other.node.cluster.arrival;
    if (!greeting) return false;
    const { replica, cluster } = this.node;
    const verdict = judge(greeting, replica, cluster.members, this.world.network.boots(this, other.id));
    const halt = haltOf(verdict);
    if (halt) other.node.cluster.standing.halt(halt);
    return verdict === undefined;
  }

  #flush(flush: () => void): void {
    const { doom } = this;
    this.doom = undefined;
    if (doom === 'before') {
      this.world.counts.crashesBeforeWrites++;
      return this.crash();
    }
    if (doom === 'after') {
      this.disk.written = () => {
        this.world.counts.crashesAfterWrites++;
        this.crash();
        throw new Error('crashed');
      };
    }
    flush();
  }
}

/** The name is to be read in the id. */
function idOf(name: string): string {
  return Buffer.from(name.padEnd(16, '.')).toString('hex').slice(0, 32);
}

/** Ids in a text as the names of their hosts. */
export function named(text: string): string {
  return text.replaceAll(/(?:[0-9a-f]{2}){4,14}(?:2e){2,12}\b/g, (id) =>
    Buffer.from(id, 'hex').toString().replaceAll('.', ''),
  );
}
