import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { mutated, runSeeds } from '../seeds.ts';
import type { Mutant } from './mutant.ts';

const ROOT = join(import.meta.dirname, '../..');

/** How a mutant was noticed. */
export interface Caught {
  /** The first seed that went wrong as it has to, and by which word of what. */
  readonly seed?: { readonly number: number; readonly what: string };
  /** Titles of tests that failed as they have to. */
  readonly tests?: readonly string[];
}

interface MochaReport {
  readonly stats: { readonly tests: number };
  readonly failures: readonly { readonly fullTitle: string; readonly err: { readonly stack?: string } }[];
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
  { within, shows, story }: NonNullable<Mutant['seeds']>,
  workers: number,
): Promise<NonNullable<Caught['seed']>> {
  const options = { first: 1, seeds: within, story, mutant, workers, stopAt: shows };
  const failed = [...(await runSeeds(options)).failed].sort((a, b) => a.seed - b.seed);
  for (const { seed, violations } of failed) {
    const violation = violations.find((one) => shows.test(one));
    if (violation !== undefined) return { number: seed, what: violation.split(' ')[0] ?? '' };
  }
  const others = failed[0] ? `, and seed ${failed[0].seed} has: ${failed[0].violations[0]}` : '';
  throw new Error(`none of ${within} seeds shows ${shows} of the mutant ${mutant}${others}`);
}

async function byTests(mutant: string, { files, title }: NonNullable<Mutant['tests']>): Promise<string[]> {
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
  const right = failures.filter(({ fullTitle, err }) => title.test(fullTitle) && !isMistake(err.stack));
  if (right.length === 0) {
    const others = failures.map(({ fullTitle }) => `"${fullTitle}"`).join(', ') || 'none';
    throw new Error(
      `none of ${stats.tests} tests fails as ${title} for the mutant ${mutant}; ${others} does`,
    );
  }
  return right.map(({ fullTitle }) => fullTitle);
}

/** Whether the interpreter has found it, and not what the test expects. */
export function isMistake(stack = ''): boolean {
  return /^(Type|Reference|Range|Syntax)Error\b/.test(stack);
}
