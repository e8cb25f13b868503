import { IPv4, IPv6 } from 'ip-num';
import { CodedError } from '../errors.ts';

export type Family = 4 | 6;

/** Width of an address of each family, in bits. */
export const WIDTH = { 4: 32, 6: 128 } as const;

/**
 * An IPv4 or IPv6 address, immutable. The text is canonical: dotted decimal, or RFC 5952.
 * Parsing is strict, because inet_aton's habits (octal, short forms) have opened holes elsewhere.
 */
export class Address {
  readonly family: Family;
  /** The address as an unsigned integer of WIDTH[family] bits. */
  readonly value: bigint;
  readonly #text: string;

  private constructor(family: Family, value: bigint) {
    this.family = family;
    this.value = value;
    this.#text = family === 4 ? dotted(value) : rfc5952(value);
  }

  /** @throws NR_ADDRESS_INVALID for anything but one plain address, IPv4-mapped IPv6 included. */
  static parse(text: string): Address {
    const parsed = Address.tryParse(text);
    if (!parsed) throw new CodedError('NR_ADDRESS_INVALID', `${quote(text)} is not an address`);
    return parsed;
  }

  /** Like parse, but undefined for what is no address. */
  static tryParse(text: string): Address | undefined {
    if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
      // A leading zero is octal to some programs and decimal to others.
      if (text.split('.').some((part) => part.length > 1 && part.startsWith('0'))) return undefined;
      return attempt(() => new Address(4, new IPv4(text).getValue()));
    }
    // No zone, no dotted tail: an IPv4-mapped address is an IPv4 address in disguise.
    if (!/^[0-9a-fA-F:]{2,39}$/.test(text) || !text.includes(':') || text.includes(':::')) return undefined;
    if (text.split('::').length > 2 || text.split(':').some((group) => group.length > 4)) return undefined;
    if (!text.includes('::') && text.split(':').length !== 8) return undefined;
    if (text.includes('::') && text.split(':').filter(Boolean).length > 7) return undefined;
    if (/^:[^:]|[^:]:$/.test(text)) return undefined;
    const address = attempt(() => new Address(6, new IPv6(text.toLowerCase()).getValue()));
    return address && address.value >> 32n === 0xffffn ? undefined : address;
  }

  /** The address with this integer value. @throws NR_ADDRESS_INVALID when out of range. */
  static of(family: Family, value: bigint): Address {
    if (value < 0n || value >= 1n << BigInt(WIDTH[family])) {
      throw new CodedError('NR_ADDRESS_INVALID', `${value} does not fit an IPv${family} address`);
    }
    return new Address(family, value);
  }

  equals(other: Address): boolean {
    return this.family === other.family && this.value === other.value;
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined; // ip-num throws for every malformed text; the caller names the text
  }
}

function dotted(value: bigint): string {
  const number = Number(value);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function rfc5952(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
    if (end > i) i = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/** Text from outside, shortened and quoted for a message. */
export function quote(text: unknown): string {
  const string = typeof text === 'string' ? text : String(JSON.stringify(text));
  return JSON.stringify(string.length > 64 ? `${string.slice(0, 64)}…` : string);
}
