import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';

/** Before the 32 bytes of a seed: PKCS #8 of an Ed25519 key (RFC 8410, 7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Who a node is: an Ed25519 key, and the id that follows from it. */
export interface Identity {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function createIdentity(): Identity {
  return identityOf(generateKeyPairSync('ed25519').privateKey);
}

/** @throws Error for a key that is not Ed25519 */
export function identityOf(privateKey: KeyObject): Identity {
  const publicKey = createPublicKey(privateKey);
  return { id: idOf(publicKey), publicKey, privateKey };
}

/** The key of a seed of 32 bytes. */
export function keyOfSeed(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
}

/**
 * The id of the node with this key: the first 16 bytes of the SHA-256 of its SubjectPublicKeyInfo, in hex.
 * @throws Error for a key that is not Ed25519
 */
export function idOf(publicKey: KeyObject): string {
  return createHash('sha256').update(spkiOf(publicKey)).digest('hex').slice(0, 32);
}

/** As SubjectPublicKeyInfo, 44 bytes of DER. @throws Error for a key that is not Ed25519 */
export function spkiOf(publicKey: KeyObject): Buffer {
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new Error('the key is not Ed25519');
  return publicKey.export({ format: 'der', type: 'spki' });
}

/** Reads what spkiOf has made, and nothing else. @throws Error */
export function parseSpki(spki: Uint8Array): KeyObject {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  if (!spkiOf(key).equals(spki)) throw new Error('the key is not written as it should be');
  return key;
}

/**
 * Signs parts for one purpose. The purpose and each part's length are signed along, so that no signature passes for
 * another one.
 */
export function sign(privateKey: KeyObject, purpose: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return signBytes(null, framed(purpose, parts), privateKey);
}

export function verify(
  publicKey: KeyObject,
  signature: Uint8Array,
  purpose: string,
  ...parts: readonly Uint8Array[]
): boolean {
  return verifyBytes(null, framed(purpose, parts), publicKey, signature);
}

function framed(purpose: string, parts: readonly Uint8Array[]): Buffer {
  const pieces = [Buffer.from(`net-routed ${purpose}`), ...parts].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return Buffer.concat(pieces);
}
