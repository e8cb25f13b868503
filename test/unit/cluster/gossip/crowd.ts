import { Random } from '../../../../sim/random.ts';
import { Timeline } from '../../../../sim/timeline.ts';
import { Gossip, type GossipLink, type GossipMessage } from '../../../../src/cluster/gossip/gossip.ts';
import { Collector } from '../../../../src/cluster/protocol/collector.ts';
import { Doubts } from '../../../../src/cluster/protocol/doubts.ts';
import { Members, memberChange } from '../../../../src/cluster/protocol/members.ts';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import { Standing } from '../../../../src/cluster/protocol/standing.ts';
import { MemoryDisk, MemoryStore } from '../../../../src/store/memory.ts';

const BEGIN = 1_800_000_000_000;
/** How long a message is on its way, in milliseconds. */
const WAY_MS = 2;

interface One {
  readonly store: MemoryStore;
  readonly gossip: Gossip;
  readonly links: Set<Joint>;
}

/** A connection, as both of its ends have it. */
interface Joint {
  readonly ends: readonly [number, number];
  readonly gossip: readonly [GossipLink, GossipLink];
  isOver: boolean;
}

/** Many members on one timeline, linked as we like. */
export class Crowd {
  readonly random: Random;
  readonly all: readonly One[];
  readonly #time = new Timeline();
  /** Records that were sent, and messages of each kind. */
  records = 0;
  readonly sent = new Map<GossipMessage['kind'], number>();

  constructor(count: number, seed: number, treeAbove: number) {
    this.random = new Random(seed);
    const ids = Array.from({ length: count }, (_, at) => `${at}`.padStart(32, '0'));
    this.all = ids.map((id) => this.#one(id, ids, treeAbove));
  }

  /** Milliseconds of the timeline. */
  get now(): number {
    return this.#time.now;
  }

  run(ms: number): void {
    this.#time.run(ms);
  }

  /** Runs until that is so. @returns after how many milliseconds. @throws Error if not within `limit` of them */
  until(isSo: () => boolean, limit: number): number {
    const began = this.now;
    while (!isSo()) {
      if (this.now - began > limit) throw new Error(`not within ${limit} ms`);
      this.run(5);
    }
    return this.now - began;
  }

  link(a: number, b: number): Joint {
    let joint: Joint | undefined;
    const wire = (to: 0 | 1) => ({
      waiting: 0,
      refuse: () => {},
      distrust: () => {},
      send: (message: GossipMessage) => {
        this.sent.set(message.kind, (this.sent.get(message.kind) ?? 0) + 1);
        if (message.kind === 'ranges')
          for (const { records } of message.ranges) this.records += records.length;
        this.#time.after(WAY_MS, () => {
          if (!joint!.isOver) joint!.gossip[to].take(message);
        });
      },
    });
    const gossip = [
      this.all[a]!.gossip.connected(this.all[b]!.store.origin, wire(1)),
      this.all[b]!.gossip.connected(this.all[a]!.store.origin, wire(0)),
    ] as const;
    joint = { ends: [a, b], gossip, isOver: false };
    for (const end of [a, b]) this.all[end]!.links.add(joint);
    return joint;
  }

  /** Each opens so many links by chance; nobody is linked twice with the same one. */
  linkAll(degree: number): void {
    for (const [a, { links }] of this.all.entries())
      for (let opened = 0; opened < degree; ) {
        const b = this.random.below(this.all.length);
        if (b === a || [...links].some(({ ends }) => ends.includes(b))) continue;
        this.link(a, b);
        opened++;
      }
  }

  get joints(): Joint[] {
    return [...new Set(this.all.flatMap(({ links }) => [...links]))];
  }

  end(joint: Joint): void {
    joint.isOver = true;
    for (const [at, end] of joint.ends.entries()) {
      joint.gossip[at]!.ended();
      this.all[end]!.links.delete(joint);
    }
  }

  write(at: number): string {
    const { store } = this.all[at]!;
    const key = `host/${store.origin}/${this.now}`;
    store.write([{ key, value: 1 }], () => {});
    return key;
  }

  /** After how many milliseconds everybody has the record. */
  seen(key: string, limit: number): number {
    return this.until(() => this.all.every(({ store }) => store.version(key) !== undefined), limit);
  }

  stop(): void {
    for (const { gossip } of this.all) gossip.stop();
  }

  #one(id: string, ids: readonly string[], treeAbove: number): One {
    const store = new MemoryStore({
      disk: new MemoryDisk(id),
      classes: CLUSTER_CLASSES,
      wallMs: () => BEGIN + this.now,
      schedule: (flush) => void this.#time.after(0, flush),
    });
    const members = new Members(store);
    const standing = new Standing(store, members);
    standing.arrived();
    // The same records everywhere, as if they had come by gossip long ago.
    const records = ids.map((one, at) => {
      const { key, value } = memberChange({ id: one, number: at + 1, complete: true, key: 'k', name: one });
      const text = JSON.stringify(value);
      return { class: 'shared' as const, key, text, origin: 'f'.repeat(32), sequence: at + 1, rank: at + 1 };
    });
    store.merge([{ origin: 'f'.repeat(32), from: 0, to: ids.length, records }]);
    store.flush();
    const log = { warn: () => {}, info: () => {} };
    const timer = {
      now: () => BEGIN + this.now,
      after: (ms: number, call: () => void) => this.#time.after(ms, call),
    };
    const ground = { calls: { ask: () => {} }, timer, random: this.random.next, log };
    const collector = new Collector({ replica: store, members, standing });
    const doubts = new Doubts({ replica: store, members, ground });
    const cluster = { collector, doubts, members, standing };
    return { store, gossip: new Gossip({ replica: store, cluster, ground, treeAbove }), links: new Set() };
  }
}
