import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { holderOf, planLearned } from '../plan/learned.ts';
import { same } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import type { Kernel, KernelEvent, KernelResource, NextHop } from '../ports/kernel.ts';
import { METRIC_LEARNED } from '../ports/kernel.ts';
import type { LearnedRoute, SpeakerEvent } from '../ports/speaker.ts';
import type { Reconciler } from './reconciler.ts';
import type { Repeated } from './repeated.ts';

/** After the first of many changes of the underlay, before next hops are looked up again, in milliseconds. */
const SETTLE_MS = 100;

/** The host's own addresses by family, the preferred sources. */
interface Source {
  readonly 4?: string | undefined;
  readonly 6?: string | undefined;
}

interface Hop {
  readonly address: Address;
  /** None for what cannot be reached. */
  readonly way: Required<NextHop> | undefined;
}

/**
 * Routes that peers announced, in the kernel. They outlive the engine and the daemon: what is found at the start
 * stays until the engine has told all it knows, which after a restart of either is the first moment to judge.
 *
 * A next hop that is no neighbour's is reached as the host's own tables say. They are asked for it once, and again
 * when the underlay may have changed: at a change of addresses or default routes, of a route of others that covers a
 * next hop, and with each full read-back.
 */
export class Learned {
  readonly #routes = new Map<string, LearnedRoute>();
  readonly #kernel: Kernel;
  readonly #reconciler: Reconciler;
  readonly #source: () => Source;
  readonly #clock: Clock;
  readonly #adopted = new Set<string>();
  /** Prefixes whose route in the kernel may have to change. */
  readonly #dirty = new Set<string>();
  /** How next hops are reached, as far as it was asked. */
  #hops = new Map<string, Hop>();
  /** The source that was planned with. */
  #planned: Source | undefined;
  /** All next hops are to be looked up, known or not. */
  #anew = false;
  readonly #work: Repeated;
  readonly #stop: () => void;
  #cancel: (() => void) | undefined;

  constructor(parts: { kernel: Kernel; reconciler: Reconciler; source: () => Source; clock: Clock }) {
    this.#kernel = parts.kernel;
    this.#reconciler = parts.reconciler;
    this.#source = parts.source;
    this.#clock = parts.clock;
    this.#work = parts.reconciler.repeat('kernel', 'next hops', () => this.#install());
    this.#stop = parts.kernel.watch((event) => this.#event(event));
    parts.reconciler.onResync(() => this.underlayChanged());
  }

  /** Keeps what an earlier run learned, until the engine has told everything. To be called before the first pass. */
  adopt(found: Iterable<KernelResource>): void {
    for (const resource of found) {
      if (resource.kind !== 'route' || resource.metric !== METRIC_LEARNED) continue;
      this.#adopted.add(resource.prefix);
      this.#reconciler.wantKernel(`learned ${resource.prefix}`, [resource]);
    }
  }

