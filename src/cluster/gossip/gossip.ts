import { CodedError } from '../../errors.ts';
import { type VectorView, vectorHash } from '../../store/crdt/vector.ts';
import type { Beacon, Branch, Ranges } from '../../store/gossip/messages.ts';
import type { Replica } from '../../store/replica.ts';
import type { Cluster } from '../protocol/cluster.ts';
import type { Report } from '../protocol/collector.ts';
import type { Verdict } from '../protocol/greeting.ts';
import type { Ground } from '../protocol/ports.ts';
import { Link, type LinkMessage, type Wire } from './link.ts';
import { BEACON_MS, Tree } from './tree.ts';
import { Words } from './words.ts';

/** Changes are told at once, and those of so many milliseconds after that together. */
const BATCH_MS = 20;
/** How often one peer is asked whether it knows the same. */
const PROBE_MS = 1000;
/**
 * How often what we have on disk is reported: the first, or so much for each origin if that is more. A report goes to
 * everybody and names every origin, so that all of them together grow with the third power of the cluster.
 */
const REPORT_MS = 5000;
const REPORT_MS_PER_ORIGIN = 300;
/** One that says the same as the last is left out, but for each so-manieth: others may have missed it. */
const REPEAT = 4;
/** Reports of others that a new link begins with. */
const REPORTS_MAX = 16;
/** With more members than that, changes go along a tree of the links, and only word of them on the others. */
const TREE_ABOVE = 3;
/** How long something may be on its way along the tree after there was word of it, and half as long by chance. */
const OVERDUE_MS = 250;

/** The longest pause between two reports of a host, of so many, that reach all of them. */
export function reportPauseMs(hosts: number): number {
  return Math.max(REPORT_MS, REPORT_MS_PER_ORIGIN * hosts) * 1.25 * REPEAT;
}

/** What of the protocol decides what is told to whom. */
export type GossipCluster = Pick<Cluster, 'collector' | 'doubts' | 'members' | 'standing'>;

/** One end of a kept connection, as the gossip uses it. */
export interface GossipWire extends Wire {
  send(message: LinkMessage | Beacon | Branch | ({ readonly kind: 'report' } & Report)): void;
  /** Ends the connection, and says why. */
  refuse(verdict: Verdict): void;
  /** The same for what the peer has told. */
  distrust(error: CodedError): void;
}

export type GossipMessage = Parameters<GossipWire['send']>[0];

/** A kept connection, for who keeps it. */
export interface GossipLink {
  /** Whether something would have to find another way if it ended. */
  readonly isInTree: boolean;
  take(message: GossipMessage): void;
  /** It is over. */
  ended(): void;
}

/** This host's end of a link. */
interface End {
  readonly link: Link;
  readonly wire: GossipWire;
  /** Whether it was a branch of the tree when that was looked at last. */
  isBranch: boolean;
}

/** The links to some of the members, over which all of them hear everything. */
export class Gossip {
  readonly #replica: Replica;
  readonly #cluster: GossipCluster;
  readonly #ground: Ground;
  readonly #links = new Map<object, End>();
  /** When something new was heard of a member, by whatever way, in milliseconds since 1970. */
  readonly #heard = new Map<string, number>();
  readonly #stops: (() => void)[] = [];
  #flushing: (() => void) | undefined;
  /** In milliseconds since 1970. */
  #flushedAt = 0;
  /** Members have been heard of since the last flush: what they wrote was left out before. */
  #isLarger = false;
  /** What the last report said, and how often nothing has changed since. */
  #reported: string | undefined;
  #unchanged = 0;
  readonly #treeAbove: number;
  readonly #words: Words<Link>;
  readonly #tree: Tree<object>;
  #awaiting: (() => void) | undefined;

