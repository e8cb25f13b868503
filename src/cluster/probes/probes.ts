import type { Place } from '../../net/place.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { Tally } from '../../store/gossip/tls/tally.ts';
import type { Replica } from '../../store/replica.ts';
import type { ListenAt } from '../links/listening.ts';
import type { Members } from '../protocol/members.ts';
import type { Calls } from '../protocol/ports.ts';
import type { Standing } from '../protocol/standing.ts';
import { Detector, type ProbeView } from './detector.ts';
import { Directory } from './directory.ts';
import { ENVELOPE_BYTES, Envelopes } from './envelope.ts';
import { decodePacket, encodePacket, type Packet } from './packet.ts';
import { ProbeSocket } from './socket.ts';

/** How long somebody who answers no packet has to answer by TCP. */
const CONFIRM_MS = 1000;
/** What was on its way by TCP when a host went may arrive so much later, and contradicts nothing. */
const MARGIN_MS = 2000;
/** How often it is looked whether packets get through, and how long they must not have before it is said. */
const WATCH_MS = 2000;
const BLOCKED_MS = 10_000;

/** Where a packet came from, and how long it was: where its answer goes, which is no longer. */
interface Way {
  readonly place: Place;
  readonly bytes: number;
}

export interface ProbesParts {
  readonly replica: Replica;
  readonly members: Members;
  readonly standing: Pick<Standing, 'halted' | 'bootSequence' | 'whenStarted'>;
  readonly calls: Calls;
  readonly clock: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly log: Log;
  /** UUID of the cluster. */
  readonly uuid: string;
  readonly at: ListenAt;
  readonly placeOf: (member: string) => Place | undefined;
  /** When a member was heard otherwise, in milliseconds since 1970. */
  readonly heardAt: (member: string) => number | undefined;
}

/**
 * Who of the members is there, found out by packets over UDP: sooner than by what others tell of their writes, and with
 * the same few packets in a cluster of any size. Only hints follow from it: what is shown, and whom to ask first.
 */
export class Probes {
  readonly #parts: ProbesParts;
  readonly #directory: Directory;
  readonly #envelopes: Envelopes;
  readonly #socket: ProbeSocket;
  /** Since when packets of a member do not arrive, though it is there. */
  readonly #blockedSince = new Map<string, number>();
  /** Of whom that is in the log. */
  readonly #logged = new Set<string>();
  #detector: Detector<Way> | undefined;
  #isStale = false;
  #isStopped = false;
  #cancel = () => {};
  /** Packets that were not taken, by reason. */
  readonly refused = new Tally();
  readonly traffic = { sent: 0, received: 0 };

  constructor(parts: ProbesParts) {
    this.#parts = parts;
    const { replica, members, placeOf, uuid, clock, log, at } = parts;
    const changed = (member: string | undefined) => this.#changed(member);
    this.#directory = new Directory({ replica, members, placeOf, changed });
    this.#envelopes = new Envelopes(uuid, replica.origin, (member) => this.#directory.keyOf(member));
    this.#socket = new ProbeSocket(at, { clock, log, receive: (bytes, from) => this.#receive(bytes, from) });
  }

  /** This start's public key, for this host's record. */
  get key(): string {
    return this.#envelopes.published;
  }

  /** Why there is no UDP port. */
  get trouble(): string | undefined {
    return this.#socket.trouble;
  }

  /** How slow this host finds itself, from 0 to 8. */
  get health(): number {
    return this.#detector?.health ?? 0;
  }

