import type { GossipMessage, GossipWire } from '../src/cluster/gossip/gossip.ts';
import { haltOf } from '../src/cluster/protocol/greeting.ts';
import type { Answer, Done } from '../src/cluster/protocol/ports.ts';
import { CodedError } from '../src/errors.ts';
import type { Json } from '../src/ports/store.ts';
import type { Versioned } from '../src/store/crdt/record.ts';
import type { Host } from './host.ts';
import type { World } from './world.ts';

export interface Weather {
  /** Probability that a message of a request is lost, or comes twice. */
  readonly loss: number;
  readonly twice: number;
  /** The same for a message on a link, which TCP would never do to it. */
  readonly linkLoss: number;
  /** Probability that a message on a link comes twice, or is overtaken by later ones, which TCP would not do either. */
  readonly linkDisorder?: number;
  /** Longest time that a message takes, in milliseconds; a few requests take up to a hundred times as long. */
  readonly delayMs: number;
  /** The same on links, if that is another time. */
  readonly linkDelayMs?: number;
  /** Probability that a link stands still with a message, for up to twenty seconds. */
  readonly stall: number;
}

export const CALM: Weather = { loss: 0, twice: 0, linkLoss: 0, delayMs: 5, stall: 0 };
const STALL_MS = 20_000;
/** A connection over which nothing is heard counts as open for so long. */
const SILENT_MS = 30_000;

/** A request or its answer on its way, for tests that decide what becomes of it. */
export interface Passage {
  readonly from: Host;
  readonly to: Host;
  readonly method: string;
  readonly isAnswer: boolean;
  deliver(): void;
}

interface End {
  readonly host: Host;
  readonly life: number;
  /** When the last message to this end arrives. */
  last: number;
  /** How many messages were sent to it, and the latest one that has arrived. */
  sent: number;
  latest: number;
  take: (message: GossipMessage) => void;
  ended: () => void;
}

type Connection = readonly [End, End];

/** A connection whose other end is not there any more, which nobody has noticed. */
interface Ghost {
  readonly host: Host;
  readonly life: number;
  readonly peer: string;
  readonly boot: string;
  readonly until: number;
}

/** What carries messages between the hosts, and loses them, and is cut. */
export class Network {
  weather: Weather = CALM;
  /** True for a passage that the caller sees to. */
  intercept: ((passage: Passage) => boolean) | undefined;
  readonly #world: World;
  /** Which side of a cut a host is on; all on the same: no cut. */
  readonly #sides = new Map<Host, number>();
  /** Pairs, as `from>to`, that do not get through although they are on one side. */
  readonly #mute = new Set<string>();
  readonly #connections = new Set<Connection>();
  /** Who is to lose a record. */
  readonly #losing = new Set<Host>();
  #ghosts: Ghost[] = [];
  /** The latest request or answer that has arrived, by `from>to`. */
  readonly #latest = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether what `from` sends now reaches `to`. */
  reaches(from: Host, to: Host): boolean {
    return from.up && this.#passes(from, to);
  }

  side(host: Host, side: number): void {
    this.#sides.set(host, side);
    this.changed();
  }

  mute(from: Host, to: Host): void {
    this.#mute.add(`${from.name}>${to.name}`);
    this.changed();
  }

  heal(): void {
    this.#sides.clear();
    this.#mute.clear();
  }

  isLinked(a: Host, b: Host): boolean {
    return [...this.#connections].some(
      ([one, other]) => (one.host === a && other.host === b) || (one.host === b && other.host === a),
    );
  }

