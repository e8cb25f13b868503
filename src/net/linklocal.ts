import { createHash } from 'node:crypto';
import { Address, type Family } from './address.ts';

/**
 * The link-local gateway of a network, from any text that identifies it: 169.254.1.0 to 169.254.254.255
 * (RFC 3927 reserves the first and last 256) or fe80::/64. Two networks of one container must not share it,
 * so `attempt` walks on from a value that is taken.
 */
export function linkLocalGateway(family: Family, seed: string, attempt = 0): Address {
  const digest = createHash('sha256').update(`${family} ${seed}`).digest();
  if (family === 4) {
    const index = (digest.readUInt32BE(0) + attempt) % (254 * 256);
    return Address.of(4, 0xa9fe0100n + BigInt(index));
  }
  const suffix = (digest.readBigUInt64BE(8) + BigInt(attempt)) % (1n << 64n);
  return Address.of(6, (0xfe80n << 112n) + (suffix === 0n ? 1n : suffix));
}
