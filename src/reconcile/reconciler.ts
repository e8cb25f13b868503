import type { CodedError } from '../errors.ts';
import { asCoded } from '../errors.ts';
import type { EndpointPlan } from '../plan/endpoint.ts';
import { inOrder } from '../plan/order.ts';
import { Tracker } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import { type Firewall, type FirewallResource, type Flows, firewallKey } from '../ports/firewall.ts';
import { type Kernel, type KernelEvent, type KernelResource, kernelKey } from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import {
  type Announcement,
  type Peer,
  type Speaker,
  type SpeakerResource,
  speakerKey,
} from '../ports/speaker.ts';
import { Inside } from './inside.ts';
import { Lane } from './lane.ts';
import { PortFlows } from './portflows.ts';
import { type Failure, Repeated } from './repeated.ts';
import { Speaking } from './speaking.ts';
import { Suspects } from './suspects.ts';
import { Waiters } from './waiters.ts';
import { within } from './within.ts';

/** How often everything is read back, in milliseconds. */
const RESYNC_MS = 60_000;
/** Longest wait for the first look at the host and the first pass, in milliseconds: then Docker is served all the same. */
const START_MS = 10_000;
/** What stands for the key where it is not one that fails, but the look at all of them. */
export const READ_BACK = 'read-back';

export interface ReconcilerParts {
  readonly kernel: Kernel;
  readonly firewall: Firewall;
  readonly flows: Flows;
  readonly speaker: Speaker;
  readonly clock: Clock;
  readonly log: Log;
  /** What an endpoint needs now; nothing for one that does not exist. */
  readonly planOf: (endpoint: string) => EndpointPlan;
  readonly endpoints: () => Iterable<string>;
  /** The endpoint's veth has gone. */
  readonly lost: (endpoint: string) => void;
}

/**
 * The loop that makes the host as planned. Marked endpoints are planned anew, then in this order: withdraw what is
 * no longer announced, change kernel and firewall, tell those who wait, announce what works. The speaker is never
 * waited for except, briefly, before a path is taken away. What fails stays dirty and is tried again with backoff.
 * Addresses inside of sandboxes come beside the passes, as entering a sandbox may hang, and before Docker has moved the
 * interface there it cannot be done: each is announced when it is there.
 */
