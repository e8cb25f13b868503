import type { Clock } from '../../ports/clock.ts';
import { Health } from './health.ts';
import { ANSWER_STATEMENTS, type Packet, STATEMENTS_MAX } from './packet.ts';
import { Relays } from './relays.ts';
import { Rotation, sample } from './rotation.ts';
import { Spread } from './spread.ts';
import {
  authorOf,
  compare,
  contradicting,
  type Incarnation,
  type Statement,
  type Verdict,
} from './statements.ts';
import { Suspicion } from './suspicion.ts';

/** One member is probed in each period; it has so long to answer itself, and the rest of the period by others. */
const PERIOD_MS = 1000;
const DIRECT_MS = 500;
/** Not all hosts at the same moment: the part of a period that is by chance. */
const JITTER = 0.1;
/** Hosts that are asked to try it, and hosts that are told news at once. */
const HELPERS = 3;
const FANOUT = 3;
/** News are told so often, in milliseconds. */
const PUSH_MS = 200;
/** A timer that fires so much too late says that this host stood still: what it has missed says nothing of others. */
const LATE_MS = 500;
/** After so many pings without a direct answer, one after the other, packets do not get through. */
const LOST = 6;
/** Who was not heard by anybody for so long, in milliseconds, can say nothing of others. */
const DEAF_MS = 10_000;

/** What is known of a member by probes. */
export interface ProbeView {
  readonly verdict: Verdict;
  /** Of the verdict, in milliseconds since 1970. */
  readonly since: number;
}

interface Peer {
  readonly id: string;
  /** Nothing as long as it was never heard: then its silence says nothing. */
  known: { readonly verdict: Verdict; readonly incarnation: Incarnation; readonly since: number } | undefined;
  suspicion: Suspicion | undefined;
  /** When a packet came from it, and when somebody or something else has vouched for it. */
  heardAt: number | undefined;
  vouchedAt: number | undefined;
  /** Pings since then that it has not answered itself. */
  missed: number;
  /** How often it could only be reached by TCP, one after the other. */
  byTcp: number;
  /** It has started anew, and is told what it could not hear. */
  isNew: boolean;
}

interface Probe {
  readonly peer: Peer;
  readonly number: number;
  readonly startedAt: number;
  readonly helpers: Set<string>;
  nacks: number;
  isAnswered: boolean;
}

export interface DetectorParts<Way> {
  readonly self: string;
  /** Which start of this host it is: later ones have higher numbers. */
  readonly start: number;
  readonly timer: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  /** `way`: where a question came from, for the answer to it. */
  readonly send: (to: string, packet: Packet, way?: Way) => void;
  /** Whether a member that no packet gets through to is there in another way; called back once, at last when it is too late. */
  readonly confirm: (member: string, done: (isThere: boolean) => void) => void;
  readonly changed?: (member: string, verdict: Verdict | undefined, before: Verdict | undefined) => void;
}

/**
 * SWIM with Lifeguard's changes: who answers, directly or through others, and what others say of it. A state machine
 * without time, network or chance of its own. `Way` is what answers need to find back.
 */
export class Detector<Way = undefined> {
  readonly #parts: DetectorParts<Way>;
  readonly #peers = new Map<string, Peer>();
  readonly #rotation: Rotation;
  readonly #spread = new Spread();
  readonly #health = new Health();
  readonly #relays: Relays<Way>;
  #incarnation: Incarnation;
  #probe: Probe | undefined;
  #number = 0;
  #heardAt: number | undefined;
  /** Grows each time that this host has stood still. */
  #gap = 0;
  #gapAt = Number.NEGATIVE_INFINITY;
  #cancelTick = () => {};
  #cancelPhase = () => {};
  #cancelPush: (() => void) | undefined;
  #stopped = false;

  constructor(parts: DetectorParts<Way>) {
    this.#parts = parts;
    this.#incarnation = { start: parts.start, count: 0 };
    this.#rotation = new Rotation(parts.random);
    this.#relays = new Relays(parts.timer);
    this.#cancelTick = this.#after(PERIOD_MS * parts.random(), () => this.#tick());
  }

  /** How slow this host is, from 0 to 8. */
  get health(): number {
    return this.#health.score;
  }

  /** Nobody is heard any more: what this host has not heard lately it cannot know. */
  get isDeaf(): boolean {
    return this.#heardAt !== undefined && this.#parts.timer.now() - this.#heardAt > DEAF_MS;
  }

