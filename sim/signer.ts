import type { Signer } from '../src/store/seal.ts';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/**
 * Signatures that cost nothing: a key is the id, padded, and anybody could sign for anybody. Whether what is signed is
 * what is checked, and who may write what, is the same as with real ones.
 */
export class CheapSigner implements Signer {
  readonly key: Uint8Array;

  constructor(id: string) {
    this.key = Buffer.concat([Buffer.from(id, 'hex'), Buffer.alloc(KEY_BYTES - id.length / 2)]);
  }

  sign(purpose: string, text: string): Uint8Array {
    return signature(this.key, purpose, text);
  }

  verify(key: Uint8Array, purpose: string, text: string, signed: Uint8Array): boolean {
    return Buffer.compare(signature(key, purpose, text), signed) === 0;
  }

  idOf(key: Uint8Array): string {
    return Buffer.from(key).toString('hex', 0, 16);
  }

  /** Keys in member records are names here: ids with something to read in them. */
  memberOf(key: string): string {
    return /^[0-9a-f]{32}$/.test(key) ? key : Buffer.from(key.padEnd(16, '.')).toString('hex').slice(0, 32);
  }
}

/** FNV-1a over all of it. */
function signature(key: Uint8Array, purpose: string, text: string): Uint8Array {
  let hash = 0x811c9dc5;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  for (const part of [purpose, text])
    for (let at = 0; at < part.length; at++) hash = Math.imul(hash ^ part.charCodeAt(at), 0x01000193);
  const bytes = Buffer.alloc(SIGNATURE_BYTES);
  bytes.writeInt32BE(hash);
  return bytes;
}
