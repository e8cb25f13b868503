import { hash } from 'node:crypto';
import type { Versioned } from './record.ts';

/** How many records, and what their hashes come to, modulo 2^64: alike for the same records in whatever order. */
export interface Sum {
  readonly count: number;
  readonly hash: bigint;
}

interface Counter {
  count: number;
  hash: bigint;
}

/** What stands of an origin's writes: what it owns, which goes as one when it is gone, and what it wrote for all. */
export interface OriginSum {
  readonly owned: Sum;
  readonly common: Sum;
}

/** By origin; one without records has no entry, or an empty one. */
export type SumsView = ReadonlyMap<string, OriginSum>;

/** What one record was, and what it is; or that all that an origin owns was dropped. */
export type SumStep =
  | {
      readonly key: string;
      readonly before: Versioned | undefined;
      readonly after: Versioned | undefined;
    }
  | { readonly dropped: string };

const EMPTY: Sum = { count: 0, hash: 0n };
export const NOTHING: OriginSum = { owned: EMPTY, common: EMPTY };

/** Whether a version counts: neither what is never told, nor a tombstone, as hosts collect those at times of their own. */
export function isCounted({ class: kind, text }: Versioned): boolean {
  return kind !== 'local' && text !== undefined;
}

/** The sums of those origins that some steps change, each step taken on what the one before has left. */
export function changedSums(sums: SumsView, steps: Iterable<SumStep>): ReadonlyMap<string, OriginSum> {
  const changed = new Map<string, { owned: Counter; common: Counter }>();
  const of = (origin: string) => {
    let counters = changed.get(origin);
    if (!counters) {
      const { owned, common } = sums.get(origin) ?? NOTHING;
      counters = { owned: { ...owned }, common: { ...common } };
      changed.set(origin, counters);
    }
    return counters;
  };
  const add = (version: Versioned, sign: 1 | -1) => {
    if (!isCounted(version)) return;
    const counters = of(version.origin);
    const counter = version.class === 'owned' ? counters.owned : counters.common;
    counter.count += sign;
    counter.hash += sign > 0 ? hashOf(version) : -hashOf(version);
  };
  /** Origins of which all was dropped, with the keys that have been written since: only these have anything before them. */
  const dropped = new Map<string, Set<string>>();
  for (const step of steps) {
    if ('dropped' in step) {
      dropped.set(step.dropped, new Set());
      of(step.dropped).owned = { ...EMPTY };
      continue;
    }
    const { key, before, after } = step;
    const isThere = before?.class !== 'owned' || (dropped.get(before.origin)?.has(key) ?? true);
    if (before && isThere) add(before, -1);
    if (after) add(after, 1);
    if (after?.class === 'owned') dropped.get(after.origin)?.add(key);
  }
  for (const { owned, common } of changed.values())
    for (const counter of [owned, common]) counter.hash = BigInt.asUintN(64, counter.hash);
  return changed;
}

/** One origin's as text, the same for the same records; undefined for none. */
export function sumText({ owned, common }: OriginSum): string | undefined {
  if (owned.count === 0 && common.count === 0) return undefined;
  return `${owned.count}:${owned.hash.toString(16)}:${common.count}:${common.hash.toString(16)}`;
}

/** 8 bytes, the same for the same records: what two replicas compare first. */
export function sumsHash(sums: SumsView): string {
  const texts = [...sums.keys()].sort().flatMap((origin) => {
    const text = sumText(sums.get(origin)!);
    return text === undefined ? [] : [`${origin}:${text};`];
  });
  return hash('sha256', texts.join('')).slice(0, 16);
}

/** No key has a line break, so that no two versions have the same text. */
function hashOf({ key, class: kind, origin, sequence, rank, text }: Versioned): bigint {
  const digits = hash('sha256', `${key}\n${kind} ${origin} ${sequence} ${rank}\n${text}`);
  return BigInt(`0x${digits.slice(0, 16)}`);
}
