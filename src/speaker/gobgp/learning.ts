import { readMark } from '../holder.ts';
import type { LearnedPath } from '../selection.ts';
import type { LearnedTable } from '../table.ts';
import type { Api, EnginePath } from './api.ts';
import type { EnginePeer } from './peers.ts';

/** Milliseconds between two batches of news while there are many. */
const COALESCE = 20;

/**
 * Keeps a table as the engine's: what is streamed goes into it at once, while a whole listing is on its way it waits.
 */
export class Learning {
  readonly #api: Api;
  readonly #table: LearnedTable;
  readonly #own: { readonly asn: number; readonly routerId: string };
  readonly #news: () => void;
  #waiting: EnginePath[] | undefined;
  /** Interfaces of peers behind one, by address, and by address and router id. */
  #interfaces = new Map<string, string>();
  #cut = new Set<string>();
  #filling: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #flushed = Number.NEGATIVE_INFINITY;
  #heard = Number.NEGATIVE_INFINITY;

  constructor(
    api: Api,
    table: LearnedTable,
    own: { readonly asn: number; readonly routerId: string },
    news: () => void,
  ) {
    this.#api = api;
    this.#table = table;
    this.#own = own;
    this.#news = news;
  }

  /** Milliseconds since something was heard of any path. */
  get quiet(): number {
    return performance.now() - this.#heard;
  }

  /**
   * What the engine says of its peers: behind which interface a link-local next hop is, and whom not to listen to. A
   * peer that was cut off for announcing too much may be kept by the engine as if it had restarted gracefully.
   * Returns whether what was learned has to be looked at again.
   */
  know(peers: Iterable<EnginePeer>): boolean {
    const interfaces = new Map<string, string>();
    const cut = new Set<string>();
    for (const { peer, address, state, overLimit } of peers) {
      if (overLimit) cut.add(address);
      if (peer.interface === undefined) continue;
      if (!interfaces.has(address)) interfaces.set(address, peer.interface);
      if (state.routerId !== undefined) interfaces.set(`${address} ${state.routerId}`, peer.interface);
    }
    const another = [...interfaces.keys()].some((key) => key.includes(' ') && !this.#interfaces.has(key));
    const changed = another || [...cut].join() !== [...this.#cut].join();
    this.#interfaces = interfaces;
    this.#cut = cut;
    return changed;
  }

  hear(paths: readonly EnginePath[]): void {
    this.#heard = performance.now();
    if (this.#waiting) {
      this.#waiting.push(...paths);
      return;
    }
    for (const path of paths) this.#take(path);
    this.#schedule();
  }

  /** Makes the table as the engine's is now. */
  refill(): Promise<void> {
    // One listing at a time: each keeps what comes meanwhile for itself.
    this.#filling = this.#filling.catch(() => {}).then(() => this.#fill());
    return this.#filling;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #fill(): Promise<void> {
    this.#waiting = [];
    try {
      const all = [...(await this.#api.paths(4)), ...(await this.#api.paths(6))];
      this.#table.replace(all.flatMap((path) => this.#learned(path) ?? []));
    } finally {
      // What came meanwhile is newer than the listing, or else it changes nothing.
      const waiting = this.#waiting;
      this.#waiting = undefined;
      for (const path of waiting) this.#take(path);
    }
  }

  #schedule(): void {
    if (this.#timer || !this.#table.changed) return;
    const wait = this.#flushed + COALESCE - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#flushed = performance.now();
        if (!this.#waiting) this.#news();
      },
      Math.max(0, wait),
    );
  }

  #take(path: EnginePath): void {
    if (path.local) return;
    const learned = path.withdrawn ? undefined : this.#learned(path);
    if (learned) this.#table.put(learned);
    else this.#table.remove(path.prefix, sourceOf(path));
  }

  #learned(path: EnginePath): LearnedPath | undefined {
    const { attributes } = path;
    if (path.local || path.withdrawn || this.#cut.has(path.neighbor)) return undefined;
    // Our own announcement that came back by way of a route reflector.
    if (readMark(attributes.communities).holder === this.#own.routerId) return undefined;
    return {
      prefix: path.prefix,
      source: sourceOf(path),
      nextHops: attributes.nextHops.slice(0, 1).map((hop) => this.#hop(hop, path)),
      asPath: attributes.asPath,
      localPreference: attributes.localPreference,
      origin: attributes.origin,
      med: attributes.med,
      internal: path.sourceAs === this.#own.asn,
      communities: attributes.communities,
    };
  }

  #hop(text: string, { neighbor, routerId }: EnginePath): { via: string; dev?: string } {
    const via = text.replace(/%.*$/, '');
    if (!isLinkLocal(via)) return { via };
    const dev = this.#interfaces.get(`${neighbor} ${routerId}`) ?? this.#interfaces.get(neighbor);
    return dev === undefined ? { via } : { via, dev };
  }
}

/**
 * Names the peer that a path came from. Routers like to have the same link-local address on every link, so behind an
 * interface the router id belongs to the name; elsewhere it may change, and the address stays.
 */
export function sourceOf({
  neighbor,
  routerId,
}: {
  readonly neighbor: string;
  readonly routerId: string;
}): string {
  return isLinkLocal(neighbor) ? `${neighbor} ${routerId}` : neighbor;
}

function isLinkLocal(address: string): boolean {
  return address.toLowerCase().startsWith('fe80:');
}