  /** Begins when this host's start is over. What others know of it is told by its record. */
  start(): void {
    const { standing, replica, clock, random } = this.#parts;
    void this.#socket.start();
    standing.whenStarted(() => {
      if (this.#isStopped || standing.halted) return;
      this.#detector = new Detector<Way>({
        self: replica.origin,
        start: standing.bootSequence ?? 0,
        timer: clock,
        random,
        send: (to, packet, way) => this.#send(to, packet, way),
        confirm: (member, done) => this.#confirm(member, done),
        changed: (member, verdict, before) => this.#tell(member, verdict, before),
      });
      this.#refresh();
      this.#watch();
    });
  }

  /**
   * What the probes say of a member, as far as it counts: nothing where packets do not get through at all, or other
   * words of it have come since.
   */
  view(member: string): ProbeView | undefined {
    const view = this.#detector?.view(member);
    if (!view) return undefined;
    if (view.verdict === 'alive') return this.#detector?.isDeaf ? undefined : view;
    return (this.#parts.heardAt(member) ?? 0) > view.since + MARGIN_MS ? undefined : view;
  }

  /** When a packet of a member came, or one for it, in milliseconds since 1970. */
  heardAt(member: string): number | undefined {
    return this.#detector?.heardAt(member);
  }

  /** It is there, and packets from its port to this host's are lost. */
  isBlocked(member: string): boolean {
    const since = this.#blockedSince.get(member);
    return since !== undefined && this.#parts.clock.now() - since >= BLOCKED_MS;
  }

  /** Whether it is no use to ask this one first. */
  isAway(member: string): boolean {
    return this.view(member)?.verdict === 'dead';
  }

  /** Those first that seem to be there, else in the same order. */
  thereFirst(members: readonly string[]): string[] {
    return members.toSorted((a, b) => Number(this.isAway(a)) - Number(this.isAway(b)));
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#detector?.stop();
    this.#directory.stop();
    this.#socket.stop();
  }

  #receive(bytes: Buffer, place: Place): void {
    this.traffic.received++;
    // A host that has stopped answers nobody, and one that starts does not know yet whom.
    if (!this.#detector || this.#parts.standing.halted) return;
    if (this.#isStale) this.#refresh();
    const opened = this.#envelopes.open(bytes);
    if (typeof opened === 'string') return this.refused.add(opened);
    const packet = decodePacket(opened.plain);
    if (packet) this.#detector.take(opened.from, packet, { place, bytes: bytes.length });
    else this.refused.add('malformed');
  }

  #send(to: string, packet: Packet, way: Way | undefined): void {
    const place = way?.place ?? this.#directory.placeOf(to);
    const plain = encodePacket(packet, way && way.bytes - ENVELOPE_BYTES);
    const bytes = plain && place && this.#envelopes.seal(to, plain);
    if (!bytes || this.#parts.standing.halted) return;
    this.traffic.sent++;
    this.#socket.send(bytes, place);
  }

  /** By a request over TCP, but for one of which something has come just now. */
  #confirm(member: string, done: (isThere: boolean) => void): void {
    const { calls, heardAt, clock } = this.#parts;
    if (clock.now() - (heardAt(member) ?? 0) < CONFIRM_MS) return done(true);
    calls.ask(member, 'alive', {}, CONFIRM_MS, (error) => done(error === undefined));
  }

  #tell(member: string, verdict: ProbeView['verdict'] | undefined, before: typeof verdict): void {
    const { log, members } = this.#parts;
    const host = { id: member, name: members.nameOf(member) };
    if (verdict === 'dead') log.info(host, 'a host does not answer any more');
    if (before === 'dead' && verdict === 'alive') log.info(host, 'a host answers again');
  }

  #changed(member: string | undefined): void {
    // What was sent to its last start was not for this one.
    if (member !== undefined) this.#detector?.renew(member);
    this.#isStale = true;
  }

  #refresh(): void {
    this.#isStale = false;
    const members = this.#directory.members();
    this.#detector?.set(members);
    this.#envelopes.keep(members);
  }

  #watch(): void {
    const { clock, log, members, heardAt, at } = this.#parts;
    if (this.#isStale) this.#refresh();
    const now = clock.now();
    for (const { id } of members.present()) {
      const heard = Math.max(heardAt(id) ?? 0, this.#detector?.heardAt(id) ?? 0);
      const isThere = now - heard < BLOCKED_MS || this.view(id)?.verdict === 'alive';
      if (!this.#detector?.isLost(id) || !isThere) this.#blockedSince.delete(id);
      else if (!this.#blockedSince.has(id)) this.#blockedSince.set(id, now);
      if (!this.isBlocked(id)) {
        this.#logged.delete(id);
        continue;
      }
      if (!this.#logged.has(id))
        log.warn({ id, name: members.nameOf(id), port: at.port }, 'UDP packets of a host do not arrive');
      this.#logged.add(id);
    }
    for (const id of this.#blockedSince.keys()) if (!members.isPresent(id)) this.#blockedSince.delete(id);
    this.#cancel = clock.after(WATCH_MS, () => this.#watch());
  }
}
