import type { Clock } from '../ports/clock.ts';
import type { HostFacts, Kernel, KernelEvent } from '../ports/kernel.ts';
import type { Reconciler } from './reconciler.ts';
import type { Repeated } from './repeated.ts';

/** After the first of many events, in milliseconds. */
const SETTLE_MS = 100;

const DEFAULT = ['0.0.0.0/0', '::/0'];

/** The host apart from what is ours: its uplink and addresses, read again when they may have changed. */
export class Underlay {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #look: Repeated;
  readonly #changed: () => void;
  readonly #isOurs: (link: string) => boolean;
  readonly #stop: () => void;
  #facts: HostFacts;
  /** A default route came or went: next hops may be elsewhere, although the host looks the same. */
  #rerouted = false;
  #cancel: (() => void) | undefined;

  constructor(parts: {
    kernel: Kernel;
    clock: Clock;
    repeat: Reconciler['repeat'];
    /** What was read first. */
    facts: HostFacts;
    isOurs: (link: string) => boolean;
    changed: () => void;
  }) {
    this.#kernel = parts.kernel;
    this.#clock = parts.clock;
    this.#look = parts.repeat('kernel', 'host', () => this.#read());
    this.#facts = parts.facts;
    this.#isOurs = parts.isOurs;
    this.#changed = parts.changed;
    this.#stop = parts.kernel.watch((event) => this.#event(event));
  }

  get facts(): HostFacts {
    return this.#facts;
  }

  async close(): Promise<void> {
    this.#stop();
    this.#cancel?.();
    await this.#look.close();
  }

  #event(event: KernelEvent): void {
    if (event.kind === 'foreign-route') return;
    // Routes of ours say nothing of the underlay; a default route names the uplink.
    if (event.kind === 'route' && !DEFAULT.includes(event.prefix)) return;
    if (event.kind === 'route') this.#rerouted = true;
    const link = event.kind === 'link' ? event.name : event.kind === 'address' ? event.link : undefined;
    if (link !== undefined && this.#isOurs(link)) return;
    this.#cancel ??= this.#clock.after(SETTLE_MS, () => {
      this.#cancel = undefined;
      void this.#look.now();
    });
  }

  async #read(): Promise<void> {
    const before = JSON.stringify(this.#facts);
    const rerouted = this.#rerouted;
    this.#rerouted = false;
    try {
      this.#facts = await this.#kernel.facts();
    } catch (error) {
      this.#rerouted ||= rerouted;
      throw error;
    }
    // Docker's own links come and go all the time, and concern nobody here.
    if (rerouted || JSON.stringify(this.#facts) !== before) this.#changed();
  }
}