  /** What there is to say of a member; undefined if nothing, as for one that was never heard. */
  view(member: string): ProbeView | undefined {
    const known = this.#peers.get(member)?.known;
    return known && { verdict: known.verdict, since: known.since };
  }

  /** When a packet of its own came, or somebody vouched for it, in milliseconds since 1970. */
  heardAt(member: string): number | undefined {
    const { heardAt, vouchedAt } = this.#peers.get(member) ?? {};
    return heardAt === undefined ? vouchedAt : Math.max(heardAt, vouchedAt ?? 0);
  }

  /** It has not answered one of many pings itself. */
  isLost(member: string): boolean {
    return (this.#peers.get(member)?.missed ?? 0) >= LOST;
  }

  /** These are the others, as far as they can be sent something. */
  set(members: Iterable<string>): void {
    const wanted = new Set(members);
    for (const id of this.#peers.keys()) if (!wanted.has(id)) this.#forget(id);
    for (const id of wanted) if (!this.#peers.has(id)) this.#peers.set(id, newPeer(id));
    this.#rotation.set(wanted);
    this.#spread.size = wanted.size + 1;
  }

  /** It has started anew: what was sent before says nothing. */
  renew(member: string): void {
    const peer = this.#peers.get(member);
    if (peer) peer.missed = peer.byTcp = 0;
  }

  #forget(member: string): void {
    const peer = this.#peers.get(member);
    if (!peer) return;
    peer.suspicion?.cancel();
    this.#peers.delete(member);
    this.#spread.drop(member);
    if (this.#probe?.peer === peer) this.#probe = undefined;
  }

  /** A packet of a member, which it is proven to have sent. */
  take(from: string, packet: Packet, way: Way): void {
    const peer = this.#peers.get(from);
    if (!peer || this.#stopped) return;
    this.#heardAt = peer.heardAt = this.#parts.timer.now();
    peer.missed = peer.byTcp = 0;
    const { kind, number, incarnation, target, statements } = packet;
    if (!peer.known || incarnation.start > peer.known.incarnation.start) peer.isNew = true;
    this.#apply({ id: from, verdict: 'alive', incarnation, by: authorOf(from) });
    for (const statement of statements.slice(0, STATEMENTS_MAX)) this.#apply(statement);
    const probe = this.#probe;
    if (probe?.peer === peer) probe.isAnswered = true;
    switch (kind) {
      case 'ping':
        return this.#send(peer, 'ack', number, this.#news(peer, ANSWER_STATEMENTS), way);
      case 'ask':
        return this.#help(peer, number, target, way);
      case 'ack':
        return this.#acknowledged(peer, number);
      case 'nack':
        if (probe?.number === number && probe.helpers.has(from)) probe.nacks++;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTick();
    this.#cancelPhase();
    this.#cancelPush?.();
    this.#relays.stop();
    for (const { suspicion } of this.#peers.values()) suspicion?.cancel();
  }

  #tick(): void {
    this.#conclude();
    const jitter = 1 + JITTER * (this.#parts.random() - 0.5);
    this.#cancelTick = this.#after(PERIOD_MS * this.#health.factor * jitter, () => this.#tick());
    const id = this.#rotation.next((one) => this.#peers.get(one)?.known?.verdict !== 'dead');
    const peer = id === undefined ? undefined : this.#peers.get(id);
    if (peer) this.#begin(peer);
    // One that is back may not know that it was missed; so each is told now and then.
    const [dead] = sample(this.#of('dead'), 1, this.#parts.random);
    if (dead) this.#ping(dead);
  }

  #begin(peer: Peer): void {
    const startedAt = this.#parts.timer.now();
    const probe: Probe = {
      peer,
      number: this.#ping(peer),
      startedAt,
      helpers: new Set(),
      nacks: 0,
      isAnswered: false,
    };
    this.#probe = probe;
    this.#cancelPhase = this.#after(DIRECT_MS * this.#health.factor, () => {
      if (this.#probe !== probe || probe.isAnswered) return;
      for (const helper of sample(this.#of('alive', peer), HELPERS, this.#parts.random)) {
        probe.helpers.add(helper.id);
        this.#send(helper, 'ask', probe.number, this.#news(helper, 1), undefined, peer.id);
      }
    });
  }

  /** @returns the number that an answer has to have */
  #ping(peer: Peer): number {
    this.#number = (this.#number + 1) >>> 0;
    // Until it answers.
    peer.missed++;
    this.#send(peer, 'ping', this.#number, this.#news(peer, peer.isNew ? STATEMENTS_MAX : ANSWER_STATEMENTS));
    peer.isNew = false;
    return this.#number;
  }

  /** The period is over: what has become of the probe? */
  #conclude(): void {
    const probe = this.#probe;
    this.#probe = undefined;
    this.#cancelPhase();
    if (!probe) return;
    if (probe.isAnswered) return this.#health.change(-1);
    const { peer, helpers, nacks } = probe;
    const { known } = peer;
    if (!known) return;
    // Helpers that say nothing at all either: the fault may be here.
    const blame = helpers.size > 0 ? Math.max(0, helpers.size - nacks) : 1;
    this.#health.change(blame);
    if (known.verdict === 'suspect') return this.#accuse(peer, known.incarnation);
    if (known.verdict !== 'alive') return;
    const gap = this.#gap;
    this.#parts.confirm(peer.id, (isThere) => {
      if (this.#stopped || gap !== this.#gap || this.#peers.get(peer.id) !== peer) return;
      if ((peer.heardAt ?? 0) > probe.startedAt || peer.known !== known) return;
      // Whoever gets an answer in time by TCP is not slow: it is the packets.
      if (isThere) this.#health.change(-blame);
      if (isThere) this.#onlyByTcp(peer);
      else this.#accuse(peer, known.incarnation);
    });
  }

  /** A firewall may be between: as soon as that is clear its silence says nothing any more. */
  #onlyByTcp(peer: Peer): void {
    peer.vouchedAt = this.#parts.timer.now();
    if (++peer.byTcp < LOST) return;
    peer.byTcp = 0;
    this.#become(peer, undefined);
  }

  #accuse(peer: Peer, incarnation: Incarnation): void {
    const by = authorOf(this.#parts.self);
    this.#apply({ id: peer.id, verdict: 'suspect', incarnation, by });
  }

  #acknowledged(peer: Peer, number: number): void {
    const probe = this.#probe;
    if (probe?.number === number && probe.helpers.has(peer.id)) {
      probe.isAnswered = true;
      probe.peer.vouchedAt = this.#parts.timer.now();
      probe.peer.byTcp = 0;
    }
    const relay = this.#relays.answered(peer.id, number);
    const asker = relay && this.#peers.get(relay.asker);
    if (asker) this.#send(asker, 'ack', relay.number, this.#news(asker, ANSWER_STATEMENTS), relay.way);
  }

  /** Pings another one for a member, and says in time when nothing comes, so that the member knows that we are there. */
  #help(asker: Peer, number: number, target: string | undefined, way: Way): void {
    const peer = target === undefined ? undefined : this.#peers.get(target);
    const nack = () => {
      const current = this.#peers.get(asker.id);
      if (current) this.#send(current, 'nack', number, [], way);
    };
    if (!peer || this.#relays.isFull) return nack();
    this.#relays.open(peer.id, this.#ping(peer), { asker: asker.id, number, way }, nack);
  }

  /** What is said of a member, by itself or by others. */
  #apply(statement: Statement): void {
    const { id, verdict, incarnation, by } = statement;
    if (id === this.#parts.self) return this.#contradict(statement);
    const peer = this.#peers.get(id);
    if (!peer) return;
    const { known } = peer;
    const order = known ? compare(incarnation, known.incarnation) : 1;
    const isNews = (): boolean => {
      if (verdict === 'alive') return order > 0;
      if (verdict === 'dead') return order >= 0 && known?.verdict !== 'dead';
      if (order === 0 && known?.verdict === 'suspect') return peer.suspicion?.confirm(by) ?? false;
      return order > 0 || (order === 0 && known?.verdict === 'alive');
    };
    if (!isNews()) return;
    this.#spread.put(statement);
    this.#pushSoon();
    if (order === 0 && known?.verdict === 'suspect' && verdict === 'suspect') return this.#arm(peer);
    this.#become(peer, verdict, incarnation, by);
  }

  #become(peer: Peer, verdict: Verdict | undefined, incarnation?: Incarnation, by?: string): void {
    const before = peer.known?.verdict;
    const now = this.#parts.timer.now();
    peer.suspicion?.cancel();
    peer.suspicion = undefined;
    const since = before === verdict ? (peer.known?.since ?? now) : now;
    peer.known = verdict && incarnation && { verdict, incarnation, since };
    if (verdict === 'suspect' && incarnation) {
      peer.suspicion = new Suspicion(incarnation, by ?? '', now);
      this.#arm(peer);
    }
    if (before !== verdict) this.#parts.changed?.(peer.id, verdict, before);
  }

