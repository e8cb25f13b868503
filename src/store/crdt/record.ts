import type { Class } from '../../ports/store.ts';

/** Which replica wrote a version, and its how-manieth write that was. */
export interface Dot {
  readonly origin: string;
  /** From 1. */
  readonly sequence: number;
}

/** A version of a record as it is kept and sent; never changed. */
export interface Versioned extends Dot {
  readonly class: Class;
  /** `namespace/id`; that of an owned record is `namespace/ORIGIN/id`. */
  readonly key: string;
  /** The value as JSON; undefined for a tombstone. */
  readonly text: string | undefined;
  readonly rank: number;
  /** Of the writer or its proof, for the classes that need one; opaque here. */
  readonly seal?: Uint8Array | undefined;
}

/**
 * Whether version `a` of a record stands against `b`. Total: of two that differ in anything, one stands, on all hosts the
 * same. A host whose disk was set back gives away twice what it gave, and may number both writes alike.
 */
export function stands(a: Versioned, b: Versioned): boolean {
  if (a.rank !== b.rank) return a.rank > b.rank;
  if (a.origin !== b.origin) return a.origin > b.origin;
  if (a.sequence !== b.sequence) return a.sequence > b.sequence;
  if (a.text !== b.text) return a.text !== undefined && (b.text === undefined || a.text > b.text);
  return Buffer.compare(a.seal ?? NONE, b.seal ?? NONE) > 0;
}

const NONE = new Uint8Array();

export function sameDot(a: Dot, b: Dot): boolean {
  return a.origin === b.origin && a.sequence === b.sequence;
}

/** The namespace of a well-formed key. */
export function namespaceIn(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

/** Who may write an owned record: the part between the first two slashes. */
export function ownerIn(key: string): string {
  const start = key.indexOf('/') + 1;
  const end = key.indexOf('/', start);
  return end < 0 ? key.slice(start) : key.slice(start, end);
}

/** About what a version takes up in memory and, at most, in a message, in bytes. */
export function sizeOf({ key, text = '', seal }: Versioned): number {
  return Buffer.byteLength(key) + Buffer.byteLength(text) + (seal?.length ?? 0) + 64;
}

/** Longest key and largest value in bytes of UTF-8; what is beyond is refused everywhere alike. */
export const KEY_MAX = 1024;
export const VALUE_MAX = 64 * 1024;
