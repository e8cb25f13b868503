import { CodedError } from '../errors.ts';
import { type Address, quote } from './address.ts';

/** An autonomous system number, 1 to 4294967294 (RFC 6793; 0 and the last are reserved, RFC 7607, 7300). */
export type Asn = number & { readonly brand: 'Asn' };

/** Reads asplain (`65000`) or asdot (`1.10`) notation, RFC 5396. @throws NR_CONFIG_INVALID */
export function parseAsn(text: string | number): Asn {
  const match = /^(?:(\d{1,5})\.)?(\d{1,10})$/.exec(String(text));
  const low = Number(match?.[2]);
  const high = match?.[1] === undefined ? undefined : Number(match[1]);
  const value = high === undefined ? low : high * 65536 + low;
  const dotWrong = high !== undefined && (high > 65535 || low > 65535);
  if (!match || dotWrong || value < 1 || value > 4294967294 || value === 23456) {
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
