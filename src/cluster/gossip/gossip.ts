import { type VectorView, vectorHash } from '../../store/crdt/vector.ts';
import type { Knowledge, Probe, Ranges } from '../../store/gossip/messages.ts';
import type { Replica } from '../../store/replica.ts';
import type { Cluster } from '../cluster.ts';
import type { Report } from '../collector.ts';
import type { Verdict } from '../greeting.ts';
import type { Ground } from '../ports.ts';
import { Link, type Wire } from './link.ts';

/** Changes of so many milliseconds are told together. */
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

/** What of the protocol decides what is told to whom. */
export type GossipCluster = Pick<Cluster, 'collector' | 'members' | 'standing'>;

/** One end of a kept connection, as the gossip uses it. */
export interface GossipWire extends Wire {
  send(message: Knowledge | Probe | Ranges | ({ readonly kind: 'report' } & Report)): void;
  /** Ends the connection, and says why. */
  refuse(verdict: Verdict): void;
}

export type GossipMessage = Parameters<GossipWire['send']>[0];

/** The links to some of the members, over which all of them hear everything. */
export class Gossip {
  readonly #replica: Replica;
  readonly #cluster: GossipCluster;
  readonly #ground: Ground;
  readonly #links = new Map<object, { readonly link: Link; readonly wire: GossipWire }>();
  /** When something new was heard of a member, by whatever way, in milliseconds since 1970. */
  readonly #heard = new Map<string, number>();
  readonly #stops: (() => void)[] = [];
  #flushing: (() => void) | undefined;
  /** Members have been heard of since the last flush: what they wrote was left out before. */
  #isLarger = false;
  /** What the last report said, and how often nothing has changed since. */
  #reported: string | undefined;
  #unchanged = 0;

  constructor(parts: { replica: Replica; cluster: GossipCluster; ground: Ground }) {
    this.#replica = parts.replica;
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
  }

  get peers(): string[] {
    return [...this.#links.values()].map(({ link }) => link.peer);
  }

  /** When this host heard a new report of a member, also by others, in milliseconds since 1970. */
  heardAt(member: string): number | undefined {
    return this.#heard.get(member);
  }

  /** A connection to a peer is there: both ends begin. Returns what takes its messages, and what ends it. */
  connected(peer: string, wire: GossipWire): { take(message: GossipMessage): void; ended(): void } {
    const { standing, members } = this.#cluster;
    // A newcomer that this host has not heard of tells first: whoever it learns from has to reckon with it.
    const end = (origin: string) => {
      if (!members.isPresent(peer)) return 0;
      return origin === this.#replica.origin ? standing.tells : Number.POSITIVE_INFINITY;
    };
    const link = new Link(peer, this.#replica, wire, end);
    const key = {};
    this.#links.set(key, { link, wire });
    link.tell();
    for (const report of this.#some()) wire.send({ kind: 'report', ...report });
    return {
      take: (message) => this.#take(key, link, message),
      ended: () => void this.#links.delete(key),
    };
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#flushing?.();
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
    } else if (link.take(message) === 'ahead') this.#cluster.standing.halt('rollback');
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

  /** A report to everybody, but not back to where it came from. */
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
    this.#flushing ??= this.#ground.timer.after(BATCH_MS, () => {
      this.#flushing = undefined;
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
