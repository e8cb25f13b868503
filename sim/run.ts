/**
 * `npm run sim -- --seeds N --nodes M`: the shipped protocol in a simulated world, seed by seed, over all cores. The
 * last line counts; it ends with 1 if anything went wrong.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { FOCI, type FocusName, RARE } from './focus.ts';
import { MUTANTS } from './mutants/all.ts';
import { mutantOf } from './mutants/apply.ts';
import { type Caught, catchMutant } from './mutants/catch.ts';
import type { Mutant } from './mutants/mutant.ts';
import { mutated, runSeeds } from './seeds.ts';
import { tell } from './story.ts';
import { again } from './tally.ts';

const OPTIONS = {
  seeds: { type: 'string', default: '2000' },
  first: { type: 'string', default: '1' },
  nodes: { type: 'string' },
  steps: { type: 'string' },
  focus: { type: 'string' },
  mutant: { type: 'string' },
  workers: { type: 'string' },
  minutes: { type: 'string' },
  mutants: { type: 'boolean', default: false },
  trace: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const NAMES = [...Object.keys(FOCI), ...Object.keys(RARE)].join(', ');

const USAGE = `npm run sim -- [options]
  --seeds N      stories to tell, 2000 by default
  --first K      the first one's seed, 1 by default
  --nodes M      hosts at the beginning; by default each seed decides, from 3 to 7
  --steps S      requests in a story; by default each seed decides, from 60 to 480
  --focus F      what the stories are about: ${NAMES}
  --mutant NAME  with a known mistake in the code (sim/mutants)
  --mutants      shows what notices each of the known mistakes: seeds, tests
  --workers W    processes; as many as cores by default
  --minutes T    begin no more stories after that time
  --trace        tell the first story only, with everything that happens in it
`;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`--${name} ${text} is no positive number`);
  return value;
}

function focusOf(name: string | undefined): FocusName | undefined {
  if (name === undefined || name in FOCI || name in RARE) return name as FocusName | undefined;
  throw new TypeError(`--focus is one of ${NAMES}`);
}

/** A line for each known mistake; 1 if one of them goes unnoticed. */
async function showMutants(workers = availableParallelism()): Promise<number> {
  let missed = 0;
  for (const mutant of MUTANTS) {
    try {
      print(rowOf(mutant, await catchMutant(mutant, workers)));
    } catch (error) {
      missed++;
      print(`${mutant.name}: ${(error as Error).message}`);
    }
  }
  print(`${MUTANTS.length - missed} of ${MUTANTS.length} mutants caught`);
  return missed > 0 ? 1 : 0;
}

function rowOf({ name, seeds }: Mutant, { seed, tests = [] }: Caught): string {
  const focus = seeds?.story?.focus === undefined ? '' : ` on ${seeds.story.focus}`;
  const bySeed = seed ? [`seed ${seed.number} of ${seeds?.within}${focus} (${seed.what})`] : [];
  return `${name.padEnd(28)} ${[...bySeed, ...tests.map((title) => `test "${title}"`)].join(', ')}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [first, seeds] = [number('first', values.first)!, number('seeds', values.seeds)!];
  const [nodes, steps, focus] = [
    number('nodes', values.nodes),
    number('steps', values.steps),
    focusOf(values.focus),
  ];
  const workers = number('workers', values.workers);
  const minutes = number('minutes', values.minutes);
  const mutant = values.mutant === undefined ? undefined : mutantOf(values.mutant).name;
  const story = { nodes, steps, focus };
  if (values.trace && mutant !== undefined && process.env.NET_ROUTED_MUTANT !== mutant) {
    const argv = [import.meta.filename, ...process.argv.slice(2)];
    return spawnSync(process.execPath, argv, { env: mutated(mutant), stdio: 'inherit' }).status ?? 1;
  }
  if (values.trace) {
    const { violations } = tell(first, { ...story, print });
    print(violations.length > 0 ? again({ seed: first, violations }, { ...story, mutant }) : 'all is well');
    return violations.length > 0 ? 1 : 0;
  }
  if (values.mutants) return showMutants(workers);
  const until = minutes === undefined ? undefined : Date.now() + minutes * 60_000;
  const { told, failed } = await runSeeds({ first, seeds, story, workers, mutant, until, report: print });
  return failed.length > 0 || (until === undefined && told < seeds) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n${USAGE}`);
  process.exitCode = 2;
}
