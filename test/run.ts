/**
 * All tests, in the order of what they need: `npm test`; with `--all` the long ones too. The last line counts them.
 * Each group runs in a process of its own, so that nothing one leaves behind can pass or fail another.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Release } from '../lab/plan.ts';
import { releaseRoot } from '../lab/release.ts';
import { endPrograms, runProgram } from './program.ts';

const ROOT = join(import.meta.dirname, '..');
const all = process.argv.includes('--all');
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

interface Group {
  readonly name: string;
  readonly command: readonly string[];
  /** Variables; `root` is where the release's programs are. */
  readonly env?: (root: string) => Readonly<Record<string, string>>;
  /** Debian release whose programs it needs; their root is built before if it is not there. */
  readonly release?: Release;
  /** Longest time, in minutes: a hang is a failure with a name, not a CI run that is cut off. */
  readonly minutes: number;
  /** A single check rather than many tests. */
  readonly single?: boolean;
  /** Runs while the group before those of this kind does: that one waits most of its time. */
  readonly beside?: boolean;
}

/** Longest time of all together, in minutes: what is not run by then is a failure, and what failed before is told. */
const LONGEST = all ? 24 * 60 : 80;
const deadline = performance.now() + LONGEST * 60_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function mocha(
  name: string,
  minutes: number,
  globs: readonly string[],
  more: Pick<Group, 'env' | 'release' | 'beside'> = {},
): Group {
  return { name, minutes, command: ['mocha', '--no-color', ...globs], ...more };
}

/** End-to-end tests, a group for each file, so that a lab that went wrong harms no other. */
function endToEnd(names: readonly string[], release?: Release): Group[] {
  return names.map((name) => {
    const more = release && { release, env: () => ({ NET_ROUTED_RELEASE: release }) };
    return mocha(`${name}${release ? ` on ${release}` : ''}`, 20, [`test/e2e/${name}`], more);
  });
}

/** Daemons that are killed while they give addresses: so often takes hours, a number of a minute is in the rest. */
const KILLS = 10_000;
/** How often the daemon of a host with Docker is killed. */
const CRASHES = 100;

const e2e = readdirSync(join(ROOT, 'test/e2e')).filter((file) => file.endsWith('.test.ts'));
const RELEASES: readonly Release[] = ['trixie', 'sid'];
/** What has to hold on other releases of Docker and GoBGP as well; the rest of it takes long. */
const MATRIX = ['medallia.test.ts', 'hosts.test.ts'];
/** What is also done for minutes rather than a moment. */
const TROUBLES = ['partition', 'mishaps'];
const REST = ['families', 'restart', 'badinput', 'calls'].map((name) => `${name}.test.ts`);

/** The contract of the speaker with another release's gobgpd. */
function speakerOn(release: Release): Group {
  const files = ['gobgp-v4', 'frr', 'external', 'found'].map(
    (name) => `test/contract/speaker.${name}.test.ts`,
  );
  const env = (root: string) => ({ NET_ROUTED_GOBGPD: join(root, 'usr/bin/gobgpd') });
  return mocha(`speaker with the gobgpd of ${release}`, 20, files, { env, release });
}

const groups: Group[] = [
  { name: 'types', command: ['tsc', '-p', '.'], minutes: 2, single: true },
  { name: 'lint and format', command: ['biome', 'ci', '.'], minutes: 2, single: true },
  { name: 'unused code', command: ['knip'], minutes: 2, single: true },
  mocha(
    'unit',
    all ? 30 : 15,
    ['test/unit/**/*.test.ts'],
    all ? { env: () => ({ NET_ROUTED_KILLS: '100' }) } : {},
  ),
  mocha('simulation', all ? 180 : 20, ['test/sim/*.test.ts'], {
    beside: true,
    ...(all && { env: () => ({ NET_ROUTED_SEEDS: '100000' }) }),
  }),
  mocha('contract and golden', 15, ['test/contract/**/*.test.ts', 'test/golden/**/*.test.ts'], {
    beside: true,
    ...(all && { env: () => ({ NET_ROUTED_LOSSES: '1000' }) }),
  }),
  mocha('lab', all ? 60 : 15, ['test/lab/*.test.ts'], all ? { env: () => ({ NET_ROUTED_LONG: '1' }) } : {}),
  ...endToEnd(e2e),
  ...RELEASES.flatMap((release) => endToEnd(MATRIX, release)),
  ...(all
    ? [
        ...TROUBLES.map((name) =>
          mocha(`${name} for long`, 90, [`test/e2e/${name}.test.ts`], {
            env: () => ({ NET_ROUTED_LONG: '1' }),
          }),
        ),
        mocha(`${CRASHES} crashes`, 30, ['test/e2e/crash.test.ts'], {
          env: () => ({ NET_ROUTED_CRASHES: `${CRASHES}` }),
        }),
        // Fails if the hosts do not become alike at all; how long that takes is for the reader.
        {
          name: 'healing after 10 minutes',
          command: ['node', 'bench/main.ts', '--long', '--only', 'heal'],
          minutes: 40,
          single: true,
        },
        mocha(`${KILLS} kills`, 180, ['test/e2e/kills.test.ts'], {
          env: () => ({ NET_ROUTED_KILLS: `${KILLS}` }),
        }),
      ]
    : []),
  ...(all ? RELEASES.map(speakerOn) : []),
  ...(all ? RELEASES.flatMap((release) => endToEnd(REST, release)) : []),
];

