import { hkdfSync, randomBytes } from 'node:crypto';
import { CodedError } from '../../errors.ts';
import { bytesOf, textOf, uuidBytes, uuidOf } from './text.ts';

const PREFIX = 'nrs1_';
const SECRET_BYTES = 32;

/**
 * What the nodes of a cluster without an authority have in common. It is always drawn, never chosen: who listens to a
 * handshake with a pre-shared key can try words at leisure.
 */
export interface ClusterSecret {
  readonly cluster: string;
  readonly secret: Uint8Array;
}

export function drawSecret(cluster: string): ClusterSecret {
  return { cluster, secret: randomBytes(SECRET_BYTES) };
}

/** As it is written down and given to other nodes. */
export function secretText({ cluster, secret }: ClusterSecret): string {
  return textOf(PREFIX, Buffer.concat([uuidBytes(cluster), secret]));
}

/** @throws NR_SECRET_INVALID */
export function parseSecret(text: string): ClusterSecret {
  const bytes = bytesOf(PREFIX, text);
  if (bytes?.length !== 16 + SECRET_BYTES)
    throw new CodedError(
      'NR_SECRET_INVALID',
      'the secret of the cluster is incomplete or has a mistake in it',
    );
  return { cluster: uuidOf(bytes.subarray(0, 16)), secret: bytes.subarray(16) };
}

/** What TLS is given: the key, and the name that goes over the wire in plain text. */
export interface PresharedKey {
  readonly identity: string;
  readonly key: Buffer;
}

/** Derives the key from the secret (HKDF, RFC 5869). */
export function presharedKey({ cluster, secret }: ClusterSecret): PresharedKey {
  const derive = (info: string, bytes: number) =>
    Buffer.from(hkdfSync('sha256', secret, uuidBytes(cluster), `net-routed ${info}`, bytes));
  return { identity: `net-routed ${derive('psk name', 8).toString('hex')}`, key: derive('psk', 32) };
}

/** What a secret is called where people see it: the part of the name on the wire that tells it from others. */
export function secretName({ identity }: PresharedKey): string {
  return identity.replace(/^.* /, '');
}
