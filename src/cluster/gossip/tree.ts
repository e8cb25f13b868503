import type { Beacon, Branch } from '../../store/gossip/messages.ts';

/** How often the root lets itself be heard, and after how long without it others take its place, in milliseconds. */
export const BEACON_MS = 2000;
const SILENT_MS = 7000;

interface Neighbour {
  /** The last that came from it. */
  beacon: Beacon | undefined;
  /** It has this host for its parent. */
  isChild: boolean;
}

/** The root as it was heard last, and when. */
interface Heard {
  readonly root: string;
  readonly number: number;
  readonly at: number;
}

/**
 * The tree that changes travel along, as among bridges (IEEE 802.1D): the lowest id that is
 * heard is the root, its beacons go over all links, and each host's parent is the neighbour nearest to it. A host
 * without a parent has all its links in the tree: too much is told rather than too little.
 */
export class Tree<L> {
  readonly #id: string;
  readonly #say: (link: L, message: Beacon | Branch) => void;
  readonly #neighbours = new Map<L, Neighbour>();
  #heard: Heard | undefined;
  #parent: L | undefined;

  constructor(id: string, say: (link: L, message: Beacon | Branch) => void) {
    this.#id = id;
    this.#say = say;
  }

  /** Whether changes go over this link. */
  has(link: L): boolean {
    return this.isBranch(link) || this.#isAlone;
  }

  /** Whether one end of this link has the other one for its parent. */
  isBranch(link: L): boolean {
    return link === this.#parent || this.#neighbours.get(link)?.isChild === true;
  }

  get #isAlone(): boolean {
    return this.#parent === undefined && this.#heard?.root !== this.#id;
  }

  joined(link: L): void {
    this.#neighbours.set(link, { beacon: undefined, isChild: false });
  }

  ended(link: L): void {
    this.#neighbours.delete(link);
    if (link === this.#parent) this.#choose();
  }

  /** The root's beacon, if this host is the root or hears of none. To be called each {@link BEACON_MS}. */
  beat(now: number): void {
    const heard = this.#heard;
    if (heard && heard.root !== this.#id && now - heard.at < SILENT_MS) return;
    // Later than those of its lives before.
    this.#heard = { root: this.#id, number: Math.max(now, (heard?.number ?? 0) + 1), at: now };
    this.#choose();
    this.#pass();
  }

  take(link: L, message: Beacon | Branch, now: number): void {
    const neighbour = this.#neighbours.get(link);
    if (!neighbour) return;
    if (message.kind === 'branch') {
      neighbour.isChild = message.isParent;
      // Two that have each other for a parent would both be cut off.
      if (neighbour.isChild && link === this.#parent) this.#choose();
      return;
    }
    neighbour.beacon = message;
    if (!this.#isNews(message, now)) return;
    this.#heard = { root: message.root, number: message.number, at: now };
    this.#choose();
    this.#pass(link);
  }

  /** There are few hosts now: all links are told everything. */
  fell(): void {
    this.#heard = undefined;
    this.#choose();
  }

  #isNews({ root, number }: Beacon, now: number): boolean {
    const heard = this.#heard;
    if (root === this.#id) return false;
    if (!heard || now - heard.at >= SILENT_MS || root < heard.root) return true;
    return root === heard.root && number > heard.number;
  }

  /** The nearest to the root of those that have passed on this beacon or the one before; the one it is, if as near. */
  #choose(): void {
    let best: { link: L; hops: number } | undefined;
    for (const [link, { beacon, isChild }] of this.#neighbours) {
      if (!beacon || isChild || beacon.root !== this.#heard?.root || beacon.root === this.#id) continue;
      if (beacon.number < this.#heard.number - 2 * BEACON_MS) continue;
      const isNearer =
        !best || beacon.hops < best.hops || (beacon.hops === best.hops && link === this.#parent);
      if (isNearer) best = { link, hops: beacon.hops };
    }
    const before = this.#parent;
    this.#parent = best?.link;
    if (before === this.#parent) return;
    if (before !== undefined && this.#neighbours.has(before))
      this.#say(before, { kind: 'branch', isParent: false });
    if (this.#parent !== undefined) this.#say(this.#parent, { kind: 'branch', isParent: true });
  }

  /** The beacon, over all links but the one that it came on. */
  #pass(from?: L): void {
    const { root, number } = this.#heard!;
    const hops = this.#parent === undefined ? 0 : this.#neighbours.get(this.#parent)!.beacon!.hops + 1;
    for (const link of this.#neighbours.keys())
      if (link !== from) this.#say(link, { kind: 'beacon', root, number, hops });
  }
}