  /** Takes over what the speaker tells, in the order told. */
  take(event: Extract<SpeakerEvent, { kind: 'learned' | 'learned-all' }>): void {
    const gone = event.kind === 'learned' ? event.prefixes : [...this.#routes.keys(), ...this.#adopted];
    if (event.kind === 'learned-all') this.#adopted.clear();
    for (const prefix of gone) {
      this.#routes.delete(prefix);
      this.#dirty.add(prefix);
    }
    for (const route of event.routes) {
      this.#routes.set(route.prefix, route);
      this.#dirty.add(route.prefix);
    }
    void this.#work.now();
  }

  /** The underlay may have changed: next hops may be elsewhere now. */
  underlayChanged(): void {
    this.#cancel ??= this.#clock.after(SETTLE_MS, () => {
      this.#cancel = undefined;
      this.#anew = true;
      void this.#work.now();
    });
  }

  /** Who announces exactly this address. */
  holder(address: Address): LearnedRoute | undefined {
    return holderOf(this.#routes, address);
  }

  all(): ReadonlyMap<string, LearnedRoute> {
    return this.#routes;
  }

  /** Next hops, those of other hosts say, that are not on a link of this host, with the router on the way there. */
  routed(): { readonly hop: string; readonly router: string }[] {
    const used = new Set<string>();
    for (const { nextHops } of this.#routes.values())
      for (const { via, dev } of nextHops) if (!dev) used.add(via);
    return [...used].flatMap((hop) => {
      const router = this.#hops.get(hop)?.way?.via;
      return router === undefined || router === hop ? [] : [{ hop, router }];
    });
  }

  async close(): Promise<void> {
    this.#stop();
    this.#cancel?.();
    await this.#work.close();
  }

  /**
   * Our own routes are passed over: what is learned would otherwise change the way to what it was learned from, on and
   * on.
   */
  #event(event: KernelEvent): void {
    if (event.kind === 'overrun') this.underlayChanged();
    if (event.kind !== 'foreign-route' || this.#cancel) return;
    const prefix = Prefix.parse(event.prefix);
    const hops = [...this.#hops.values()];
    if (hops.some(({ address }) => prefix.contains(address))) this.underlayChanged();
  }

  /** @throws CodedError what the kernel says when it cannot be asked; the rest is done all the same */
  async #install(): Promise<void> {
    const source = this.#source();
    if (!same(source, this.#planned)) for (const prefix of this.#routes.keys()) this.#dirty.add(prefix);
    this.#planned = source;
    // What needs nobody's answer does not wait for it: above all, what is gone.
    this.#plan((hop) => hop?.way !== undefined);
    if (this.#anew) await this.#lookUpAnew();
    const unknown = new Set<string>();
    for (const prefix of this.#dirty) {
      for (const { via, dev } of this.#routes.get(prefix)?.nextHops ?? []) {
        if (!dev && !this.#hops.get(via)?.way) unknown.add(via);
      }
    }
    for (const [via, hop] of await this.#ask(unknown)) this.#hops.set(via, hop);
    // Prefixes that came meanwhile with other next hops are for the next time.
    this.#plan((hop) => hop !== undefined);
  }

  /** Looks up all next hops in one go, and marks the prefixes that are to go elsewhere. */
  async #lookUpAnew(): Promise<void> {
    const vias = new Set<string>();
    for (const { nextHops } of this.#routes.values())
      for (const { via, dev } of nextHops) if (!dev) vias.add(via);
    this.#anew = false;
    const before = this.#hops;
    try {
      this.#hops = await this.#ask(vias);
    } catch (error) {
      this.#anew = true;
      throw error;
    }
    const elsewhere = new Set(
      [...vias].filter((via) => !same(before.get(via)?.way, this.#hops.get(via)?.way)),
    );
    if (elsewhere.size === 0) return;
    for (const [prefix, { nextHops }] of this.#routes) {
      if (nextHops.some(({ via, dev }) => !dev && elsewhere.has(via))) this.#dirty.add(prefix);
    }
  }

  async #ask(vias: ReadonlySet<string>): Promise<Map<string, Hop>> {
    if (vias.size === 0) return new Map();
    const ways = await this.#kernel.resolve([...vias]);
    return new Map([...vias].map((via) => [via, { address: Address.parse(via), way: ways.get(via) }]));
  }

  /** Plans the dirty prefixes of whose next hops enough is known. */
  #plan(enough: (hop: Hop | undefined) => boolean): void {
    for (const prefix of this.#dirty) {
      const route = this.#routes.get(prefix);
      const hops = (route?.nextHops ?? []).filter(({ dev }) => !dev);
      if (!hops.every(({ via }) => enough(this.#hops.get(via)))) continue;
      const resolve = (via: string) => this.#hops.get(via)?.way;
      const planned = route ? planLearned(route, resolve, this.#planned ?? {}) : [];
      this.#reconciler.wantKernel(`learned ${prefix}`, planned);
      this.#dirty.delete(prefix);
    }
  }
}
