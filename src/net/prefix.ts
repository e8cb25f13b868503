import { CodedError } from '../errors.ts';
import { Address, type Family, quote, WIDTH } from './address.ts';

/** An address block in CIDR notation without host bits (RFC 4632), immutable. */
export class Prefix {
  /** The lowest address of the block. */
  readonly address: Address;
  /** Number of leading bits that are fixed, 0 to 32 or 128. */
  readonly length: number;

  private constructor(address: Address, length: number) {
    this.address = address;
    this.length = length;
  }

  /** @throws NR_PREFIX_INVALID for a malformed text, a length out of range, or host bits set. */
  static parse(text: string): Prefix {
    const { address, length } = splitCidr(text);
    const prefix = Prefix.around(address, length);
    if (!prefix.address.equals(address)) {
      throw new CodedError('NR_PREFIX_INVALID', `${quote(text)} has host bits set (its prefix is ${prefix})`);
    }
    return prefix;
  }

  /** The block of the given length that holds the address. @throws NR_PREFIX_INVALID when no block has this length. */
  static around(address: Address, length: number): Prefix {
    if (!Number.isInteger(length) || length < 0 || length > WIDTH[address.family]) {
      throw new CodedError('NR_PREFIX_INVALID', `${address}/${length} is not an address prefix`);
    }
    const host = BigInt(WIDTH[address.family] - length);
    return new Prefix(Address.of(address.family, (address.value >> host) << host), length);
  }

  /** The block of one address: /32 or /128. */
  static host(address: Address): Prefix {
    return new Prefix(address, WIDTH[address.family]);
  }

  get family(): Family {
    return this.address.family;
  }

  /** Number of addresses in the block. */
  get size(): bigint {
    return 1n << BigInt(WIDTH[this.family] - this.length);
  }

  /** The highest address of the block. */
  get last(): Address {
    return Address.of(this.family, this.address.value + this.size - 1n);
  }

  get isHost(): boolean {
    return this.length === WIDTH[this.family];
  }

  contains(inner: Address | Prefix): boolean {
    if (inner.family !== this.family) return false;
    if (inner instanceof Prefix) return inner.length >= this.length && this.contains(inner.address);
    const host = BigInt(WIDTH[this.family] - this.length);
    return inner.value >> host === this.address.value >> host;
  }

  overlaps(other: Prefix): boolean {
    return this.contains(other) || other.contains(this);
  }

  equals(other: Prefix): boolean {
    return this.length === other.length && this.address.equals(other.address);
  }

  toString(): string {
    return `${this.address}/${this.length}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/**
 * Splits `ADDRESS/LENGTH`, host bits allowed, as an interface address is written.
 * @throws NR_PREFIX_INVALID
 */
export function splitCidr(text: string): { address: Address; length: number } {
  const [head = '', tail = '', ...rest] = text.split('/');
  const address = Address.tryParse(head);
  const length = /^(0|[1-9]\d{0,2})$/.test(tail) ? Number(tail) : -1;
  if (!address || rest.length > 0 || length < 0 || length > WIDTH[address.family]) {
    throw new CodedError('NR_PREFIX_INVALID', `${quote(text)} is not an address prefix`);
  }
  return { address, length };
}