export class Reconciler {
  readonly kernel: Lane<KernelResource>;
  readonly firewall: Lane<FirewallResource>;
  readonly speaker: Lane<SpeakerResource>;
  readonly inside: Inside;
  readonly flows: PortFlows;
  readonly stats = { passes: 0, resyncs: 0, errors: 0, lastPassMs: 0 };
  readonly #parts: ReconcilerParts;
  readonly #waiters: Waiters;
  readonly #dirty = new Set<string>();
  readonly #announcements = new Map<string, readonly Announcement[]>();
  readonly #stops: (() => void)[] = [];
  /** What is done now and then beside the passes, by lane and name. */
  readonly #repeated = new Map<string, { lane: string; key: string; work: Repeated }>();
  readonly #readKernel: Repeated;
  readonly #readFirewall: Repeated;
  readonly #speaking: Speaking;
  readonly #suspects: Suspects;
  readonly #resyncListeners: (() => void)[] = [];
  /** Who waits for a pass that begins from now on. */
  #awaiting: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #again = false;
  #closed = false;
  /** Somebody has deleted the firewall's table since it was last looked at. */
  #flushed = false;
  /** The first look at the host is over, with or without success. */
  #looked = false;
  #cancelRetry: () => void = () => {};
  #cancelResync: () => void = () => {};

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.kernel = new Lane('kernel', new Tracker(kernelKey), parts.kernel, parts.clock);
    this.firewall = new Lane('firewall', new Tracker(firewallKey), parts.firewall, parts.clock);
    this.inside = new Inside({
      kernel: parts.kernel,
      clock: parts.clock,
      linked: (link) => this.kernel.tracker.there().has(`link ${link}`),
      entered: (owner) => this.#entered(owner),
    });
    this.flows = new PortFlows({
      flows: parts.flows,
      clock: parts.clock,
      inForce: (key) => this.firewall.tracker.there().get(key),
      failed: (key, error) => this.#report(`flows: ${key}`, error),
    });
    this.#waiters = new Waiters(parts.clock);
    this.#readKernel = this.repeat('kernel', READ_BACK, () => this.#lookAtKernel());
    this.#readFirewall = this.repeat('firewall', READ_BACK, () => this.#lookAtFirewall());
    this.#speaking = new Speaking({
      speaker: parts.speaker,
      clock: parts.clock,
      repeat: (work) => this.repeat('speaker', READ_BACK, work),
      unknown: () => this.inside.unknown(),
      told: () => this.#scheduleRetry(),
    });
    this.speaker = this.#speaking.lane;
    this.#suspects = new Suspects(
      parts.clock,
      (prefixes) =>
        [...this.kernel.tracker.there().values()].some(
          (one) => one.kind === 'route' && prefixes.has(one.prefix),
        ),
      () => void this.#readKernel.now(),
    );
  }

  get lanes() {
    return [this.kernel, this.firewall, this.speaker, this.inside.lane, this.flows.lane] as const;
  }

  /**
   * Plans everything and starts to follow the kernel. What is found and not wanted goes with the first pass, which is
   * waited for: not until there is nothing left to do, as that may never be, and 10 s at most.
   */
  async start(): Promise<void> {
    this.#stops.push(this.#parts.kernel.watch((event) => this.#kernelEvent(event)));
    // Somebody has deleted the table: every look prepares it again.
    this.#stops.push(
      this.#parts.firewall.watch(() => {
        this.#flushed = true;
        void this.resync();
      }),
    );
    // Only then it is known what is not wanted any more.
    const first = this.resync().then(() => this.#speaking.begin());
    const every = () => {
      if (this.#closed) return;
      void this.resync().finally(() => this.#later(RESYNC_MS, every));
    };
    this.#later(RESYNC_MS, every);
    await within(this.#parts.clock, START_MS, first);
  }

  /**
   * Something else to be done now and then for the host's sake: after a failure, which shows among the others, it is
   * tried again by itself. It ends with the loop.
   */
  repeat(lane: string, key: string, work: () => Promise<void>): Repeated {
    const repeated = new Repeated(work, this.#parts.clock, ({ error, count }: Failure) =>
      this.#report(`${lane}: ${key}`, error, count),
    );
    this.#repeated.set(`${lane} ${key}`, { lane, key, work: repeated });
    return repeated;
  }

  /** Calls back at each full read-back. */
  onResync(listener: () => void): void {
    this.#resyncListeners.push(listener);
  }

  /** The endpoint may have changed. */
  mark(endpoint: string): void {
    this.#dirty.add(endpoint);
    this.#kick();
  }

  /**
   * Marks, and waits until kernel and firewall are as planned for the endpoint.
   * @throws NR_DEADLINE after `ms`, or the error that stands in the way
   */
  settled(endpoint: string, ms: number): Promise<void> {
    const owner = ownerOf(endpoint);
    const wait = this.#waiters.wait(
      endpoint,
      ms,
      () => this.kernel.errorOf(owner) ?? this.firewall.errorOf(owner),
    );
    this.mark(endpoint);
    return wait;
  }

  /** Replaces what is wanted of the kernel on somebody else's behalf: the learned routes. */
  wantKernel(owner: string, resources: readonly KernelResource[]): void {
    this.kernel.tracker.want(owner, resources);
    this.#kick();
  }

  wantPeers(peers: readonly Peer[], owner: 'peers' | 'mesh' = 'peers'): void {
    this.speaker.tracker.want(owner, peers);
    this.#speaking.kick();
  }

  /** The speaker can be talked to, or cannot. */
  speakerUp(up: boolean): void {
    this.#speaking.engineUp(up);
  }

  /**
   * Reads everything back and repairs. Resolves after the pass that follows; what cannot be read is reported, and read
   * later.
   */
  async resync(): Promise<void> {
    this.stats.resyncs++;
    for (const listener of this.#resyncListeners) listener();
    for (const id of this.#parts.endpoints()) this.#dirty.add(id);
    for (const owner of this.kernel.tracker.owners()) {
      if (owner.startsWith('endpoint ')) this.#dirty.add(owner.slice('endpoint '.length));
    }
    this.#speaking.readBack();
    await Promise.all([this.#readKernel.now(), this.#readFirewall.now()]);
    this.#looked = true;
    await this.#nextPass();
  }

  /** Resolves when no pass is running or asked for. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Resolves when what was to be told to the speaker by now has been told, or failed. */
  async spoken(): Promise<void> {
    await this.idle();
    await this.#speaking.spoken();
  }

  /** Ends the loop; what was applied stays in force. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    this.#cancelResync();
    this.#suspects.close();
    this.inside.lane.close();
    this.flows.lane.close();
    for (const stop of this.#stops) stop();
    await Promise.all([...this.#repeated.values()].map(({ work }) => work.close()));
    await this.idle();
    for (const done of this.#awaiting.splice(0)) done();
    await this.#speaking.close();
  }

  /** What does not work now, by key. */
  failures(): {
    readonly lane: string;
    readonly key: string;
    readonly error: CodedError;
    readonly count: number;
  }[] {
    const whole = [...this.#repeated.values()].flatMap(({ lane, key, work: { failure } }) =>
      failure ? [{ lane, key, error: failure.error, count: failure.count }] : [],
    );
    const single = this.lanes.flatMap((lane) =>
      [...lane.failures].map(([key, { error, count }]) => ({ lane: lane.name, key, error, count })),
    );
    return [...whole, ...single];
  }

  /** Only the latest is kept, so that years of resyncs leave nothing behind. */
  #later(ms: number, call: () => void): void {
    if (!this.#closed) this.#cancelResync = this.#parts.clock.after(ms, call);
  }

  #kick(): void {
    // What is to be done before the first look is remembered, and done after it.
    if (this.#closed || !this.#looked) return;
    this.#again = true;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      // One turn of the event loop, so that what comes together is done together.
      await new Promise((resolve) => setImmediate(resolve));
      this.#again = false;
      const awaiting = this.#awaiting.splice(0);
      this.inside.hold();
      try {
        await this.#pass();
      } catch (error) {
        this.#report('pass', error);
      }
      this.inside.go();
      this.flows.go();
      for (const done of awaiting) done();
    }
    this.#running = undefined;
    this.#scheduleRetry();
  }

  /** Has a pass made, and resolves when it is over, whatever there is to be done then. */
  #nextPass(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#awaiting.push(resolve);
      this.#kick();
    });
  }

  async #pass(): Promise<void> {
    const started = this.#parts.clock.now();
    const planned = [...this.#dirty];
    this.#dirty.clear();
    for (const id of planned) {
      try {
        this.#plan(id);
      } catch (error) {
        this.#report(`plan of ${id}`, error);
      }
    }

    await this.#speaking.withdraw();
    const isPut = (operation: { readonly do: string }) => operation.do === 'put';
    await Promise.all([this.firewall.apply(this.firewall.due(isPut)), this.#applyKernel()]);
    await this.firewall.apply(this.firewall.due((operation) => !isPut(operation)));

    for (const id of new Set([...planned, ...this.#waiters.keys(), ...this.#unannounced()]))
      this.#conclude(id);
    this.#speaking.kick();
    this.stats.passes++;
    this.stats.lastPassMs = this.#parts.clock.now() - started;
  }

  #plan(id: string): void {
    const plan = this.#parts.planOf(id);
    const owner = ownerOf(id);
    this.kernel.tracker.want(owner, plan.kernel);
    this.inside.lane.tracker.want(owner, plan.sandbox);
    this.firewall.tracker.want(owner, plan.firewall);
    this.flows.want(owner, plan.firewall);
    if (plan.announcements.length > 0) this.#announcements.set(id, plan.announcements);
    else this.#announcements.delete(id);
    // Only what was announced before and still shall be goes on meanwhile.
    const keep = plan.announcements.filter((one) => this.speaker.tracker.owned(owner).has(speakerKey(one)));
    this.speaker.tracker.want(owner, keep);
  }

  async #applyKernel(): Promise<void> {
    const { ordered, implied } = inOrder(this.kernel.due());
    await this.kernel.apply(ordered);
    for (const key of implied) this.kernel.tracker.done(key, undefined);
  }

  #conclude(id: string): void {
    const owner = ownerOf(id);
    const error = this.kernel.errorOf(owner) ?? this.firewall.errorOf(owner);
    const settled = this.kernel.tracker.settled(owner) && this.firewall.tracker.settled(owner);
    if (settled) {
      const missing = this.inside.missing(owner);
      const announced = (this.#announcements.get(id) ?? []).filter(({ prefix }) => !missing.has(prefix));
      this.speaker.tracker.want(owner, announced);
    }
    if (this.#dirty.has(id)) return;
    if (settled) this.#waiters.settle(id);
    else if (error) this.#waiters.fail(id, error);
  }

  /** At once, so that no pass takes back what was announced before and turns out to be right. */
  #entered(owner: string): void {
    this.#conclude(owner.slice('endpoint '.length));
    this.#speaking.kick();
  }

  /** Endpoints whose announcements wait for their path. */
  *#unannounced(): Iterable<string> {
    for (const [id, wanted] of this.#announcements) {
      if (this.speaker.tracker.owned(ownerOf(id)).size !== wanted.length) yield id;
    }
  }

  async #lookAtKernel(): Promise<void> {
    const stamp = this.kernel.tracker.stamp();
    this.kernel.tracker.found(await this.#parts.kernel.read(), stamp);
    this.#kick();
  }

  async #lookAtFirewall(): Promise<void> {
    const flushed = this.#flushed;
    await this.#parts.firewall.prepare();
    const stamp = this.firewall.tracker.stamp();
    const read = await this.#parts.firewall.read();
    this.firewall.tracker.found(read, stamp);
    this.flows.adopt(read);
    if (flushed) {
      this.#flushed = false;
      this.flows.doubt();
    }
    this.#kick();
  }

  #kernelEvent(event: KernelEvent): void {
    const { tracker } = this.kernel;
    if (event.kind === 'overrun') this.#suspects.add();
    if (event.kind === 'link') {
      const owner = tracker.ownerOf(`link ${event.name}`);
      if (!owner) return;
      if (!event.gone) this.inside.heard(owner);
      if (event.gone) {
        const id = owner.slice('endpoint '.length);
        this.#parts.lost(id);
        for (const key of tracker.owned(owner).keys()) tracker.lost(key);
        this.inside.lost(owner);
        this.mark(id);
      }
      return;
    }
    if (event.kind === 'route' && event.gone) this.#suspects.add(event.prefix);
  }

  #scheduleRetry(): void {
    // While the speaker cannot be told anything its lane rests: a pass could do nothing for it.
    const lanes = [this.kernel, this.firewall, ...(this.#speaking.open ? [this.speaker] : [])];
    const pauses = lanes.map((lane) => lane.nextRetry());
    const next = Math.min(...pauses.map((pause) => pause ?? Number.POSITIVE_INFINITY));
    this.#cancelRetry();
    if (!Number.isFinite(next) || this.#closed) return;
    this.#cancelRetry = this.#parts.clock.after(Math.max(next, 1), () => this.#kick());
  }

  /** `count`: how often in a row; only the first is loud, as the others come every 15 s and show in the status. */
  #report(where: string, error: unknown, count = 1): void {
    this.stats.errors++;
    const { log } = this.#parts;
    const context = { err: asCoded(error), where, count };
    if (count === 1) log.error(context, 'reconcile');
    else log.debug(context, 'reconcile');
  }
}

function ownerOf(endpoint: string): string {
  return `endpoint ${endpoint}`;
}
