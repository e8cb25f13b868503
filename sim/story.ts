import { FOCI, type Focus, type FocusName, POOLS, RARE, WEATHERS } from './focus.ts';
import { Random } from './random.ts';
import { Troubles } from './troubles.ts';
import { type Pool, World, type WorldOptions } from './world.ts';

export interface StoryOptions {
  /** Hosts at the beginning; decided by the seed if absent. */
  readonly nodes?: number | undefined;
  /** Requests; decided by the seed if absent. */
  readonly steps?: number | undefined;
  /** What it is about; decided by the seed if absent. */
  readonly focus?: FocusName | undefined;
  readonly print?: ((line: string) => void) | undefined;
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const PASSING: readonly Pool[] = [
  { id: 'q1', size: 6, chunk: 2 },
  { id: 'q2', size: 3, chunk: 1 },
];

/** The story of one seed: what went wrong in it, and how much happened. */
export function tell(seed: number, { nodes, steps, focus, print }: StoryOptions = {}): Outcome {
  const plan = new Random(seed ^ 0x5eed);
  const count = nodes ?? [3, 3, 4, 4, 5, 5, 6, 7][plan.below(8)]!;
  const length = steps ?? [60, 120, 240, 480][plan.below(4)]!;
  const chosen = plan.chance(0.5) ? plan.pick(Object.values(FOCI)) : undefined;
  const about: Focus = (focus ? { ...FOCI, ...RARE }[focus] : chosen) ?? {};
  const isPassing = plan.chance(0.5) || about.requests?.createSpace !== undefined;
  const options: WorldOptions = {
    pools: plan.pick(about.pools ?? POOLS),
    passing: isPassing ? PASSING : [],
    // Most stories have fewer hosts than a tree of links would be made for.
    treeAbove: plan.chance(0.3) ? 2 : undefined,
    requests: about.requests,
    print,
  };
  const weather = plan.pick(about.weathers ?? WEATHERS)!;
  const strikes = (about.strikes ?? 8) / 100;
  // No story has so many transfers that a seal of the product would leave any out.
  const carried = plan.pick([undefined, undefined, 1, 2]);
  // Two histories are told apart as far as seals go back.
  const linksMax = focus === 'splits' ? undefined : carried;
  const world = new World(seed, { ...options, linksMax });
  const unfold = () => {
    const troubles = new Troubles(world, about.troubles);
    world.found(count);
    world.network.weather = weather;
    for (const host of world.hosts) if (world.random.chance(0.3)) world.operator.backUp(host);
    for (let step = 0; step < length && world.ledger.violations.length === 0; step++) {
      world.workload.step();
      if (world.random.chance(strikes)) troubles.strike();
      world.run(world.random.chance(0.1) ? 1500 : 50);
    }
    if (world.ledger.violations.length === 0) world.conclude();
  };
  try {
    unfold();
  } catch (error) {
    world.fault(error);
  }
  return {
    violations: world.ledger.violations,
    counts: { ...world.counts, held: world.ledger.acknowledged },
  };
}
