import { type Dot, namespaceIn, type Versioned } from './crdt/record.ts';

/** Namespaces whose every version says who wrote it, and proves it. */
export const SEALED: ReadonlySet<string> = new Set(['member', 'gone', 'chunk', 'treasury']);

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const OWNER_BYTES = 16;
const SEQUENCE_BYTES = 6;
const HEAD_BYTES = KEY_BYTES + SIGNATURE_BYTES;
/** Size of an earlier transfer. */
export const LINK_BYTES = HEAD_BYTES + OWNER_BYTES + SEQUENCE_BYTES;

/** Earlier transfers that an ownership record carries: the first one, and the latest. */
export const LINKS_MAX = 32;
/** Transfers that others have shown and nothing was proven by so far; they can be asked for again. */
const SHOWN_MAX = 100_000;
/** Size of the largest seal. */
export const SEAL_BYTES_MAX = HEAD_BYTES + LINKS_MAX * LINK_BYTES;

/** Signs what this node writes, and checks what others wrote. */
export interface Signer {
  /** The node's public key, 32 bytes. */
  readonly key: Uint8Array;
  /** 64 bytes. No signature for one purpose passes for one of another. */
  sign(purpose: string, text: string): Uint8Array;
  /** Never throws, whatever the bytes are. */
  verify(key: Uint8Array, purpose: string, text: string, signature: Uint8Array): boolean;
  /** The id of the node with a key. */
  idOf(key: Uint8Array): string;
  /** The id of the node with a public key as member records have it; undefined for none. */
  memberOf(key: string): string | undefined;
}

/** One transfer of what a record stands for: at that rank, the writer named the owner. */
export interface Transfer extends Dot {
  readonly rank: number;
  /** Undefined: nobody owns it any more. */
  readonly owner: string | undefined;
}

/** A transfer as a seal has it: with what is needed to check it. */
interface Link extends Transfer {
  readonly bytes: Uint8Array;
}

/** Transfers one after the other that no seal carries any more: as many as a seal carries. */
export interface Page {
  /** From 0: page n begins with rank n × {@link Sealer.linksMax} + 1. */
  readonly number: number;
  /** Links, oldest first. */
  readonly links: Uint8Array;
}

/** A statement of a node that others pass on, as JSON. */
export interface Word {
  /** Public key and signature, base64. */
  readonly key: string;
  readonly signature: string;
}

/**
 * Seals of records: the writer's public key and its signature of the whole version, for one cluster. That of an
 * ownership record goes on with the seals of the versions before it, newest first, each with what is needed to check it:
 * so it proves itself how the thing came to its owner. Of more than `linksMax` versions the first one is kept, and the
 * latest. What is between these two comes in {@link Page pages}, to who asks for it.
 */
export class Sealer {
  /** Earlier transfers that a seal carries. */
  readonly linksMax: number;
  readonly #signer: Signer;
  readonly #cluster: string;
  /** What others have shown of what happened after the version that stands here, oldest first, by key. */
  readonly #shown = new Map<string, Link[]>();
  #shownCount = 0;
  /** What was found to be as its writer made it. */
  readonly #sound = new WeakSet<Versioned>();

  /** `cluster`: its UUID. `linksMax`: the same on all hosts. */
  constructor(signer: Signer, cluster: string, linksMax = LINKS_MAX) {
    this.#signer = signer;
    this.#cluster = cluster;
    this.linksMax = linksMax;
  }

