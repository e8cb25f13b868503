/** Tells the stories of the seeds that its parent asks for; ends with it. */
import type { Batch, BatchResult } from './seeds.ts';
import { tell } from './story.ts';
import { Tally } from './tally.ts';

// Refusals are many and looked for, and their stacks cost more than they do. `--trace` has those of mistakes.
Error.stackTraceLimit = 0;

process.on('message', ({ first, seeds, story, stopAt }: Batch) => {
  const pattern = stopAt === undefined ? undefined : new RegExp(stopAt);
  const tally = new Tally();
  for (let seed = first; seed < first + seeds; seed++) {
    if (pattern && tally.shows(pattern)) break;
    const { violations, counts } = tell(seed, story);
    tally.add(1, counts, violations.length > 0 ? [{ seed, violations }] : []);
  }
  const { told, failed, counts } = tally;
  process.send?.({ told, failed, counts } satisfies BatchResult);
});
