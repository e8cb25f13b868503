import type { StoryOptions } from '../story.ts';

/** Text of one of the files as it is shipped, which is there exactly once, and what the mistake makes of it. */
export interface Replacement {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A variant of the protocol that is known to be wrong. */
export interface Mutant {
  readonly name: string;
  /** What it gets wrong. */
  readonly what: string;
  readonly changes: readonly Replacement[];
  /** Of so many seeds one at least has to fail: some times as many as it took when this was written. */
  readonly within: number;
  /** Stories in which it matters. */
  readonly story?: Omit<StoryOptions, 'print'>;
}
