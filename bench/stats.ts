/** Figures from samples; pure. */

/** The sample that `share` (0 to 1) of all are not above (nearest rank). NaN for no samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

export interface Summary {
  readonly n: number;
  readonly median: number;
  readonly p99: number;
}

/** Of fewer than a hundred samples the p99 is simply the greatest. */
export function summarize(samples: readonly number[]): Summary {
  return { n: samples.length, median: median(samples), p99: percentile(samples, 0.99) };
}
