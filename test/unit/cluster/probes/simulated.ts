/** Hosts whose detectors talk over a network that loses, delays and is cut; in simulated time. */
import { Random } from '../../../../sim/random.ts';
import { Timeline } from '../../../../sim/timeline.ts';
import { Detector } from '../../../../src/cluster/probes/detector.ts';
import { decodePacket, encodePacket, type Packet } from '../../../../src/cluster/probes/packet.ts';
import type { Verdict } from '../../../../src/cluster/probes/statements.ts';
import type { Clock } from '../../../../src/ports/clock.ts';

export interface Change {
  readonly at: number;
  readonly by: string;
  readonly about: string;
  readonly verdict: Verdict | undefined;
}

export class SimulatedHost {
  readonly id: string;
  readonly #world: SimulatedWorld;
  #detector: Detector<number> | undefined;
  #starts = 0;
  /** While it stands still: what it would have done, timers before packets as in Node's event loop. */
  #late: { readonly timers: (() => void)[]; readonly packets: (() => void)[] } | undefined;

  constructor(id: string, world: SimulatedWorld) {
    this.id = id;
    this.#world = world;
  }

  get isUp(): boolean {
    return this.#detector !== undefined;
  }

  get isPaused(): boolean {
    return this.#late !== undefined;
  }

  get detector(): Detector<number> {
    return this.#detector!;
  }

  start(): void {
    const world = this.#world;
    const generation = ++this.#starts;
    const timer: Clock = {
      now: () => world.timeline.now,
      after: (ms, call) => {
        let isCancelled = false;
        const cancel = world.timeline.after(ms, () => {
          const due = () => {
            if (!isCancelled && generation === this.#starts) call();
          };
          if (this.#late) this.#late.timers.push(due);
          else due();
        });
        return () => {
          isCancelled = true;
          cancel();
        };
      },
    };
    this.#detector = new Detector<number>({
      self: this.id,
      start: generation,
      timer,
      random: world.random.next,
      send: (to, packet, way) => world.send(this.id, to, packet, way),
      confirm: (member, done) => timer.after(world.confirmMs, () => done(world.confirms(this.id, member))),
      changed: (about, verdict) =>
        world.changes.push({ at: world.timeline.now, by: this.id, about, verdict }),
    });
    this.#detector.set(world.ids.filter((id) => id !== this.id));
  }

  kill(): void {
    this.#detector?.stop();
    this.#detector = undefined;
    this.#starts++;
    this.#late = undefined;
  }

  pause(): void {
    this.#late = { timers: [], packets: [] };
  }

  resume(): void {
    const { timers, packets } = this.#late!;
    this.#late = undefined;
    for (const call of [...timers, ...packets]) call();
  }

  take(from: string, bytes: Buffer): void {
    const arrives = () => {
      const packet = decodePacket(bytes);
      if (!packet) throw new Error('a packet that cannot be read');
      this.#detector?.take(from, packet, bytes.length);
    };
    if (this.#late) this.#late.packets.push(arrives);
    else arrives();
  }
}

export class SimulatedWorld {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly hosts: SimulatedHost[];
  readonly ids: string[];
  readonly #byId: ReadonlyMap<string, SimulatedHost>;
  readonly changes: Change[] = [];
  /** Part of the packets that are lost. */
  loss = 0;
  latencyMs: readonly [number, number] = [0, 2];
  /** Whether packets of one get to the other. */
  passes: (from: string, to: string) => boolean = () => true;
  /** What TCP says, and after how long. */
  confirms: (from: string, to: string) => boolean = () => false;
  confirmMs = 100;
  packets = 0;
  longest = 0;

  constructor(count: number, seed: number) {
    this.random = new Random(seed);
    this.ids = Array.from({ length: count }, () =>
      Array.from({ length: 32 }, () => this.random.below(16).toString(16)).join(''),
    );
    this.hosts = this.ids.map((id) => new SimulatedHost(id, this));
    this.#byId = new Map(this.hosts.map((host) => [host.id, host]));
    for (const host of this.hosts) host.start();
  }

  /** `way`: how long the question was, which no answer exceeds. */
  send(from: string, to: string, packet: Packet, way: number | undefined): void {
    const bytes = encodePacket(packet, way);
    if (!bytes) throw new Error('an answer that is longer than its question');
    this.packets++;
    this.longest = Math.max(this.longest, bytes.length);
    if (this.random.chance(this.loss) || !this.passes(from, to)) return;
    const [least, most] = this.latencyMs;
    this.timeline.after(least + this.random.next() * (most - least), () =>
      this.#byId.get(to)?.take(from, bytes),
    );
  }

  run(seconds: number): void {
    this.timeline.run(seconds * 1000);
  }

  /** How many hosts that are up say this of a member. */
  count(about: SimulatedHost, verdict: Verdict | undefined): number {
    return this.hosts.filter(
      (host) => host.isUp && host !== about && host.detector.view(about.id)?.verdict === verdict,
    ).length;
  }

  /** All that are up take each other for alive. */
  get isCalm(): boolean {
    const up = this.hosts.filter(({ isUp }) => isUp);
    return up.every((host) => this.count(host, 'alive') === up.length - 1);
  }

  /** Seconds until something is so; undefined if not within so many. */
  until(condition: () => boolean, seconds: number): number | undefined {
    const begun = this.timeline.now;
    while (!condition()) {
      if (this.timeline.now - begun > seconds * 1000) return undefined;
      this.timeline.run(100);
    }
    return (this.timeline.now - begun) / 1000;
  }
}
