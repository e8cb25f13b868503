import { CodedError } from '../errors.ts';
import { type Address, quote } from './address.ts';

/** An autonomous system number, 1 to 4294967294 without those that nobody may have. */
export type Asn = number & { readonly brand: 'Asn' };

/** AS_TRANS (RFC 6793) and the last of each size (RFC 7300); 0 is none either (RFC 7607). */
const RESERVED = [0, 23456, 65535, 4294967295];

/**
 * Reads asplain (`65000`) or asdot (`1.10`) notation, RFC 5396. A number with a fraction is refused: YAML reads an
 * unquoted 1.10 as 1.1, which would be another AS.
 * @throws NR_CONFIG_INVALID
 */
export function parseAsn(text: string | number): Asn {
  if (typeof text === 'number' && !Number.isInteger(text)) {
    throw new CodedError('NR_CONFIG_INVALID', `${text} is not an AS number; put asdot notation in quotes`);
  }
  const match = /^(?:(0|[1-9]\d{0,4})\.)?(0|[1-9]\d{0,9})$/.exec(String(text));
  const low = Number(match?.[2]);
  const high = match?.[1] === undefined ? undefined : Number(match[1]);
  const value = high === undefined ? low : high * 65536 + low;
  const dotWrong = high !== undefined && (high > 65535 || low > 65535);
  if (!match || dotWrong || value > 4294967295 || RESERVED.includes(value)) {
    throw new CodedError('NR_CONFIG_INVALID', `${quote(text)} is not an AS number`);
  }
  return value as Asn;
}

/**
 * The private four-octet AS number (RFC 6996) that a host uses when none is configured: 4200000000 plus the low
 * 26 bits of its router id, so that hosts of one site get different ones.
 */
export function privateAsn(routerId: Address): Asn {
  return (4200000000 + (Number(routerId.value & 0x3ffffffn) % 94967295)) as Asn;
}
