/**
 * Which word of a member about itself is the later one: by the start that it comes from (the sequence of the write that
 * made the start known), then by how often it has contradicted others since.
 */
export interface Incarnation {
  readonly start: number;
  readonly count: number;
}

/** As much as packets have place for. */
const START_MAX = 2 ** 48 - 1;
const COUNT_MAX = 2 ** 32 - 1;

/** What probes say of a member. They are hints: nothing is decided by them. */
export type Verdict = 'alive' | 'suspect' | 'dead';

/** What one host says of a member, passed on by others. */
export interface Statement {
  /** The member that it is about. */
  readonly id: string;
  readonly verdict: Verdict;
  readonly incarnation: Incarnation;
  /** Who says so, by the first 8 digits of its id: confirmations of one host count once. */
  readonly by: string;
}

/** Negative if the first one is the earlier one, 0 for the same. */
export function compare(one: Incarnation, other: Incarnation): number {
  return one.start - other.start || one.count - other.count;
}

/** The incarnation that contradicts what is said of this one; the last that there is for the last one. */
export function contradicting({ start, count }: Incarnation): Incarnation {
  if (count < COUNT_MAX) return { start, count: count + 1 };
  return { start: Math.min(START_MAX, start + 1), count: start < START_MAX ? 0 : COUNT_MAX };
}

/** A host as the author of a statement. */
export function authorOf(id: string): string {
  return id.slice(0, 8);
}
