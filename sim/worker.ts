/** Tells the stories of the seeds that its parent asks for; ends with it. */
import type { Batch, BatchResult } from './seeds.ts';
import { tell } from './story.ts';

// Refusals are many and looked for, and their stacks cost more than they do.
Error.stackTraceLimit = 2;

process.on('message', ({ first, seeds, story }: Batch) => {
  const failed: { seed: number; violations: readonly string[] }[] = [];
  const counts: Record<string, number> = {};
  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = tell(seed, story);
    for (const [name, count] of Object.entries(outcome.counts)) counts[name] = (counts[name] ?? 0) + count;
    if (outcome.violations.length > 0) failed.push({ seed, violations: outcome.violations });
  }
  process.send?.({ failed, counts } satisfies BatchResult);
});