/** Where its programs are. @throws when they cannot be had */
async function rootOf({ release }: Group): Promise<string> {
  return (await releaseRoot(release, (line) => process.stdout.write(`${line}\n`))) ?? '/';
}

/** `say`: takes what it prints. */
async function prepared(group: Group, say: (text: string) => void): Promise<Counts> {
  const started = performance.now();
  say(`\n--- ${group.name}\n`);
  const counts = await (async () => {
    try {
      return await run(group, await rootOf(group), say);
    } catch (error) {
      say(`${group.name}: ${(error as Error).message}\n`);
      return { passed: 0, failed: 1, skipped: 0 };
    }
  })();
  say(`--- ${group.name}: ${((performance.now() - started) / 1000).toFixed(0)} s\n`);
  return counts;
}

async function run(group: Group, root: string, say: (text: string) => void): Promise<Counts> {
  const [command = '', ...rest] = group.command;
  const left = deadline - performance.now();
  if (left < 0) {
    say(`not run: all together have taken ${LONGEST} minutes\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const { status, output } = await runProgram(join(ROOT, 'node_modules/.bin', command), rest, {
    cwd: ROOT,
    env: { ...process.env, ...group.env?.(root) },
    ms: Math.min(left, group.minutes * 60_000),
    say,
  });
  return count(group, output, status);
}

/** One after the other, but for those that run beside the one before: these print when that is done. */
async function several(group: Group, besides: readonly Group[]): Promise<readonly [Group, Counts][]> {
  const said = besides.map(() => '');
  const others = besides.map((one, at) =>
    prepared(one, (text) => {
      said[at] += text;
    }),
  );
  const first = await prepared(group, (text) => process.stdout.write(text));
  const counts: [Group, Counts][] = [[group, first]];
  for (const [at, one] of besides.entries()) {
    counts.push([one, await others[at]!]);
    process.stdout.write(said[at]!);
  }
  return counts;
}

/** Mocha's summary; a run without one, or that ended badly without a failure in it, is a failure by itself. */
function count(group: Group, output: string, status: number | null): Counts {
  if (group.single) return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
  const plain = stripVTControlCharacters(output);
  const figure = (word: string) => Number(new RegExp(`^\\s+(\\d+) ${word}\\b`, 'm').exec(plain)?.[1] ?? 0);
  const counts = { passed: figure('passing'), failed: figure('failing'), skipped: figure('pending') };
  if (counts.failed === 0 && (status !== 0 || counts.passed + counts.skipped === 0)) counts.failed = 1;
  return counts;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    endPrograms();
    process.kill(process.pid, signal);
  });

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const broken: string[] = [];
const chosen = groups.filter(({ name }) => only.length === 0 || only.some((word) => name.includes(word)));
for (let at = 0; at < chosen.length; ) {
  const group = chosen[at++]!;
  const besides: Group[] = [];
  while (chosen[at]?.beside) besides.push(chosen[at++]!);
  for (const [{ name }, counts] of await several(group, besides)) {
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    if (counts.failed > 0) broken.push(name);
  }
}
if (broken.length > 0) process.stdout.write(`\nfailed in: ${broken.join(', ')}\n`);
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
