import { CodedError } from '../errors.ts';
import { Address, type Family, quote, WIDTH } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';

/** The ways to write a range: `A`, `A/LENGTH` and `A-B`, shortest first. */
export const NOTATIONS = ['address', 'prefix', 'range'] as const;
export type Notation = (typeof NOTATIONS)[number];

/** A run of addresses of one family, both ends included, immutable: what an ingress permit lets in. */
export class AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;

  private constructor(family: Family, first: bigint, last: bigint) {
    this.family = family;
    this.first = first;
    this.last = last;
  }

  /** Reads an address, a prefix or a range `A-B`. @throws NR_PREFIX_INVALID */
  static parse(text: string): AddressRange {
    const [low = '', high, ...rest] = text.split('-').map((part) => part.trim());
    if (high === undefined && low.includes('/')) return AddressRange.ofPrefix(Prefix.parse(low));
    const first = Address.tryParse(low);
    const last = high === undefined ? first : Address.tryParse(high);
    if (!first || !last || rest.length > 0) {
      throw new CodedError('NR_PREFIX_INVALID', `${quote(text)} is not an address, a prefix or a range A-B`);
    }
    if (first.family !== last.family || first.value > last.value) {
      throw new CodedError('NR_PREFIX_INVALID', `the range ${quote(text)} does not go upwards in one family`);
    }
    return new AddressRange(first.family, first.value, last.value);
  }

  static ofPrefix(prefix: Prefix): AddressRange {
    return new AddressRange(prefix.family, prefix.address.value, prefix.last.value);
  }

  static between(first: Address, last: Address): AddressRange {
    return new AddressRange(first.family, first.value, last.value);
  }

  holds(address: Address): boolean {
    return address.family === this.family && address.value >= this.first && address.value <= this.last;
  }

  covers(other: AddressRange): boolean {
    return other.family === this.family && other.first >= this.first && other.last <= this.last;
  }

  /** As it is written in a notation, undefined where that cannot express it. */
  written(notation: Notation): string | undefined {
    const [first, last] = [this.first, this.last].map((value) => Address.of(this.family, value));
    if (notation === 'range') return `${first}-${last}`;
    if (notation === 'address') return this.first === this.last ? `${first}` : undefined;
    const size = this.last - this.first + 1n;
    const isPrefix = (size & (size - 1n)) === 0n && (this.first & (size - 1n)) === 0n;
    return isPrefix ? `${first}/${WIDTH[this.family] - (size.toString(2).length - 1)}` : undefined;
  }

  /** The shortest way to write it, one for each range. */
  toString(): string {
    return this.written('address') ?? this.written('prefix') ?? this.written('range')!;
  }
}

/**
 * The fewest ranges that hold the same addresses, in order. A set of nftables with intervals in a concatenation
 * refuses elements that overlap, and merges nothing by itself.
 */
export function merge(ranges: readonly AddressRange[]): AddressRange[] {
  const sorted = [...ranges].sort((a, b) => a.family - b.family || compare(a.first, b.first));
  const merged: AddressRange[] = [];
  for (const range of sorted) {
    const open = merged.at(-1);
    if (!open || open.family !== range.family || range.first > open.last + 1n) merged.push(range);
    else if (range.last > open.last) merged[merged.length - 1] = joined(open, range);
  }
  return merged;
}

function joined(low: AddressRange, high: AddressRange): AddressRange {
  return AddressRange.between(Address.of(low.family, low.first), Address.of(low.family, high.last));
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
