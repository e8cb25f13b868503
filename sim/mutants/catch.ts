import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { mutated, runSeeds } from '../seeds.ts';
import type { Mutant } from './mutant.ts';

const ROOT = join(import.meta.dirname, '../..');

/** How a mutant was noticed. */
export interface Caught {
  /** The first seed that went wrong, and its first word on what did. */
  readonly seed?: { readonly number: number; readonly what: string };
  /** Titles of tests that failed. */
  readonly tests?: readonly string[];
}

interface MochaReport {
  readonly stats: { readonly tests: number };
  readonly failures: readonly { readonly fullTitle: string }[];
}

/**
 * Looks whether everything notices a mutant that has to: its seeds, its tests.
 * @throws Error naming what did not, or could not be run
 */
export async function catchMutant(mutant: Mutant, workers = 1): Promise<Caught> {
  const { name, seeds, tests } = mutant;
  if (!seeds && !tests) throw new Error(`nothing has to notice the mutant ${name}`);
  return {
    ...(seeds && { seed: await bySeeds(name, seeds, workers) }),
    ...(tests && { tests: await byTests(name, tests) }),
  };
}

async function bySeeds(
  mutant: string,
  { within, story }: NonNullable<Mutant['seeds']>,
  workers: number,
): Promise<NonNullable<Caught['seed']>> {
  const options = { first: 1, seeds: within, story, mutant, workers, stopAtFailure: true };
  const { failed } = await runSeeds(options);
  const [first] = [...failed].sort((a, b) => a.seed - b.seed);
  if (!first) throw new Error(`none of ${within} seeds notices the mutant ${mutant}`);
  return { number: first.seed, what: first.violations[0]?.split(' ')[0] ?? '' };
}

async function byTests(mutant: string, files: readonly string[]): Promise<string[]> {
  const mocha = join(ROOT, 'node_modules/mocha/bin/mocha.js');
  const child = spawn(process.execPath, [mocha, '--reporter', 'json', ...files], {
    cwd: ROOT,
    env: mutated(mutant),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const start = output.indexOf('{\n');
  // What cannot be loaded notices nothing.
  if (start < 0) throw new Error(`the tests of the mutant ${mutant} do not run: ${errors || output}`);
  const { stats, failures } = JSON.parse(output.slice(start)) as MochaReport;
  if (stats.tests === 0 || failures.length === 0)
    throw new Error(`none of ${stats.tests} tests in ${files.join(', ')} notices the mutant ${mutant}`);
  return failures.map(({ fullTitle }) => fullTitle);
}
