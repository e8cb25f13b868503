import type { TellOptions } from '../seeds.ts';

/** Text of a file as it is, which is there exactly once, and what the mistake makes of it. */
export interface Replacement {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/**
 * A variant of the protocol that is known to be wrong, and what has to notice it: at least one of the two, and for what
 * is wrong with it. A variant that only has the simulation or a test fail somehow is noticed by nobody.
 */
export interface Mutant {
  readonly name: string;
  /** What it gets wrong. */
  readonly what: string;
  readonly changes: readonly Replacement[];
  readonly seeds?: {
    /** Of so many, from the first on, one has to fail: about ten times as many as it takes on the average. */
    readonly within: number;
    /** With a violation like this. */
    readonly shows: RegExp;
    readonly story?: TellOptions;
  };
  /** For what the simulation meets too seldom. */
  readonly tests?: {
    readonly files: readonly string[];
    /** Of one that has to fail, by what it is about and not by a mistake that the interpreter finds. */
    readonly title: RegExp;
  };
}
