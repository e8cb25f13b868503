/**
 * `npm run sim -- --seeds N --nodes M`: the shipped protocol in a simulated world, seed by seed, over all cores. Ends
 * with 1 if anything went wrong; `--trace` prints all that happens in the first seed.
 */
import { parseArgs } from 'node:util';
import { FOCI, type FocusName } from './focus.ts';
import { runSeeds } from './seeds.ts';
import { tell } from './story.ts';

const OPTIONS = {
  seeds: { type: 'string', default: '2000' },
  first: { type: 'string', default: '1' },
  nodes: { type: 'string' },
  steps: { type: 'string' },
  focus: { type: 'string' },
  mutant: { type: 'string' },
  workers: { type: 'string' },
  minutes: { type: 'string' },
  trace: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const USAGE = `npm run sim -- [options]
  --seeds N      stories to tell, 2000 by default
  --first K      the first one's seed, 1 by default
  --nodes M      hosts at the beginning; by default each seed decides, from 3 to 7
  --steps S      requests in a story; by default each seed decides, from 60 to 240
  --focus F      what the stories are about: records, loans, forgetting, parting, copies, spaces
  --workers W    processes; as many as cores by default
  --minutes T    tell no more stories after that time
  --trace        tell the first one only, with everything that happens in it
`;

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name} ${text} is not a positive number`);
  return value;
}

const { values } = parseArgs({ options: OPTIONS });
const first = number('first', values.first)!;
const focus = values.focus as FocusName | undefined;
if (focus !== undefined && !(focus in FOCI))
  throw new Error(`--focus is one of ${Object.keys(FOCI).join(', ')}`);
const story = { nodes: number('nodes', values.nodes), steps: number('steps', values.steps), focus };

if (values.help) process.stdout.write(USAGE);
else if (values.trace) {
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const { violations } = tell(first, { ...story, print });
  process.stdout.write(violations.length > 0 ? `${violations.join('\n')}\n` : 'all is well\n');
  process.exitCode = violations.length > 0 ? 1 : 0;
} else {
  const seeds = number('seeds', values.seeds)!;
  const minutes = number('minutes', values.minutes);
  const result = await runSeeds({
    first,
    seeds,
    story,
    workers: number('workers', values.workers),
    mutant: values.mutant,
    until: minutes === undefined ? undefined : Date.now() + minutes * 60_000,
    report: (line) => void process.stdout.write(`${line}\n`),
  });
  process.exitCode = result.failed.length > 0 || result.told < seeds ? 1 : 0;
}
