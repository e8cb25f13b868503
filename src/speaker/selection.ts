import type { LearnedRoute } from '../ports/speaker.ts';
import { type LargeCommunity, readMark } from './holder.ts';

/** A path that a peer announced and the import rules let through. */
export interface LearnedPath {
  readonly prefix: string;
  /** Tells the peers apart that announced it. */
  readonly source: string;
  readonly nextHops: readonly { readonly via: string; readonly dev?: string }[];
  readonly asPath: readonly number[];
  readonly localPreference: number;
  /** 0 IGP, 1 EGP, 2 incomplete. */
  readonly origin: number;
  readonly med: number;
  /** Learned from a peer of the same AS. */
  readonly internal: boolean;
  readonly communities: readonly LargeCommunity[];
}

/**
 * The best of the paths to one prefix as a route, with the next hops of all that are equally good (RFC 4271
 * section 9.1, to where multipath begins: local preference, AS path, origin, MED, external before internal).
 */
export function select(paths: readonly LearnedPath[]): LearnedRoute | undefined {
  const best = paths.reduce<LearnedPath | undefined>((a, b) => (a && compare(a, b) <= 0 ? a : b), undefined);
  if (!best) return undefined;
  const equal = paths.filter((path) => compare(path, best) === 0);
  const hops = new Map(
    equal.flatMap((path) => path.nextHops.map((hop) => [`${hop.via} ${hop.dev ?? ''}`, hop])),
  );
  const nextHops = [...hops.keys()].sort().map((key) => hops.get(key)!);
  const first = equal.find((path) => path.nextHops.some((hop) => hop.via === nextHops[0]?.via)) ?? best;
  const mark = readMark(first.communities);
  return {
    prefix: best.prefix,
    nextHops,
    holder: mark.holder ?? nextHops[0]?.via ?? '',
    anycast: equal.some((path) => readMark(path.communities).anycast),
    asPath: first.asPath,
  };
}

/** Below zero when `a` is better, above when `b` is, zero when both are equally good. */
function compare(a: LearnedPath, b: LearnedPath): number {
  return (
    b.localPreference - a.localPreference ||
    a.asPath.length - b.asPath.length ||
    a.origin - b.origin ||
    // Metrics of different neighbouring AS have nothing to do with each other.
    (a.asPath[0] === b.asPath[0] ? a.med - b.med : 0) ||
    Number(a.internal) - Number(b.internal)
  );
}
