import { CALM, type Weather } from './network.ts';
import { Random } from './random.ts';
import { Troubles } from './troubles.ts';
import { type Pool, World, type WorldOptions } from './world.ts';

export interface StoryOptions {
  /** Hosts at the beginning; decided by the seed if absent. */
  readonly nodes?: number | undefined;
  /** Requests; decided by the seed if absent. */
  readonly steps?: number | undefined;
  readonly print?: ((line: string) => void) | undefined;
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const WEATHERS: readonly Weather[] = [
  CALM,
  { loss: 0.15, twice: 0.05, linkLoss: 0, delayMs: 40 },
  { loss: 0.15, twice: 0.05, linkLoss: 0.1, delayMs: 40 },
  { loss: 0.05, twice: 0.2, linkLoss: 0.3, delayMs: 10 },
  { loss: 0.02, twice: 0.02, linkLoss: 0.02, delayMs: 400 },
];

/** Of different kinds: usual ones, one that runs full, single values, several. */
const POOLS: readonly (readonly Pool[])[] = [
  [{ id: 'p1', size: 24, chunk: 2 }],
  [{ id: 'p1', size: 24, chunk: 2 }],
  [{ id: 'p1', size: 6, chunk: 1 }],
  [
    { id: 'p1', size: 16, chunk: 2 },
    { id: 'p2', size: 9, chunk: 4 },
  ],
];
const PASSING: readonly Pool[] = [
  { id: 'q1', size: 6, chunk: 2 },
  { id: 'q2', size: 3, chunk: 1 },
];

/** The story of one seed: what went wrong in it, and how much happened. */
export function tell(seed: number, { nodes, steps, print }: StoryOptions = {}): Outcome {
  const plan = new Random(seed ^ 0x5eed);
  const count = nodes ?? [3, 3, 4, 4, 5, 5, 6, 7][plan.below(8)]!;
  const length = steps ?? [60, 60, 120, 240][plan.below(4)]!;
  const options: WorldOptions = {
    pools: POOLS[plan.below(POOLS.length)],
    passing: plan.chance(0.5) ? PASSING : [],
    print,
  };
  const weather = WEATHERS[plan.below(WEATHERS.length)]!;
  const world = new World(seed, options);
  const troubles = new Troubles(world);
  world.found(count);
  world.network.weather = weather;
  for (const host of world.hosts) if (world.random.chance(0.3)) world.operator.backUp(host);
  for (let step = 0; step < length && world.ledger.violations.length === 0; step++) {
    world.workload.step();
    if (world.random.chance(0.08)) troubles.strike();
    world.run(world.random.chance(0.1) ? 1500 : 50);
  }
  if (world.ledger.violations.length === 0) world.conclude();
  return {
    violations: world.ledger.violations,
    counts: { ...world.counts, held: world.ledger.acknowledged },
  };
}
