import { CodedError } from '../errors.ts';
import { WIDTH } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { PrefixRule } from '../ports/speaker.ts';

/** A block and the lengths, `min` to `max`, of the prefixes within it that are meant. */
export interface Range {
  readonly prefix: Prefix;
  readonly min: number;
  readonly max: number;
}

/** @throws NR_PEER_INVALID when the lengths make no sense, NR_PREFIX_INVALID */
export function rangeOf(rule: PrefixRule): Range {
  const prefix = Prefix.parse(rule.prefix);
  const min = rule.ge ?? prefix.length;
  // As routers read it: with `ge` alone, everything that is longer.
  const max = rule.le ?? (rule.ge === undefined ? prefix.length : WIDTH[prefix.family]);
  if (!(prefix.length <= min && min <= max && max <= WIDTH[prefix.family])) {
    throw new CodedError('NR_PEER_INVALID', `${prefix} cannot have lengths from ${min} to ${max}`);
  }
  return { prefix, min, max };
}

export function matches(ranges: readonly Range[], prefix: Prefix): boolean {
  return ranges.some(
    (range) => range.prefix.contains(prefix) && range.min <= prefix.length && prefix.length <= range.max,
  );
}

/** What of the ranges lies within the pools; no default route, whatever the pools are. */
export function within(ranges: readonly Range[], pools: readonly Prefix[]): Range[] {
  return ranges.flatMap((range) =>
    pools.flatMap((pool) => {
      const prefix = pool.contains(range.prefix) ? range.prefix : pool;
      if (!range.prefix.contains(prefix)) return [];
      const min = Math.max(range.min, prefix.length, 1);
      return min <= range.max ? [{ prefix, min, max: range.max }] : [];
    }),
  );
}

/**
 * The same set of prefixes, written so that the longest block that holds a prefix decides alone, which is how
 * GoBGP 3 looks: each block takes over the lengths of the blocks around it.
 */
export function flattened(ranges: readonly Range[]): Range[] {
  const all = new Map<string, Range>();
  for (const inner of ranges) {
    for (const outer of ranges) {
      if (!outer.prefix.contains(inner.prefix)) continue;
      const min = Math.max(outer.min, inner.prefix.length);
      if (min > outer.max) continue;
      all.set(`${inner.prefix} ${min} ${outer.max}`, { prefix: inner.prefix, min, max: outer.max });
    }
  }
  return [...all.keys()].sort().map((key) => all.get(key)!);
}
