import { Tracker } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import { type Kernel, type KernelResource, kernelKey } from '../ports/kernel.ts';
import { BackgroundLane } from './background.ts';

/** Sandboxes that are entered at the same time; each takes a process. */
const AT_ONCE = 8;

/**
 * Addresses inside of sandboxes. They come beside the passes: entering a sandbox may hang, and before Docker has moved
 * the interface there it cannot be done. Nobody reads them back, so after a restart they are unknown until tried.
 */
export class Inside {
  readonly lane: BackgroundLane<KernelResource>;
  #held = false;

  constructor(parts: {
    readonly kernel: Pick<Kernel, 'apply'>;
    readonly clock: Clock;
    /** Whether the link is there whose other end is to get an address. */
    readonly linked: (link: string) => boolean;
    /** What an owner wants inside has been tried, well or not. */
    readonly entered: (owner: string) => void;
  }) {
    this.lane = new BackgroundLane('sandbox', new Tracker(kernelKey), parts.kernel, parts.clock, {
      groupOf: linkOf,
      atOnce: AT_ONCE,
      ready: ({ do: what, resource }) => (what === 'put' ? parts.linked(linkOf(resource)) : !this.#held),
      changed: (keys) => {
        for (const owner of new Set(keys.map((key) => this.lane.tracker.ownerOf(key))))
          if (owner !== undefined) parts.entered(owner);
      },
    });
  }

  /** A pass begins: no address is taken away before its announcement and its route are. */
  hold(): void {
    this.#held = true;
  }

  /** A pass is over: does what is due. */
  go(): void {
    this.#held = false;
    this.lane.kick();
  }

  /** Something has happened to the owner's link: its other end may have come into the sandbox. */
  heard(owner: string): void {
    const keys = this.lane.tracker.owned(owner);
    if (keys.size === 0) return;
    this.lane.hurry((key) => keys.has(key));
    this.lane.kick();
  }

  /** The owner's link has gone, and all that was on its other end. */
  lost(owner: string): void {
    for (const key of this.lane.tracker.owned(owner).keys()) this.lane.tracker.lost(key);
  }

  /** Prefixes that the owner shall have inside and does not have, as far as is known. */
  missing(owner: string): Set<string> {
    const { tracker } = this.lane;
    return prefixes([...tracker.owned(owner)].filter(([key]) => !tracker.rests(key)).map(([, one]) => one));
  }

  /** Prefixes of which nobody knows yet whether they are where they shall be. */
  unknown(): Set<string> {
    const untold = (key: string) => {
      const code = this.lane.failures.get(key)?.error.code;
      return code === undefined || code === 'NR_KERNEL_UNAVAILABLE';
    };
    const open = this.lane.tracker.pending().filter(({ do: what, key }) => what === 'put' && untold(key));
    return prefixes(open.map(({ resource }) => resource));
  }
}

function linkOf(resource: KernelResource): string {
  return resource.kind === 'sandbox-address' ? resource.link : '';
}

function prefixes(resources: readonly KernelResource[]): Set<string> {
  return new Set(resources.flatMap((one) => (one.kind === 'sandbox-address' ? [one.address] : [])));
}
