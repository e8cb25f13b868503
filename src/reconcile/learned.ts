import { asCoded } from '../errors.ts';
import type { Address } from '../net/address.ts';
import { holderOf, planLearned } from '../plan/learned.ts';
import type { Clock } from '../ports/clock.ts';
import type { Kernel, KernelResource, NextHop } from '../ports/kernel.ts';
import { METRIC_LEARNED } from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import type { LearnedRoute, SpeakerEvent } from '../ports/speaker.ts';
import type { Reconciler } from './reconciler.ts';

/** After a change of the underlay, before next hops are looked up again, in milliseconds. */
const RESOLVE_MS = 100;

/**
 * Routes that peers announced, in the kernel. They outlive the engine and the daemon: what is found at the start
 * stays until the engine has told all it knows, which after a restart of either is the first moment to judge.
 */
export class Learned {
  readonly #routes = new Map<string, LearnedRoute>();
  readonly #kernel: Kernel;
  readonly #reconciler: Reconciler;
  readonly #source: () => { 4?: string | undefined; 6?: string | undefined };
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hops = new Map<string, Required<NextHop>>();
  readonly #adopted = new Set<string>();
  #work: Promise<void> = Promise.resolve();
  #cancel: (() => void) | undefined;

  constructor(parts: {
    kernel: Kernel;
    reconciler: Reconciler;
    /** The host's own addresses, by family: the preferred source. */
    source: () => { 4?: string | undefined; 6?: string | undefined };
    clock: Clock;
    log: Log;
  }) {
    this.#kernel = parts.kernel;
    this.#reconciler = parts.reconciler;
    this.#source = parts.source;
    this.#clock = parts.clock;
    this.#log = parts.log;
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
    this.#then(async () => {
      const touched = new Set(
        event.kind === 'learned' ? event.prefixes : [...this.#routes.keys(), ...this.#adopted],
      );
      if (event.kind === 'learned-all') this.#adopted.clear();
      for (const prefix of touched) this.#routes.delete(prefix);
      for (const route of event.routes) {
        this.#routes.set(route.prefix, route);
        touched.add(route.prefix);
      }
      await this.#install(touched);
    });
  }

  /** The underlay changed: next hops may be elsewhere now. */
  underlayChanged(): void {
    this.#cancel ??= this.#clock.after(RESOLVE_MS, () => {
      this.#cancel = undefined;
      this.#then(async () => {
        this.#hops.clear();
        await this.#install(this.#routes.keys());
      });
    });
  }

  /** Who announces exactly this address. */
  holder(address: Address): LearnedRoute | undefined {
    return holderOf(this.#routes, address);
  }

  all(): ReadonlyMap<string, LearnedRoute> {
    return this.#routes;
  }

  async close(): Promise<void> {
    this.#cancel?.();
    await this.#work;
  }

  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.#log.error({ err: asCoded(error) }, 'learned routes');
    });
  }

  async #install(prefixes: Iterable<string>): Promise<void> {
    const list = [...prefixes];
    const unknown = new Set<string>();
    for (const prefix of list) {
      for (const hop of this.#routes.get(prefix)?.nextHops ?? []) {
        if (!hop.dev && !this.#hops.has(hop.via)) unknown.add(hop.via);
      }
    }
    if (unknown.size > 0) {
      const resolved = await this.#kernel.resolve([...unknown]);
      // One that cannot be reached now is asked for again with the next news.
      for (const [via, hop] of resolved) this.#hops.set(via, hop);
    }
    const source = this.#source();
    for (const prefix of list) {
      const route = this.#routes.get(prefix);
      const planned = route ? planLearned(route, (via) => this.#hops.get(via), source) : [];
      this.#reconciler.wantKernel(`learned ${prefix}`, planned);
    }
  }
}