  /** The seal of a version that this node writes over another one. */
  seal(version: Versioned, before: Versioned | undefined): Uint8Array {
    const head = Buffer.concat([this.#signer.key, this.#sign(version)]);
    if (version.class !== 'ownership' || version.rank === 1) return head;
    const links = before?.seal && before.rank === version.rank - 1 ? this.#after(before) : this.#own(version);
    return Buffer.concat([head, ...links]);
  }

  /**
   * What is wrong with a version as it is, whoever looks at it; undefined if nothing is. `standing`: the version that it
   * is to replace, whose transfers need not be checked again.
   */
  fault(version: Versioned, standing?: Versioned): string | undefined {
    if (this.#sound.has(version)) return undefined;
    const { seal, origin, class: kind, rank } = version;
    if (!seal) return 'it has no seal';
    if (rank < 1) return 'it has no rank';
    const links = kind === 'ownership' ? this.#countOf(rank) : 0;
    if (seal.length !== HEAD_BYTES + links * LINK_BYTES)
      return 'its seal is not of the size that it should have';
    const key = seal.subarray(0, KEY_BYTES);
    if (this.#signer.idOf(key) !== origin) return 'its seal is not of who wrote it';
    if (kind === 'ownership' && textOf(ownerIn(version)) !== version.text)
      return 'it names an owner in a way of its own';
    const signature = seal.subarray(KEY_BYTES, HEAD_BYTES);
    if (!this.#signer.verify(key, 'record', this.#bodyOf(version), signature))
      return 'it is not what its writer has signed';
    for (const [at, { bytes, ...transfer }] of this.#links(version).entries()) {
      // Most are the same as those of the version that stands, which were checked then.
      if (standing && this.#isLinkOf(standing, transfer.rank, bytes)) continue;
      if (!this.#isSigned(version.key, transfer, bytes)) return `its transfer number ${at + 1} is not signed`;
    }
    this.#sound.add(version);
    return undefined;
  }

  /** How an ownership record came to be, newest first: the version itself, then those before. For one without a fault. */
  transfers(version: Versioned): Transfer[] {
    const { rank, origin, sequence } = version;
    return [{ rank, origin, sequence, owner: ownerIn(version) }, ...this.#links(version)];
  }

  /** The same of what happened after a rank, from 1 on, with what others have shown where the seal says nothing. */
  transfersSince(version: Versioned, rank: number): Transfer[] {
    const carried = this.transfers(version).filter((one) => one.rank > rank);
    const lowest = carried.at(-1)?.rank ?? 0;
    const shown = this.#shown.get(version.key) ?? [];
    return [...carried, ...shown.filter((one) => one.rank > rank && one.rank < lowest).reverse()];
  }

  /**
   * Takes note of what another host shows of how a record came to be: links, oldest first, from a rank on, which is the one
   * after {@link shownUpTo}. Each has to be signed; whether it follows from the one before is for who reads it.
   */
  show(key: string, from: number, links: Uint8Array): void {
    if (links.length === 0 || links.length % LINK_BYTES !== 0) return;
    const shown = Array.from({ length: links.length / LINK_BYTES }, (_, at) =>
      this.#linkAt(links, at * LINK_BYTES, from + at),
    );
    if (!shown.every((link) => this.#isSigned(key, link, link.bytes))) return;
    if (this.#shownCount + shown.length > SHOWN_MAX) {
      this.#shown.clear();
      this.#shownCount = 0;
      return;
    }
    this.#shown.set(key, [...(this.#shown.get(key) ?? []), ...shown]);
    this.#shownCount += shown.length;
  }

  /** Up to which rank others have shown what happened after a rank; that one if nothing was shown. */
  shownUpTo(key: string, rank: number): number {
    const shown = this.#shown.get(key);
    if (!shown) return rank;
    if (shown[0]!.rank <= rank + 1) return Math.max(rank, shown.at(-1)!.rank);
    this.dismiss(key); // the disk has refused what stood here
    return rank;
  }

  /** What others have shown of a record proves nothing, or is not needed any more. */
  dismiss(key: string): void {
    this.#shownCount -= this.#shown.get(key)?.length ?? 0;
    this.#shown.delete(key);
  }

  /** What is to be kept when one version of an ownership record replaces another, as its seal does not carry it any more. */
  leftOut(before: Versioned, after: Versioned): Page[] {
    const size = this.linksMax;
    const lowest = this.#lowest(after.rank);
    const pages: Page[] = [];
    let links: Map<number, Uint8Array> | undefined;
    for (
      let number = Math.ceil((this.#lowest(before.rank) - 1) / size);
      number * size + 1 < lowest;
      number++
    ) {
      links ??= this.#known(before, after);
      const first = number * size + 1;
      const page = Array.from({ length: size }, (_, at) => links?.get(first + at) ?? []);
      if (page.every(({ length }) => length > 0))
        pages.push({ number, links: Buffer.concat(page as Uint8Array[]) });
    }
    return pages;
  }

  /** This node's signature of a text that others pass on. */
  word(text: string): Word {
    const signature = this.#signer.sign('word', this.#framed(text));
    return { key: base64(this.#signer.key), signature: base64(signature) };
  }

  /** Whether a node has said so. */
  said(id: string, text: string, { key, signature }: Word): boolean {
    const bytes = Buffer.from(key, 'base64');
    if (bytes.length !== KEY_BYTES || this.#signer.idOf(bytes) !== id) return false;
    return this.#signer.verify(bytes, 'word', this.#framed(text), Buffer.from(signature, 'base64'));
  }

  /** The id of the node with a public key as member records have it. */
  memberOf(key: string): string | undefined {
    return this.#signer.memberOf(key);
  }

  #sign(version: Versioned): Uint8Array {
    return this.#signer.sign('record', this.#bodyOf(version));
  }

  #bodyOf({ key, class: kind, rank, origin, sequence, text }: Versioned): string {
    return JSON.stringify([this.#cluster, key, kind, rank, origin, sequence, text ?? null]);
  }

  #framed(text: string): string {
    return JSON.stringify([this.#cluster, text]);
  }

  /** The links of the version after this one. */
  #after(before: Versioned): Uint8Array[] {
    const head = linkOf(before.seal!, ownerIn(before), before.sequence);
    const earlier = this.#links(before).map(({ bytes }) => bytes);
    const links = [head, ...earlier];
    // The last but one goes: that of the first shows that it was anybody's to give.
    const { linksMax } = this;
    return links.length > linksMax ? [...links.slice(0, linksMax - 1), links.at(-1)!] : links;
  }

  /** What a host wrote before anybody else was there has no seals: it was its own all the time. */
  #own(version: Versioned): Uint8Array[] {
    return this.#ranksBefore(version.rank).map((rank) => {
      const own = { ...version, rank, text: textOf(version.origin) };
      return linkOf(Buffer.concat([this.#signer.key, this.#sign(own)]), own.origin, own.sequence);
    });
  }

  #links({ class: kind, rank, seal }: Versioned): Link[] {
    if (kind !== 'ownership' || !seal) return [];
    return this.#ranksBefore(rank).map((at, index) =>
      this.#linkAt(seal, HEAD_BYTES + index * LINK_BYTES, at),
    );
  }

  #linkAt(within: Uint8Array, start: number, rank: number): Link {
    const bytes = Buffer.from(within.buffer, within.byteOffset + start, LINK_BYTES);
    const owner = bytes.toString('hex', HEAD_BYTES, HEAD_BYTES + OWNER_BYTES);
    return {
      bytes,
      rank,
      origin: this.#signer.idOf(bytes.subarray(0, KEY_BYTES)),
      sequence: bytes.readUIntBE(HEAD_BYTES + OWNER_BYTES, SEQUENCE_BYTES),
      owner: owner === NOBODY ? undefined : owner,
    };
  }

  /** Links by their ranks: of both versions, and what is known of how one became the other. */
  #known(before: Versioned, after: Versioned): Map<number, Uint8Array> {
    const links = [...(this.#shown.get(after.key) ?? []), ...this.#links(before), ...this.#links(after)];
    const known = new Map(links.map(({ rank, bytes }) => [rank, bytes]));
    return known.set(before.rank, linkOf(before.seal!, ownerIn(before), before.sequence));
  }

  #isLinkOf(standing: Versioned, rank: number, bytes: Uint8Array): boolean {
    if (standing.rank === rank)
      return !!standing.seal && sameBytes(bytes, linkOf(standing.seal, ownerIn(standing), standing.sequence));
    const at = this.#ranksBefore(standing.rank).indexOf(rank);
    if (at < 0 || standing.class !== 'ownership' || !standing.seal) return false;
    const start = HEAD_BYTES + at * LINK_BYTES;
    return sameBytes(bytes, standing.seal.subarray(start, start + LINK_BYTES));
  }

  #isSigned(key: string, { rank, origin, sequence, owner }: Transfer, bytes: Uint8Array): boolean {
    const body = this.#bodyOf({ key, class: 'ownership', rank, origin, sequence, text: textOf(owner) });
    const signature = bytes.subarray(KEY_BYTES, HEAD_BYTES);
    return this.#signer.verify(bytes.subarray(0, KEY_BYTES), 'record', body, signature);
  }

  /** The ranks of the transfers that a version of that rank carries, newest first. */
  #ranksBefore(rank: number): number[] {
    const ranks = Array.from({ length: this.#countOf(rank) }, (_, index) => rank - 1 - index);
    if (rank - 1 > this.linksMax) ranks[this.linksMax - 1] = 1;
    return ranks;
  }

  #countOf(rank: number): number {
    return Math.max(0, Math.min(rank - 1, this.linksMax));
  }

  /** The lowest rank of which a version of that rank carries all up to its own. */
  #lowest(rank: number): number {
    return rank - 1 > this.linksMax ? rank - this.linksMax + 1 : 1;
  }
}

/** Who an ownership record names, if it does it as this program writes it. */
export function ownerIn({ text }: Versioned): string | undefined {
  return /^\{"owner":"([0-9a-f]{32})"\}$/.exec(text ?? '')?.[1];
}

export function isSealed({ key }: Pick<Versioned, 'key'>): boolean {
  return SEALED.has(namespaceIn(key));
}

const NOBODY = '0'.repeat(2 * OWNER_BYTES);

function textOf(owner: string | undefined): string | undefined {
  return owner === undefined ? undefined : `{"owner":"${owner}"}`;
}

function linkOf(seal: Uint8Array, owner: string | undefined, sequence: number): Uint8Array {
  const link = Buffer.alloc(LINK_BYTES);
  link.set(seal.subarray(0, HEAD_BYTES));
  link.write(owner ?? NOBODY, HEAD_BYTES, 'hex');
  link.writeUIntBE(sequence, HEAD_BYTES + OWNER_BYTES, SEQUENCE_BYTES);
  return link;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
