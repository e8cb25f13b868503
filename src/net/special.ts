import type { Address } from './address.ts';
import { Prefix } from './prefix.ts';

const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'].map(Prefix.parse);

/**
 * Destinations that no endpoint can have: unspecified, loopback, link-local, multicast and above (RFC 6890, among it
 * 240.0.0.0/4 with the limited broadcast address).
 */
export const UNUSABLE: readonly Prefix[] = [
  ...['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/128', '::1/128', 'ff00::/8'].map(Prefix.parse),
  ...LINK_LOCAL,
];

/** Whether the address has a meaning on one link only. */
export function isLinkLocal(address: Address): boolean {
  return LINK_LOCAL.some((prefix) => prefix.contains(address));
}
