import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { Window } from './window.ts';

/**
 * version (1 byte), which two starts the key is of (4), the sender's id (16), number (8): all of it is authenticated.
 * After it come the sealed bytes and a tag of 16 bytes.
 */
const VERSION = 1;
const HEAD_BYTES = 29;
const TAG_BYTES = 16;
const CIPHER = 'chacha20-poly1305';
const PURPOSE = 'net-routed probe 1';
/** What an envelope adds. */
export const ENVELOPE_BYTES = HEAD_BYTES + TAG_BYTES;

/**
 * Why a packet was refused. malformed: no packet of ours. stranger: of nobody who is a member with a key. start: for
 * another start of one of the two, as for a moment after each start. forged: not made with the key. replayed: it came
 * before, or very late.
 */
export type Refusal = 'malformed' | 'stranger' | 'start' | 'forged' | 'replayed';

interface Direction {
  readonly key: Buffer;
  readonly label: Buffer;
}

interface Pair {
  /** The other's public key, as it was published. */
  readonly published: string;
  /** Undefined where that is none. */
  readonly keys: { readonly sent: Direction; readonly received: Direction } | undefined;
  readonly window: Window;
}

/**
 * Packets that only the two hosts can have written. The key pair is drawn at each start and never stored, and each
 * packet of a start has a number of its own, to whomever it goes: so no number is used twice with a key, and nothing
 * that was recorded in an earlier life of either host is worth anything.
 */
export class Envelopes {
  readonly #cluster: string;
  readonly #self: string;
  readonly #privateKey: KeyObject;
  readonly #pairs = new Map<string, Pair>();
  /** What a member has published. */
  readonly #keyOf: (member: string) => string | undefined;
  #number = 0n;
  /** This host's public key, as others are told it: 32 bytes in base64url. */
  readonly published: string;

  /** `cluster`: its UUID. `self`: 32 hexadecimal digits. */
  constructor(cluster: string, self: string, keyOf: (member: string) => string | undefined) {
    this.#cluster = cluster;
    this.#self = self;
    this.#keyOf = keyOf;
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    this.#privateKey = privateKey;
    this.published = publicKey.export({ format: 'jwk' }).x!;
  }

  /** Undefined if there is no key for the member. */
  seal(member: string, plain: Buffer): Buffer | undefined {
    const direction = this.#pair(member)?.keys?.sent;
    if (!direction) return undefined;
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt8(VERSION, 0);
    direction.label.copy(head, 1);
    head.write(this.#self, 5, 16, 'hex');
    head.writeBigUInt64BE(this.#number++, 21);
    const cipher = createCipheriv(CIPHER, direction.key, nonceOf(head), { authTagLength: TAG_BYTES });
    cipher.setAAD(head, { plaintextLength: plain.length });
    const sealed = [head, cipher.update(plain), cipher.final()];
    return Buffer.concat([...sealed, cipher.getAuthTag()]);
  }

  /** Who has sent it and what, or why it is refused. */
  open(bytes: Buffer): { readonly from: string; readonly plain: Buffer } | Refusal {
    if (bytes.length < ENVELOPE_BYTES || bytes.readUInt8(0) !== VERSION) return 'malformed';
    const from = bytes.toString('hex', 5, 21);
    const pair = from === this.#self ? undefined : this.#pair(from);
    if (!pair?.keys) return 'stranger';
    const { key, label } = pair.keys.received;
    if (!label.equals(bytes.subarray(1, 5))) return 'start';
    const head = bytes.subarray(0, HEAD_BYTES);
    const decipher = createDecipheriv(CIPHER, key, nonceOf(head), { authTagLength: TAG_BYTES });
    decipher.setAAD(head, { plaintextLength: bytes.length - ENVELOPE_BYTES });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    let plain: Buffer;
    try {
      plain = Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch {
      // That is all that it says.
      return 'forged';
    }
    if (!pair.window.take(Number(bytes.readBigUInt64BE(21)))) return 'replayed';
    return { from, plain };
  }

  /** Nothing is kept for those that are no members any more. */
  keep(members: ReadonlySet<string>): void {
    for (const id of this.#pairs.keys()) if (!members.has(id)) this.#pairs.delete(id);
  }

  #pair(member: string): Pair | undefined {
    const published = this.#keyOf(member);
    if (published === undefined) return undefined;
    const before = this.#pairs.get(member);
    if (before?.published === published) return before;
    const pair = { published, keys: this.#agree(member, published), window: new Window() };
    this.#pairs.set(member, pair);
    return pair;
  }

  #agree(member: string, published: string): Pair['keys'] {
    try {
      const publicKey = createPublicKey({
        key: { kty: 'OKP', crv: 'X25519', x: published },
        format: 'jwk',
      });
      const shared = diffieHellman({ privateKey: this.#privateKey, publicKey });
      const direction = (from: readonly string[], to: readonly string[]): Direction => {
        const info = JSON.stringify([PURPOSE, ...from, ...to]);
        const bytes = Buffer.from(hkdfSync('sha256', shared, this.#cluster, info, 36));
        return { key: bytes.subarray(0, 32), label: bytes.subarray(32) };
      };
      const self = [this.#self, this.published];
      const other = [member, published];
      return { sent: direction(self, other), received: direction(other, self) };
    } catch {
      // Not a key, or one of those whose secret is always the same; there is nothing to be said to such a host.
      return undefined;
    }
  }
}

function nonceOf(head: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(4), head.subarray(21, HEAD_BYTES)]);
}
