import {
  createHash,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  type X509Certificate,
} from 'node:crypto';
import { CodedError } from '../../errors.ts';
import { clusterOf } from './authority.ts';
import { keyOfSeed, parseSpki, spkiOf } from './identity.ts';
import { bytesOf, textOf, uuidBytes, uuidOf } from './text.ts';

const PREFIX = 'nrj1_';
const SECRET_BYTES = 16;
const HASH_BYTES = 32;
const MINUTE_MS = 60_000;
const BYTES = 16 + HASH_BYTES + SECRET_BYTES + 4;

/** What a node needs to become a member: whom to believe, and a secret that is good for one node. */
export interface JoinToken {
  readonly cluster: string;
  /** SHA-256 of the certificate of the cluster's authority, as DER. */
  readonly authority: Uint8Array;
  readonly secret: Uint8Array;
  /** Milliseconds since 1970, a whole minute. */
  readonly expires: number;
}

/**
 * What the cluster keeps of a token: enough to know it again, and not enough to make it. A plain JSON value, for a
 * record that all may read.
 */
export interface Ticket {
  /** 16 hexadecimal digits. */
  readonly id: string;
  /** SubjectPublicKeyInfo of the token's key, in base64. */
  readonly key: string;
  readonly expires: number;
}

/** A new token. `now` and `lifeMs` in milliseconds; the life is rounded up to minutes. */
export function drawToken(authority: X509Certificate, now: number, lifeMs: number): JoinToken {
  return {
    cluster: clusterOf(authority),
    authority: hashOf(authority),
    secret: randomBytes(SECRET_BYTES),
    expires: Math.ceil((now + lifeMs) / MINUTE_MS) * MINUTE_MS,
  };
}

export function tokenText({ cluster, authority, secret, expires }: JoinToken): string {
  const minutes = Buffer.alloc(4);
  minutes.writeUInt32BE(expires / MINUTE_MS);
  return textOf(PREFIX, Buffer.concat([uuidBytes(cluster), authority, secret, minutes]));
}

/** @throws NR_TOKEN_INVALID */
export function parseToken(text: string): JoinToken {
  const bytes = bytesOf(PREFIX, text);
  if (bytes?.length !== BYTES)
    throw new CodedError('NR_TOKEN_INVALID', 'the token is incomplete or has a mistake in it');
  return {
    cluster: uuidOf(bytes.subarray(0, 16)),
    authority: bytes.subarray(16, 16 + HASH_BYTES),
    secret: bytes.subarray(16 + HASH_BYTES, BYTES - 4),
    expires: bytes.readUInt32BE(BYTES - 4) * MINUTE_MS,
  };
}

export function ticketOf(token: JoinToken): Ticket {
  const key = spkiOf(createPublicKey(tokenKey(token)));
  return { id: ticketId(key), key: key.toString('base64'), expires: token.expires };
}

/** The key that a token's secret stands for: whoever signs with it has the secret. */
export function tokenKey({ cluster, secret }: JoinToken): KeyObject {
  return keyOfSeed(Buffer.from(hkdfSync('sha256', secret, uuidBytes(cluster), 'net-routed join token', 32)));
}

/** The public one of tokenKey. @throws Error for a ticket that nobody of us has written */
export function ticketKey({ key }: Ticket): KeyObject {
  return parseSpki(Buffer.from(key, 'base64'));
}

/** What a token believes in. */
export function hashOf(authority: X509Certificate): Buffer {
  return createHash('sha256').update(authority.raw).digest();
}

function ticketId(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16);
}
