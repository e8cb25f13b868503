import { CodedError } from '../errors.ts';
import { type Address, quote } from './address.ts';

/** A unicast Ethernet address in lower case, colon-separated. */
export type Mac = string & { readonly brand: 'Mac' };

/** @throws NR_MAC_INVALID for a malformed, multicast or zero address. */
export function parseMac(text: string): Mac {
  const lower = text.toLowerCase();
  const valid = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(lower) && lower !== '00:00:00:00:00:00';
  if (!valid || (Number.parseInt(lower.slice(0, 2), 16) & 1) === 1) {
    throw new CodedError('NR_MAC_INVALID', `${quote(text)} is not a unicast MAC address`);
  }
  return lower as Mac;
}

/**
 * The MAC that an endpoint gets from its address: 02:42 and the low 32 bits, the high ones folded in.
 * The same address has the same MAC wherever it runs, so a neighbour's cache stays right when it moves.
 */
export function macOf(address: Address): Mac {
  let folded = 0n;
  for (let rest = address.value; rest > 0n; rest >>= 32n) folded ^= rest & 0xffffffffn;
  const hex = folded.toString(16).padStart(8, '0');
  return `02:42:${hex.match(/../g)!.join(':')}` as Mac;
}
