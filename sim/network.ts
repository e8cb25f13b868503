import type { GossipMessage, GossipWire } from '../src/cluster/gossip/gossip.ts';
import type { Answer, Done } from '../src/cluster/ports.ts';
import { CodedError } from '../src/errors.ts';
import type { Json } from '../src/ports/store.ts';
import type { Host } from './host.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

export interface Weather {
  /** Probability that a message of a request is lost, or comes twice. */
  readonly loss: number;
  readonly twice: number;
  /** The same for a message on a link, which TCP would never do to it. */
  readonly linkLoss: number;
  /** Longest time that a message takes, in milliseconds. */
  readonly delayMs: number;
}

interface Connection {
  readonly a: Host;
  readonly b: Host;
  readonly lifeA: number;
  readonly lifeB: number;
  cut: () => void;
}

/** What carries messages between the hosts, and loses them, and is cut. */
export class Network {
  weather: Weather = { loss: 0, twice: 0, linkLoss: 0, delayMs: 5 };
  readonly #timeline: Timeline;
  readonly #random: Random;
  /** Which side of a cut a host is on; all on the same: no cut. */
  readonly #sides = new Map<Host, number>();
  /** Pairs, as `from>to`, that do not get through although they are on one side. */
  readonly #mute = new Set<string>();
  readonly #connections = new Set<Connection>();

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  /** Whether what `from` sends reaches `to`. */
  reaches(from: Host, to: Host): boolean {
    if (!from.up || !to.up) return false;
    if ((this.#sides.get(from) ?? 0) !== (this.#sides.get(to) ?? 0)) return false;
    return !this.#mute.has(`${from.name}>${to.name}`);
  }

  side(host: Host, side: number): void {
    this.#sides.set(host, side);
    this.#check();
  }

  mute(from: Host, to: Host): void {
    this.#mute.add(`${from.name}>${to.name}`);
    this.#check();
  }

  heal(): void {
    this.#sides.clear();
    this.#mute.clear();
  }

  isLinked(a: Host, b: Host): boolean {
    return [...this.#connections].some((one) => (one.a === a && one.b === b) || (one.a === b && one.b === a));
  }

  linksOf(host: Host): number {
    return [...this.#connections].filter(({ a, b }) => a === host || b === host).length;
  }

  /** Connects two hosts, if they get through and let each other in. */
  connect(a: Host, b: Host): void {
    if (!this.reaches(a, b) || !this.reaches(b, a) || this.isLinked(a, b)) return;
    if (!a.greet(b) || !b.greet(a)) return;
    const wires = [this.#wire(a, b), this.#wire(b, a)] as const;
    const atA = a.node.gossip.connected(b.id, wires[0].wire);
    const atB = b.node.gossip.connected(a.id, wires[1].wire);
    wires[0].to = atB.take;
    wires[1].to = atA.take;
    const connection: Connection = {
      a,
      b,
      lifeA: a.life,
      lifeB: b.life,
      cut: () => {
        this.#connections.delete(connection);
        for (const wire of wires) wire.to = () => {};
        atA.ended();
        atB.ended();
      },
    };
    this.#connections.add(connection);
  }

  /** Ends connections over which nothing gets through any more. */
  #check(): void {
    for (const connection of [...this.#connections]) {
      const { a, b, lifeA, lifeB, cut } = connection;
      if (a.life !== lifeA || b.life !== lifeB || !this.reaches(a, b) || !this.reaches(b, a)) cut();
    }
  }

  /** A host has died or started. */
  changed(): void {
    this.#check();
  }

  ask(from: Host, to: Host | undefined, method: string, body: Json, ms: number, done: Done<Answer>): void {
    const { life } = from;
    let answered = false;
    const finish: Done<Answer> = (error, answer) => {
      if (answered || from.life !== life || !from.up) return;
      answered = true;
      cancel();
      done(error, answer);
    };
    const cancel = this.#timeline.after(ms, () =>
      finish(new CodedError('NR_MEMBER_UNREACHABLE', `${to?.name ?? 'nobody'} does not answer`)),
    );
    if (!to) return;
    const copy = JSON.stringify(body);
    this.#send(from, to, () => {
      const receiver = to.life;
      to.node.cluster.serve(method, from.id, JSON.parse(copy) as Json, (error, answer) => {
        if (to.life === receiver) this.#send(to, from, () => finish(error, answer));
      });
    });
  }

  #send(from: Host, to: Host, deliver: () => void): void {
    const { loss, twice, delayMs } = this.weather;
    const times = this.#random.chance(loss) ? 0 : this.#random.chance(twice) ? 2 : 1;
    for (let i = 0; i < times; i++) {
      // Now and then one is very late.
      const late = this.#random.chance(0.02) ? 100 : 1;
      this.#timeline.after(this.#random.next() * delayMs * late, () => {
        if (this.reaches(from, to)) to.during(deliver);
      });
    }
  }

  #wire(from: Host, to: Host): { wire: GossipWire; to: (message: GossipMessage) => void } {
    let last = 0;
    const end = {
      to: (_message: GossipMessage) => {},
      wire: {
        waiting: 0,
        send: (message: GossipMessage) => {
          if (this.#random.chance(this.weather.linkLoss)) return;
          // In order, as TCP has it.
          last = Math.max(last, this.#timeline.now + this.#random.next() * this.weather.delayMs);
          this.#timeline.after(last - this.#timeline.now, () => {
            if (this.reaches(from, to)) to.during(() => end.to(message));
          });
        },
      },
    };
    return end;
  }
}
