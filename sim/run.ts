/** `npm run sim -- --seeds N --nodes M`: the shipped protocol in a simulated world, seed by seed. */
import { parseArgs } from 'node:util';
import type { Counts } from './world.ts';
import { World } from './world.ts';

/** The story of one seed; what went wrong in it. */
export function tell(seed: number, nodes: number, steps: number): { violations: string[]; counts: Counts } {
  const world = new World(seed);
  world.found(nodes);
  const stormy = world.random.chance(0.7);
  if (stormy)
    world.network.weather = {
      loss: 0.15,
      twice: 0.05,
      linkLoss: world.random.chance(0.3) ? 0.1 : 0,
      delayMs: 40,
    };
  for (let step = 0; step < steps && world.ledger.violations.length === 0; step++) {
    world.step();
    if (world.random.chance(0.08)) world.trouble();
    world.run(world.random.chance(0.1) ? 1500 : 50);
  }
  world.conclude();
  return { violations: world.ledger.violations, counts: world.counts };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '200' },
      first: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '5' },
      steps: { type: 'string', default: '150' },
    },
  });
  const [first, seeds, nodes, steps] = [values.first, values.seeds, values.nodes, values.steps].map(
    Number,
  ) as [number, number, number, number];
  const sums: Record<string, number> = {};
  let bad = 0;
  const started = performance.now();
  for (let seed = first; seed < first + seeds; seed++) {
    const { violations, counts } = tell(seed, nodes, steps);
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
    if (violations.length === 0) continue;
    bad++;
    if (bad <= 5) process.stdout.write(`seed ${seed}: ${violations.slice(0, 3).join('\n  ')}\n`);
  }
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(
    `${seeds} seeds, ${bad} with violations, ${seconds.toFixed(1)} s\n${JSON.stringify(sums)}\n`,
  );
  process.exitCode = bad > 0 ? 1 : 0;
}