  /** `treeAbove`: with more members than that, changes go along a tree of the links. */
  constructor(parts: { replica: Replica; cluster: GossipCluster; ground: Ground; treeAbove?: number }) {
    this.#replica = parts.replica;
    this.#treeAbove = parts.treeAbove ?? TREE_ABOVE;
    this.#words = new Words((origin) => this.#replica.known(origin));
    this.#tree = new Tree(this.#replica.origin, (key, message) => this.#links.get(key)?.wire.send(message));
    this.#cluster = parts.cluster;
    this.#ground = parts.ground;
    this.#stops.push(
      this.#replica.observe('member', ({ before }) => {
        this.#isLarger ||= before === undefined;
      }),
      this.#replica.onDurable(() => this.#soon()),
    );
    this.#every(
      () => PROBE_MS,
      () => this.#probe(),
    );
    this.#every(
      () => Math.max(REPORT_MS, REPORT_MS_PER_ORIGIN * this.#replica.vector.size),
      () => this.#report(),
    );
    this.#every(
      () => BEACON_MS,
      () => this.#beat(),
    );
  }

  get peers(): string[] {
    return [...this.#links.values()].map(({ link }) => link.peer);
  }

  /** When this host heard a new report of a member, also by others, in milliseconds since 1970. */
  heardAt(member: string): number | undefined {
    return this.#heard.get(member);
  }

  /** A connection to a peer is there: both ends begin. */
  connected(peer: string, wire: GossipWire): GossipLink {
    const { standing, members } = this.#cluster;
    // A newcomer that this host has not heard of tells first: whoever it learns from has to reckon with it.
    const end = (origin: string) => {
      if (!members.isPresent(peer)) return 0;
      return origin === this.#replica.origin ? standing.tells : Number.POSITIVE_INFINITY;
    };
    const key = {};
    const isInTree = () => this.#tree.has(key);
    const link = new Link(peer, this.#replica, wire, end, isInTree);
    this.#links.set(key, { link, wire, isBranch: false });
    this.#tree.joined(key);
    link.tell();
    for (const report of this.#some()) wire.send({ kind: 'report', ...report });
    return {
      take: (message) => this.#take(key, link, message),
      get isInTree() {
        return isInTree();
      },
      ended: () => {
        this.#links.delete(key);
        this.#words.forget(link);
        this.#tree.ended(key);
        this.#graft();
      },
    };
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#flushing?.();
    this.#awaiting?.();
    this.#links.clear();
  }

  #take(key: object, link: Link, message: GossipMessage): void {
    const wire = this.#links.get(key)?.wire;
    if (!wire) return;
    // Nobody knew of it when it should have been asked, and it may be that nobody tells it anything now.
    if (message.kind === 'vector' && this.#isPassed(message.vector)) wire.refuse('passed');
    else if (message.kind === 'report') {
      if (!this.#cluster.collector.take(message)) return;
      this.#heard.set(message.id, this.#ground.timer.now());
      this.#tell(message, key);
    } else if (message.kind === 'beacon' || message.kind === 'branch') {
      if (!this.#isLarge) return;
      this.#tree.take(key, message, this.#ground.timer.now());
      this.#graft();
    } else {
      const found = link.take(message);
      if (found === 'ahead') this.#cluster.standing.halt('rollback');
      else if (found?.isForged) wire.distrust(new CodedError('NR_RECORD_FORGED', found.what));
      else if (found) this.#cluster.doubts.ask(link.peer, () => link.tell());
      else if (message.kind === 'word') {
        this.#words.take(link, message.vector, this.#ground.timer.now());
        // The peer does not know yet that this is a branch.
        if (this.#tree.isBranch(key)) this.#ask(link);
        this.#await();
      } else if (message.kind === 'want' && link.isBehind) this.#soon();
    }
  }

  get #isLarge(): boolean {
    return this.#cluster.members.present().length > this.#treeAbove;
  }

  #beat(): void {
    const { standing } = this.#cluster;
    if (!this.#isLarge) this.#tree.fell();
    else if (!standing.starting && !standing.halted) this.#tree.beat(this.#ground.timer.now());
    this.#graft();
  }

  /** What there was only word of while a link was no branch comes by no other one now: it is asked for at once. */
  #graft(): void {
    for (const [key, end] of this.#links) {
      const isBranch = this.#tree.isBranch(key);
      if (isBranch && !end.isBranch) this.#ask(end.link);
      end.isBranch = isBranch;
    }
  }

  #ask(link: Link): void {
    const origins = this.#words.pending(link);
    this.#words.forget(link);
    if (origins.length > 0) link.want(origins);
  }

  /** Asks for what the tree does not bring. */
  #await(): void {
    const { oldest } = this.#words;
    if (oldest === undefined || this.#awaiting) return;
    const { timer, random } = this.#ground;
    // Not all hosts behind the same gap at the same moment: the others have it from the first then.
    const ms = oldest + OVERDUE_MS * (1 + random() / 2) - timer.now();
    this.#awaiting = timer.after(Math.max(0, ms), () => {
      this.#awaiting = undefined;
      const overdue = this.#words.overdue(timer.now() - OVERDUE_MS);
      overdue?.link.want(overdue.origins);
      this.#await();
    });
  }

  #report(): void {
    const { standing, collector } = this.#cluster;
    if (standing.starting || standing.halted) return;
    const hash = vectorHash(this.#replica.vector);
    this.#unchanged = hash === this.#reported ? this.#unchanged + 1 : 0;
    if (this.#unchanged % REPEAT !== 0) return;
    this.#reported = hash;
    this.#tell(collector.report());
  }

  /** Whether somebody knows more of one that is gone than what counts. */
  #isPassed(vector: VectorView): boolean {
    for (const { id, seal } of this.#cluster.members.allGone()) if ((vector.get(id) ?? 0) > seal) return true;
    return false;
  }

  /** A report to everybody, but not back to where it came from; also off the tree: nobody asks for one that is missing. */
  #tell(report: Report, from?: object): void {
    const message = { ...report, kind: 'report' } as const; // the same one, so that it is encoded once
    for (const [key, { wire }] of this.#links) if (key !== from) wire.send(message);
  }

  /** All reports, or some of them by chance: links come and go, and others bring the rest. */
  #some(): Report[] {
    const all = [...this.#cluster.collector.all()];
    while (all.length > REPORTS_MAX) all.splice(Math.floor(this.#ground.random() * all.length), 1);
    return all;
  }

  #soon(): void {
    if (this.#flushing) return;
    const { timer } = this.#ground;
    const passed = timer.now() - this.#flushedAt;
    // Where the clock was set back, the next batch waits as if the last one had just gone.
    const ms = passed >= BATCH_MS ? 0 : BATCH_MS - Math.max(0, passed);
    this.#flushing = timer.after(ms, () => {
      this.#flushing = undefined;
      this.#flushedAt = timer.now();
      let behind = false;
      const isLarger = this.#isLarger;
      this.#isLarger = false;
      const made = new Map<string, Ranges>();
      for (const { link } of this.#links.values()) {
        if (isLarger) link.tell();
        link.flush(made);
        behind ||= link.isBehind;
      }
      if (behind) this.#soon();
    });
  }

  #probe(): void {
    const all = [...this.#links.values()];
    all[Math.floor(this.#ground.random() * all.length)]?.link.probe();
  }

  #every(ms: () => number, call: () => void): void {
    let cancel = () => {};
    const next = () => {
      // Not all hosts at the same moment.
      cancel = this.#ground.timer.after(ms() * (0.75 + this.#ground.random() / 2), () => {
        call();
        next();
      });
    };
    next();
    this.#stops.push(() => cancel());
  }
}
