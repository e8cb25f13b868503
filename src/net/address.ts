import { IPv6 } from 'ip-num';
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
  #text: string | undefined;

  /** `text` where it is known already, in canonical form. */
  private constructor(family: Family, value: bigint, text?: string) {
    this.family = family;
    this.value = value;
    this.#text = text;
  }

  /** @throws NR_ADDRESS_INVALID for anything but one plain address, IPv4-mapped IPv6 included. */
  static parse(text: string): Address {
    const parsed = Address.tryParse(text);
    if (!parsed) throw new CodedError('NR_ADDRESS_INVALID', `${quote(text)} is not an address`);
    return parsed;
  }

  /** Like parse, but undefined for what is no address. */
  static tryParse(text: string): Address | undefined {
    const number = fromDotted(text);
    if (number !== undefined) return new Address(4, BigInt(number), text);
    // ip-num knows the grammar. No zone, no dotted tail: an IPv4-mapped address is an IPv4 address in disguise.
    if (!/^[0-9a-fA-F:]{2,39}$/.test(text)) return undefined;
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
    this.#text ??= this.family === 4 ? dotted(this.value) : rfc5952(this.value);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined; // ip-num throws for every malformed text; the caller names the text
  }
}

/**
 * The integer value of four decimal numbers from 0 to 255 with dots between, and without leading zeros, which are octal
 * to some programs and decimal to others; undefined for anything else. By hand, as each call of Docker parses a dozen
 * of them and ip-num takes 20 times as long.
 */
function fromDotted(text: string): number | undefined {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (octet < 0 || ++dots > 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || octet === 0) return undefined;
    octet = octet < 0 ? digit : octet * 10 + digit;
    if (octet > 255) return undefined;
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : undefined;
}

const DOT = 46;
const ZERO = 48;

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

/** Anything from outside as text, shortened and quoted for a message on one line; never throws. */
export function quote(thing: unknown): string {
  const text = typeof thing === 'string' ? thing : describe(thing);
  const quoted = JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
  // What a terminal would obey or hide, and JSON leaves as it is: C1 controls, direction marks, line separators.
  return quoted.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => character.split('').map(escaped).join(''));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function describe(thing: unknown): string {
  try {
    return JSON.stringify(thing) ?? String(thing);
  } catch {
    return typeof thing === 'bigint' ? String(thing) : typeof thing; // JSON has no big integers and no circles
  }
}
