/** What is measured, and what comes of it. */
import type { Lab } from '../lab/lab.ts';
import { type Summary, summarize } from './stats.ts';

export type Unit = 'ms' | 's' | 'MB' | 'B' | 'packets' | 'Gbit/s' | '1/s' | 'us' | '%';

/** One line of the table. */
export interface Figure extends Summary {
  readonly what: string;
  readonly unit: Unit;
  /** This median divided by that of what it is compared with. */
  readonly ratio?: number | undefined;
  /** What docs ask of it; nothing ends because it is missed. */
  readonly goal?: string | undefined;
}

/** What a row has found. */
export interface Finding {
  readonly figures: readonly Figure[];
  /** What exactly was measured, and what has to be known to read it. */
  readonly notes: readonly string[];
}

/** What a row gets to work with. */
export interface Bench {
  /** Up for the rows that need one. */
  readonly lab: Lab;
  /** Small numbers, to see that it works. */
  readonly quick: boolean;
  /** As large and as long as the goals are, where that takes many minutes. */
  readonly long: boolean;
  /** Says what is being done. */
  readonly say: (line: string) => void;
  /** How many samples: the first as a rule, the second when quick. */
  readonly count: (full: number, quick: number) => number;
}

export interface Row {
  readonly name: string;
  /** `docker`: hosts with dockerd. `daemon`: hosts with net-routed only. `none`: no hosts. */
  readonly lab: 'docker' | 'daemon' | 'none';
  readonly run: (bench: Bench) => Promise<Finding>;
}

/** Of what could not be measured: it stands in the table, as a goal that is missed. */
export function missing(what: string, unit: Unit, goal?: string): Figure {
  return { what, unit, n: 0, median: Number.NaN, p99: Number.NaN, ...(goal && { goal: `${goal}: MISSING` }) };
}

/** A figure of many samples. */
export function figure(
  what: string,
  unit: Unit,
  samples: readonly number[],
  more: { against?: readonly number[]; goal?: string } = {},
): Figure {
  const summary = summarize(samples);
  const ratio = more.against && summary.median / summarize(more.against).median;
  return {
    what,
    unit,
    ...summary,
    ...(ratio !== undefined && Number.isFinite(ratio) && { ratio }),
    ...(more.goal && { goal: more.goal }),
  };
}
