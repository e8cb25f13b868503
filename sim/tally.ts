import type { StoryOptions } from './story.ts';

/** A story in which something went wrong. */
export interface Failure {
  readonly seed: number;
  readonly violations: readonly string[];
}

/** What hosts were asked for. */
const OPERATIONS = ['allocations', 'claims', 'refused', 'releases', 'writes', 'names', 'spaces', 'removals'];
/** What befell the hosts, what the network did to messages. */
const BEFALLEN = {
  crashes: 'crashes',
  crashesBeforeWrites: 'of them just before a write',
  crashesAfterWrites: 'just after one',
  powerFailures: 'power failures of all',
  partitions: 'partitions',
  isolations: 'hosts alone',
  oneWayCuts: 'one-way cuts',
  clockJumps: 'clocks set wrong',
  refusedWrites: 'writes refused by disks',
  joins: 'joins',
  leaves: 'leaves',
  forgets: 'forgets',
  rollbacks: 'rollbacks',
  clones: 'clones',
} as const;
const MESSAGES = {
  sent: 'messages',
  lost: 'lost',
  doubled: 'doubled',
  overtaken: 'overtaken',
  stalled: 'stalled',
} as const;
/** Hosts that were switched off so that a story could end: rare, or something keeps hosts from going on by themselves. */
const WAYS_OUT = {
  passedOver: 'passed over before they were in',
  begunAnew: 'begun anew, as nobody could show them how a record changed hands',
  givenUp: 'given up, as they could not forget others',
} as const;
/** Of stories about that only. */
const SPLITS = {
  unseenRollbacks: 'rollbacks that nobody could see',
  disputes: 'chunks that were given twice by them',
  twice: 'values that two hosts had for it, before they could know',
} as const;
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

  /** Hosts that were switched off so that a story could end. */
  get waysOut(): number {
    return Object.keys(WAYS_OUT).reduce((sum, name) => sum + this.#of(name), 0);
  }

  /** Whether a story has failed with a violation like this. */
  shows(pattern: RegExp): boolean {
    return this.failed.some(({ violations }) => violations.some((one) => pattern.test(one)));
  }

  /** Kinds of troubles and requests that have not happened at all. */
  get missing(): string[] {
    const names = [...OPERATIONS, ...Object.keys(BEFALLEN), ...Object.keys(MESSAGES)];
    return names.filter((name) => this.#of(name) === 0);
  }

  /** Some lines: what happened, and what went wrong. */
  get text(): string {
    const operations = OPERATIONS.reduce((sum, name) => sum + this.#of(name), 0);
    const requests = OPERATIONS.map((name) => `${this.#of(name)} ${name}`).join(', ');
    const [duplicates, losses] = [this.#failures(DUPLICATES), this.#failures(LOSSES)];
    const diverged = this.#failures(['DIVERGED']);
    const others = this.failed.length - duplicates - losses - diverged;
    return [
      `${operations} operations: ${requests}; ${this.#of('held')} acknowledged`,
      this.#listed(BEFALLEN),
      this.#listed(MESSAGES),
      `hosts ${this.#listed(WAYS_OUT)}`,
      ...(this.#of('unseenRollbacks') > 0 ? [this.#listed(SPLITS)] : []),
      `${this.#of('replicas')} replicas compared at the end, by the hash of all that they have; ${this.#of('repairs')} records repaired before, of ${this.#of('lostRecords')} lost on purpose`,
      `${this.told} seeds: ${duplicates} with duplicates, ${losses} with losses, ${diverged} diverged, ${others} with other faults`,
    ].join('\n');
  }

  #listed(names: Readonly<Record<string, string>>): string {
    const parts = Object.entries(names).map(([name, what]) => `${this.#of(name)} ${what}`);
    return parts.join(', ');
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