  /** Waits until the suspicion has lasted long enough. */
  #arm(peer: Peer): void {
    const { suspicion } = peer;
    if (!suspicion) return;
    suspicion.cancel();
    const ms = suspicion.left(this.#spread.size, this.#parts.timer.now());
    suspicion.cancel = this.#after(ms, (wasLate) => {
      if (wasLate) return this.#arm(peer);
      const by = authorOf(this.#parts.self);
      this.#apply({ id: peer.id, verdict: 'dead', incarnation: suspicion.incarnation, by });
    });
  }

  /** This host is said to be away: the next incarnation says that it is not. */
  #contradict({ verdict, incarnation }: Statement): void {
    if (verdict === 'alive' || compare(incarnation, this.#incarnation) < 0) return;
    this.#incarnation = contradicting(incarnation);
    this.#health.change(1);
    const { self } = this.#parts;
    this.#spread.put({ id: self, verdict: 'alive', incarnation: this.#incarnation, by: authorOf(self) });
    this.#pushSoon();
  }

  /** What a packet to a member tells: first what is said of itself, so that it can contradict. */
  #news(peer: Peer, count: number): Statement[] {
    const { known } = peer;
    const by = authorOf(this.#parts.self);
    const ofItself: Statement[] = known && known.verdict !== 'alive' ? [{ id: peer.id, ...known, by }] : [];
    const missed = peer.isNew && count > ANSWER_STATEMENTS ? this.#away(peer) : [];
    const first = [...ofItself, ...missed].slice(0, count);
    return [...first, ...this.#spread.take(count - first.length)];
  }

  /** Who is away, for one that could not hear of it. */
  #away(except: Peer): Statement[] {
    const by = authorOf(this.#parts.self);
    return [...this.#of('dead', except), ...this.#of('suspect', except)].map(({ id, known }) => ({
      id,
      ...known!,
      by,
    }));
  }

  #of(verdict: Verdict, except?: Peer): Peer[] {
    return [...this.#peers.values()].filter((peer) => peer.known?.verdict === verdict && peer !== except);
  }

  #send(
    to: Peer,
    kind: Packet['kind'],
    number: number,
    statements: readonly Statement[],
    way?: Way,
    target?: string,
  ): void {
    this.#parts.send(to.id, { kind, number, incarnation: this.#incarnation, statements, target }, way);
  }

  /** Tells some members what is new, until it has been told often enough. */
  #pushSoon(): void {
    this.#cancelPush ??= this.#after(PUSH_MS * this.#parts.random(), () => this.#push());
  }

  #push(): void {
    this.#cancelPush = undefined;
    const others = [...this.#of('alive'), ...this.#of('suspect')];
    for (const peer of sample(others, FANOUT, this.#parts.random)) {
      const statements = this.#news(peer, STATEMENTS_MAX);
      if (statements.length > 0) this.#send(peer, 'word', 0, statements);
    }
    if (others.length > 0 && !this.#spread.isEmpty)
      this.#cancelPush = this.#after(PUSH_MS, () => this.#push());
  }

  /** Calls after so many milliseconds, unless this host has ended; says whether this host stood still meanwhile. */
  #after(ms: number, call: (wasLate: boolean) => void): () => void {
    const { timer } = this.#parts;
    const due = timer.now() + ms;
    return timer.after(ms, () => {
      if (this.#stopped) return;
      const lateMs = timer.now() - due;
      // All that was due meanwhile comes late by the same gap.
      if (lateMs > LATE_MS && due > this.#gapAt) this.#stoodStill(lateMs);
      call(lateMs > LATE_MS);
    });
  }

  /** Answers may be waiting to be read, and contradictions: nothing is concluded from what was not heard. */
  #stoodStill(ms: number): void {
    this.#gap++;
    this.#gapAt = this.#parts.timer.now();
    this.#probe = undefined;
    this.#heardAt = this.#heardAt && this.#parts.timer.now();
    this.#health.change(1);
    for (const peer of this.#of('suspect')) {
      peer.suspicion?.extend(ms + PERIOD_MS);
      this.#arm(peer);
    }
  }
}

function newPeer(id: string): Peer {
  return {
    id,
    known: undefined,
    suspicion: undefined,
    heardAt: undefined,
    vouchedAt: undefined,
    missed: 0,
    byTcp: 0,
    isNew: false,
  };
}
