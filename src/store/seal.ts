import { type Dot, namespaceIn, type Versioned } from './crdt/record.ts';

/** Namespaces whose every version says who wrote it, and proves it. */
export const SEALED: ReadonlySet<string> = new Set(['member', 'gone', 'chunk', 'treasury']);

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const OWNER_BYTES = 16;
const SEQUENCE_BYTES = 6;
const HEAD_BYTES = KEY_BYTES + SIGNATURE_BYTES;
const LINK_BYTES = HEAD_BYTES + OWNER_BYTES + SEQUENCE_BYTES;

/** Earlier transfers that an ownership record carries: the first one, and the latest. */
export const LINKS_MAX = 32;
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

/** A statement of a node that others pass on, as JSON. */
export interface Word {
  /** Public key and signature, base64. */
  readonly key: string;
  readonly signature: string;
}

/**
 * Seals of records: the writer's public key and its signature of the whole version, for one cluster. That of an
 * ownership record goes on with the seals of the versions before it, newest first, each with what is needed to check it:
 * so it proves itself how the thing came to its owner. Of more than {@link LINKS_MAX} versions the first one is kept, and
 * the latest.
 */
export class Sealer {
  readonly #signer: Signer;
  readonly #cluster: string;
  /** What was found to be as its writer made it. */
  readonly #sound = new WeakSet<Versioned>();

  /** `cluster`: its UUID. */
  constructor(signer: Signer, cluster: string) {
    this.#signer = signer;
    this.#cluster = cluster;
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
    const links = kind === 'ownership' ? countOf(rank) : 0;
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
    const earlier = this.#links(version).map(({ bytes: _, ...transfer }) => transfer);
    return [{ rank, origin, sequence, owner: ownerIn(version) }, ...earlier];
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
    return links.length > LINKS_MAX ? [...links.slice(0, LINKS_MAX - 1), links.at(-1)!] : links;
  }

  /** What a host wrote before anybody else was there has no seals: it was its own all the time. */
  #own(version: Versioned): Uint8Array[] {
    return ranksBefore(version.rank).map((rank) => {
      const own = { ...version, rank, text: textOf(version.origin) };
      return linkOf(Buffer.concat([this.#signer.key, this.#sign(own)]), own.origin, own.sequence);
    });
  }

  #links({ class: kind, rank, seal }: Versioned): (Transfer & { readonly bytes: Uint8Array })[] {
    if (kind !== 'ownership' || !seal) return [];
    return ranksBefore(rank).map((at, index) => {
      const start = HEAD_BYTES + index * LINK_BYTES;
      const bytes = Buffer.from(seal.buffer, seal.byteOffset + start, LINK_BYTES);
      const owner = bytes.toString('hex', HEAD_BYTES, HEAD_BYTES + OWNER_BYTES);
      return {
        bytes,
        rank: at,
        origin: this.#signer.idOf(bytes.subarray(0, KEY_BYTES)),
        sequence: bytes.readUIntBE(HEAD_BYTES + OWNER_BYTES, SEQUENCE_BYTES),
        owner: owner === NOBODY ? undefined : owner,
      };
    });
  }

  #isLinkOf(standing: Versioned, rank: number, bytes: Uint8Array): boolean {
    if (standing.rank === rank)
      return !!standing.seal && sameBytes(bytes, linkOf(standing.seal, ownerIn(standing), standing.sequence));
    const at = ranksBefore(standing.rank).indexOf(rank);
    if (at < 0 || standing.class !== 'ownership' || !standing.seal) return false;
    const start = HEAD_BYTES + at * LINK_BYTES;
    return sameBytes(bytes, standing.seal.subarray(start, start + LINK_BYTES));
  }

  #isSigned(key: string, { rank, origin, sequence, owner }: Transfer, bytes: Uint8Array): boolean {
    const body = this.#bodyOf({ key, class: 'ownership', rank, origin, sequence, text: textOf(owner) });
    const signature = bytes.subarray(KEY_BYTES, HEAD_BYTES);
    return this.#signer.verify(bytes.subarray(0, KEY_BYTES), 'record', body, signature);
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

/** The ranks of the transfers that a version of that rank carries, newest first. */
function ranksBefore(rank: number): number[] {
  const ranks = Array.from({ length: countOf(rank) }, (_, index) => rank - 1 - index);
  if (rank - 1 > LINKS_MAX) ranks[LINKS_MAX - 1] = 1;
  return ranks;
}

function countOf(rank: number): number {
  return Math.max(0, Math.min(rank - 1, LINKS_MAX));
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
