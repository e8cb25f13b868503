import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Signer } from '../seal.ts';
import { type Identity, idOf, parseSpki, sign, spkiOf, verify } from './identity.ts';

/** Before the 32 bytes of a public key: SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, 4). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
/** Keys that are kept ready: one for each host that ever wrote something. */
const KEYS_MAX = 4096;

/** Signs with a node's Ed25519 key. */
export class IdentitySigner implements Signer {
  readonly key: Uint8Array;
  readonly #identity: Identity;
  /** By their bytes in hexadecimal; undefined for what is no key. */
  readonly #known = new Map<string, { readonly key: KeyObject; readonly id: string } | undefined>();

  constructor(identity: Identity) {
    this.#identity = identity;
    this.key = spkiOf(identity.publicKey).subarray(SPKI.length);
  }

  sign(purpose: string, text: string): Uint8Array {
    return sign(this.#identity.privateKey, purpose, Buffer.from(text));
  }

  verify(key: Uint8Array, purpose: string, text: string, signature: Uint8Array): boolean {
    const known = this.#of(key);
    return known !== undefined && verify(known.key, signature, purpose, Buffer.from(text));
  }

  idOf(key: Uint8Array): string {
    return this.#of(key)?.id ?? '';
  }

  memberOf(key: string): string | undefined {
    try {
      return idOf(parseSpki(Buffer.from(key, 'base64')));
    } catch {
      return undefined; // whatever it is, it is no member's key
    }
  }

  #of(bytes: Uint8Array): { readonly key: KeyObject; readonly id: string } | undefined {
    const name = Buffer.from(bytes).toString('hex');
    if (this.#known.has(name)) return this.#known.get(name);
    if (this.#known.size >= KEYS_MAX) this.#known.clear();
    const known = read(bytes);
    this.#known.set(name, known);
    return known;
  }
}

function read(bytes: Uint8Array): { readonly key: KeyObject; readonly id: string } | undefined {
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' });
    return { key, id: idOf(key) };
  } catch {
    return undefined; // 32 bytes that are no key have signed nothing
  }
}
