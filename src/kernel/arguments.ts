import { CodedError } from '../errors.ts';
import { Address, type Family, quote } from '../net/address.ts';
import { parseIfname } from '../net/ifname.ts';
import { Prefix, splitCidr } from '../net/prefix.ts';
import { ALIAS_PREFIX, LINK_PREFIX } from '../ports/kernel.ts';

/**
 * Checks on every value before it may become part of a command. All throw NR_KERNEL_ARGUMENT, for what iproute2
 * could misread, and for what reads back differently from how it was written.
 */

/** A command of an `ip -batch`, without its line end. */
export type Line = string & { readonly brand: 'Line' };

/** A word in double quotes, which may hold spaces. */
export interface Quoted {
  readonly quoted: string;
}

/** Puts checked words together. A leading dash would be an option, and `#`, quotes and backslash have a meaning. */
export function line(...words: (string | number | Quoted)[]): Line {
  const text = words.map((word) => {
    if (typeof word === 'object') {
      if (!/^[\w .:/-]{1,255}$/.test(word.quoted)) throw bad(`${quote(word.quoted)} cannot be quoted`);
      return `"${word.quoted}"`;
    }
    if (!/^[\w./:@][\w./:@-]{0,254}$/.test(String(word))) throw bad(`${quote(word)} is no word of a command`);
    return String(word);
  });
  return text.join(' ') as Line;
}

/** Name of any interface. */
export function ifname(text: unknown): string {
  return checked(() => parseIfname(string(text)));
}

/** Name of an interface that may be ours. */
export function ownName(text: unknown): string {
  const name = ifname(text);
  if (!name.startsWith(LINK_PREFIX)) throw bad(`${quote(name)} does not begin with ${LINK_PREFIX}`);
  return name;
}

/** Bytes. */
export function mtu(value: unknown): number {
  return integer(value, 68, 65535, 'an MTU');
}

export function alias(text: unknown): Quoted {
  const quoted = string(text);
  if (!quoted.startsWith(ALIAS_PREFIX) || quoted.trimEnd() !== quoted) {
    throw bad(`${quote(quoted)} does not begin with ${quote(ALIAS_PREFIX)}`);
  }
  return { quoted };
}

/** A destination or an address, as it is written. */
export interface Place {
  readonly text: string;
  readonly family: Family;
  /** In fe80::/10, and so only of use with a device. */
  readonly linkLocal: boolean;
}

export function prefix(text: unknown): Place {
  // The common case, ten thousand times over: nothing to normalise, no host bits.
  if (typeof text === 'string' && text.endsWith('/32') && IPV4.test(text.slice(0, -3))) {
    return { text, family: 4, linkLocal: false };
  }
  const parsed = checked(() => Prefix.parse(string(text)));
  return place(text, parsed.toString(), parsed.address);
}

export function address(text: unknown): Place {
  const known = typeof text === 'string' ? seen.get(text) : undefined;
  if (known) return known;
  const parsed = checked(() => Address.parse(string(text)));
  const found = place(text, parsed.toString(), parsed);
  // Next hops and sources are few, and repeated in every route.
  if (seen.size >= SEEN_MAX) seen.clear();
  seen.set(found.text, found);
  return found;
}

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const SEEN_MAX = 1024;
const seen = new Map<string, Place>();

function place(text: unknown, canonical: string, { family, value }: Address): Place {
  if (canonical !== text) throw bad(`${quote(text)} is not how ${canonical} is written`);
  return { text: canonical, family, linkLocal: family === 6 && value >> 118n === 0x3fan };
}

/** An interface address, host bits allowed. */
export function cidr(text: unknown): Place & { readonly length: number } {
  const { address: local, length } = checked(() => splitCidr(string(text)));
  return { ...place(text, `${local}/${length}`, local), length };
}

/** Neither 0 (unspecified) nor 255 (local, the kernel's own). */
export function table(value: unknown): number {
  const number = integer(value, 1, 0xffffffff, 'a routing table');
  if (number === 255) throw bad('table 255 is the kernel’s');
  return number;
}

/** Not 0, which matches every metric on removal; one is left above for the stand-in during a change. */
export function metric(value: unknown): number {
  return integer(value, 1, 0xfffffffe, 'a metric');
}

/** Path of a network namespace. */
export function sandboxPath(text: unknown): string {
  const path = string(text);
  const printable = /^\/[\x21-\x7e]{1,4095}$/.test(path);
  if (!printable || path.split('/').includes('..')) throw bad(`${quote(path)} is no path of a sandbox`);
  return path;
}

/** Path of a network setting below /proc/sys, with slashes, by its parts. */
export function sysctlPath(text: unknown): readonly string[] {
  const path = string(text);
  const parts = path.split('/');
  const clean = parts.every((part) => /^[\w.:-]+$/.test(part) && part !== '.' && part !== '..');
  if (!clean || parts[0] !== 'net' || path.length > 255) throw bad(`${quote(path)} is no network setting`);
  return parts;
}

export function sysctlValue(text: unknown): string {
  const value = string(text);
  if (!/^[\w.:-]+([ \t][\w.:-]+)*$/.test(value) || value.length > 255) {
    throw bad(`${quote(value)} is no value of a setting`);
  }
  return value;
}

export function bad(what: string, cause?: unknown): CodedError {
  return new CodedError('NR_KERNEL_ARGUMENT', what, { cause });
}

function integer(value: unknown, low: number, high: number, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
    throw bad(`${quote(value)} is not ${what}`);
  }
  return value;
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw bad(`${quote(value)} is not a text`);
  return value;
}

function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw bad(error instanceof CodedError ? error.what : String(error), error);
  }
}
