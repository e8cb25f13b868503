import type { StoryOptions } from './story.ts';

/** A story in which something went wrong. */
export interface Failure {
  readonly seed: number;
  readonly violations: readonly string[];
}

/** What hosts were asked for. */
const OPERATIONS = ['allocations', 'claims', 'refused', 'releases', 'writes', 'names', 'spaces', 'removals'];
const BEFALLEN = ['crashes', 'partitions', 'joins', 'leaves', 'forgets', 'clones', 'rollbacks'];
/** Violations by their first word. */
const DUPLICATES = ['DUPLICATE', 'GIVEN', 'REMOVED'];
const LOSSES = ['LOST', 'CAUSALITY'];

/** Sums over many stories. */
export class Tally {
  /** Stories that were told to the end. */
  told = 0;
  readonly failed: Failure[] = [];
  readonly counts: Record<string, number> = {};

  add(told: number, counts: Readonly<Record<string, number>>, failed: readonly Failure[]): void {
    this.told += told;
    this.failed.push(...failed);
    for (const [name, count] of Object.entries(counts)) this.counts[name] = (this.counts[name] ?? 0) + count;
  }

  /** One line: what happened, and what went wrong. */
  get text(): string {
    const operations = OPERATIONS.reduce((sum, name) => sum + this.#of(name), 0);
    const befallen = BEFALLEN.map((name) => `${this.#of(name)} ${name}`).join(', ');
    const [duplicates, losses] = [this.#failures(DUPLICATES), this.#failures(LOSSES)];
    const others = this.failed.length - duplicates - losses;
    const happened = `${this.told} seeds: ${operations} operations, ${this.#of('held')} acknowledged, ${befallen}`;
    return `${happened}; ${duplicates} duplicates, ${losses} lost, ${others} with other faults`;
  }

  #of(name: string): number {
    return this.counts[name] ?? 0;
  }

  #failures(words: readonly string[]): number {
    return this.failed.filter(({ violations }) => words.some((word) => violations[0]?.startsWith(word)))
      .length;
  }
}

/** What went wrong in a seed, and how to see it again. */
export function again(
  { seed, violations }: Failure,
  told: Omit<StoryOptions, 'print'> & { readonly mutant?: string | undefined },
): string {
  const options = (['nodes', 'steps', 'focus', 'mutant'] as const)
    .filter((name) => told[name] !== undefined)
    .map((name) => `--${name} ${told[name]} `);
  const lines = violations.slice(0, 3).join('\n  ');
  return `seed ${seed}: ${lines}\n  again: npm run sim -- --first ${seed} ${options.join('')}--trace`;
}