  linksOf(host: Host): number {
    return [...this.#connections].filter((ends) => ends.some((end) => end.host === host)).length;
  }

  /** Boots of a member that a host has a connection with, or takes for having one. */
  *boots(at: Host, member: string): Iterable<string> {
    for (const [one, other] of this.#connections) {
      const peer = one.host === at ? other.host : other.host === at ? one.host : undefined;
      if (peer?.id === member && peer.up) yield peer.node.boot;
    }
    const { now } = this.#world.timeline;
    for (const { host, life, peer, boot, until } of this.#ghosts)
      if (host === at && life === at.life && peer === member && until > now) yield boot;
  }

  /** A host ends without a word: others may take their connections with it for open for a while. */
  vanishes(host: Host): void {
    const { random, timeline } = this.#world;
    this.#ghosts = this.#ghosts.filter(({ until }) => until > timeline.now);
    for (const ends of this.#connections) {
      const other = ends[0].host === host ? ends[1] : ends[1].host === host ? ends[0] : undefined;
      if (!other || !random.chance(0.3)) continue;
      const until = timeline.now + random.next() * SILENT_MS;
      const { life } = other;
      this.#ghosts.push({ host: other.host, life, peer: host.id, boot: host.node.boot, until });
    }
  }

  /** Of what a host is told next, one record is left out, and neither it nor anybody else can see that. */
  loseOne(host: Host): void {
    this.#losing.add(host);
  }

  /** Ends one of a host's links. */
  cutOne(host: Host): void {
    const ends = this.#world.random.pick(
      [...this.#connections].filter((one) => one.some((end) => end.host === host)),
    );
    if (!ends) return;
    this.#connections.delete(ends);
    for (const { ended } of ends) ended();
  }

  /** Connects two hosts, if they get through and let each other in. */
  connect(a: Host, b: Host): void {
    if (!this.reaches(a, b) || !this.reaches(b, a) || this.isLinked(a, b)) return;
    if (!a.greet(b) || !b.greet(a)) return;
    const ends: Connection = [end(a), end(b)];
    const atA = a.node.gossip.connected(b.id, this.#wire(a, ends[1]));
    const atB = b.node.gossip.connected(a.id, this.#wire(b, ends[0]));
    Object.assign(ends[0], atA);
    Object.assign(ends[1], atB);
    this.#connections.add(ends);
  }

  /** A host has died or started, or something is cut: ends connections over which nothing gets through any more. */
  changed(): void {
    for (const ends of [...this.#connections]) {
      const [a, b] = ends;
      const isThere = a.host.life === a.life && b.host.life === b.life;
      if (isThere && this.reaches(a.host, b.host) && this.reaches(b.host, a.host)) continue;
      this.#connections.delete(ends);
      for (const { host, life, last, ended } of ends) {
        // What was on its way before the other end died still arrives.
        const wait = isThere ? 0 : last - this.#world.timeline.now;
        this.#world.timeline.after(wait, () => {
          if (host.life === life) ended();
        });
      }
    }
  }

  ask(from: Host, to: Host | undefined, method: string, body: Json, ms: number, done: Done<Answer>): void {
    const { life } = from;
    const { timeline } = this.#world;
    let answered = false;
    const finish: Done<Answer> = (error, answer) => {
      if (answered || from.life !== life || !from.up) return;
      answered = true;
      cancel();
      this.#world.trace(
        from,
        () => `${method} of ${to?.name}: ${error?.what ?? JSON.stringify(answer?.body)}`,
      );
      done(error, answer);
    };
    const cancel = timeline.after(ms, () =>
      finish(new CodedError('NR_MEMBER_UNREACHABLE', `${to?.name ?? 'nobody'} does not answer`)),
    );
    if (!to) return;
    const copy = JSON.stringify(body);
    this.#world.trace(from, () => `asks ${to.name} ${method} ${copy}`);
    this.#send(from, to, method, false, () => {
      const receiver = to.life;
      to.node.cluster.serve(method, from.id, JSON.parse(copy) as Json, (error, answer) => {
        if (to.life === receiver) this.#send(to, from, method, true, () => finish(error, answer));
      });
    });
  }

