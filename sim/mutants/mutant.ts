import type { TellOptions } from '../seeds.ts';

/** Text of a file as it is, which is there exactly once, and what the mistake makes of it. */
export interface Replacement {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A variant of the protocol that is known to be wrong, and what has to notice it: at least one of the two. */
export interface Mutant {
  readonly name: string;
  /** What it gets wrong. */
  readonly what: string;
  readonly changes: readonly Replacement[];
  /** Of so many seeds, from the first on, one has to fail: about ten times as many as it takes on the average. */
  readonly seeds?: { readonly within: number; readonly story?: TellOptions };
  /** Files of tests of which one has to fail: for what the simulation meets too seldom. */
  readonly tests?: readonly string[];
}