  #send(from: Host, to: Host, method: string, isAnswer: boolean, deliver: () => void): void {
    const { random, timeline, counts } = this.#world;
    const { loss, twice, delayMs } = this.weather;
    const pair = `${from.name}>${to.name}`;
    const number = ++counts.sent;
    const arrive = () => {
      if (!this.#passes(from, to)) return;
      if (number < (this.#latest.get(pair) ?? 0)) counts.overtaken++;
      else this.#latest.set(pair, number);
      to.during(deliver);
    };
    if (this.intercept?.({ from, to, method, isAnswer, deliver: arrive })) return;
    if (!this.reaches(from, to)) return;
    const times = random.chance(loss) ? 0 : random.chance(twice) ? 2 : 1;
    if (times === 0) counts.lost++;
    if (times === 2) counts.doubled++;
    for (let i = 0; i < times; i++) {
      // Now and then one is very late.
      const late = random.chance(0.02) ? 100 : 1;
      timeline.after(random.next() * delayMs * late, arrive);
    }
  }

  #wire(from: Host, to: End): GossipWire {
    const { timeline } = this.#world;
    return {
      waiting: 0,
      refuse: (verdict) => {
        const halt = haltOf(verdict);
        timeline.after(this.weather.delayMs, () => {
          if (halt && to.host.life === to.life && this.#passes(from, to.host))
            to.host.node.cluster.standing.halt(halt);
        });
      },
      distrust: (error) => this.#world.fault(error), // nobody lies here
      send: (message) => {
        if (this.reaches(from, to.host)) this.#post(from, to, message);
      },
    };
  }

  #post(from: Host, to: End, message: GossipMessage): void {
    const { random, timeline, counts } = this.#world;
    const { delayMs, linkDelayMs = delayMs, linkLoss, linkDisorder = 0, stall } = this.weather;
    const number = ++to.sent;
    counts.sent++;
    if (random.chance(linkLoss)) {
      counts.lost++;
      return;
    }
    const arrive = () => {
      if (to.host.life !== to.life || !this.#passes(from, to.host)) return;
      if (number < to.latest) counts.overtaken++;
      else to.latest = number;
      to.host.during(() => to.take(this.#without(to.host, message)));
    };
    if (linkDisorder > 0 && random.chance(linkDisorder)) {
      const isTwice = random.chance(0.5);
      if (isTwice) counts.doubled++;
      timeline.after(random.next() * 20 * linkDelayMs, arrive);
      if (!isTwice) return;
    }
    const isStalled = random.chance(stall);
    if (isStalled) counts.stalled++;
    // In order, as TCP has it.
    to.last = Math.max(to.last, timeline.now + random.next() * (isStalled ? STALL_MS : linkDelayMs));
    timeline.after(to.last - timeline.now, arrive);
  }

  /**
   * A message without one of its records, if its receiver is to lose one. Not one that who is in, or who owns what, stands
   * on, nor an end of something: what is missing of these has to be asked for in time.
   */
  #without(host: Host, message: GossipMessage): GossipMessage {
    if (message.kind !== 'ranges' || !this.#losing.has(host)) return message;
    const { known, isMember } = { known: host.node.replica, isMember: this.#world.isMember(host) };
    const isLosable = ({ key, text, origin, sequence }: Versioned) =>
      /^(allocation|lent|policy)\//.test(key) && text !== undefined && sequence > known.known(origin);
    const lost = message.ranges.flatMap(({ records }) => records).find(isLosable);
    if (!lost || !isMember) return message;
    this.#losing.delete(host);
    this.#world.counts.lostRecords++;
    this.#world.trace(host, () => `loses ${lost.key} (${lost.origin} ${lost.sequence})`);
    const ranges = message.ranges.map((range) => ({
      ...range,
      records: range.records.filter((version) => version !== lost),
    }));
    return { ...message, ranges };
  }

  /** Whether what `from` has sent reaches `to`, even if `from` has died since. */
  #passes(from: Host, to: Host): boolean {
    if (!to.up || (this.#sides.get(from) ?? 0) !== (this.#sides.get(to) ?? 0)) return false;
    return !this.#mute.has(`${from.name}>${to.name}`);
  }
}

function end(host: Host): End {
  return { host, life: host.life, last: 0, sent: 0, latest: 0, take: () => {}, ended: () => {} };
}
