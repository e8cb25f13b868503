import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { StoryOptions } from './story.ts';

/** Seeds that a worker gets at once. */
const BATCH = 25;
/** Failing seeds that are described; the others are counted. */
const DESCRIBED = 10;
const PROGRESS_MS = 15_000;

export interface SeedsOptions {
  readonly first: number;
  readonly seeds: number;
  readonly story?: Omit<StoryOptions, 'print'> | undefined;
  readonly workers?: number | undefined;
  /** Milliseconds since 1970 after which no more seeds are begun. */
  readonly until?: number | undefined;
  /** Stop at the first seed that fails. */
  readonly stopAtFailure?: boolean | undefined;
  /** Name of a known mistake that the code has. */
  readonly mutant?: string | undefined;
  readonly report: (line: string) => void;
}

export interface SeedsResult {
  /** Stories that were told to the end. */
  readonly told: number;
  readonly failed: readonly { readonly seed: number; readonly violations: readonly string[] }[];
  readonly counts: Readonly<Record<string, number>>;
}

/** What a worker is asked, and what it answers. */
export interface Batch {
  readonly first: number;
  readonly seeds: number;
  readonly story: Omit<StoryOptions, 'print'>;
}
export type BatchResult = Pick<SeedsResult, 'failed' | 'counts'>;

/** Tells the stories of many seeds, in processes of their own. */
export async function runSeeds(options: SeedsOptions): Promise<SeedsResult> {
  const { first, seeds, report, story = {} } = options;
  const started = Date.now();
  const failed: { seed: number; violations: readonly string[] }[] = [];
  const counts: Record<string, number> = {};
  let next = first;
  let told = 0;
  let shown = started;

  const take = (): Batch | undefined => {
    const isOver = Date.now() >= (options.until ?? Number.POSITIVE_INFINITY);
    if (isOver || (options.stopAtFailure && failed.length > 0)) return undefined;
    const size = Math.min(BATCH, first + seeds - next);
    const batch = { first: next, seeds: size, story };
    next += size;
    return size > 0 ? batch : undefined;
  };
  const add = (batch: Batch, result: BatchResult) => {
    told += batch.seeds;
    for (const [name, count] of Object.entries(result.counts)) counts[name] = (counts[name] ?? 0) + count;
    for (const failure of result.failed) {
      failed.push(failure);
      if (failed.length <= DESCRIBED) report(describe(failure, story));
    }
    if (Date.now() - shown < PROGRESS_MS) return;
    shown = Date.now();
    report(`${told} of ${seeds} seeds, ${failed.length} failed, ${Math.round((shown - started) / 1000)} s`);
  };

  const count = Math.min(options.workers ?? availableParallelism(), Math.ceil(seeds / BATCH));
  await Promise.all(Array.from({ length: count }, () => work(options, take, add)));
  const seconds = (Date.now() - started) / 1000;
  const each = ((seconds * 1000 * count) / Math.max(1, told)).toFixed(0);
  report(`${told} seeds, ${failed.length} failed, ${seconds.toFixed(1)} s, ${each} ms of a core for each`);
  report(
    Object.entries(counts)
      .map(([name, sum]) => `${sum} ${name}`)
      .join(', '),
  );
  return { told, failed, counts };
}

/** One worker, from its first batch to its end. */
function work(
  { mutant }: SeedsOptions,
  take: () => Batch | undefined,
  add: (batch: Batch, result: BatchResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker: ChildProcess = fork(join(import.meta.dirname, 'worker.ts'), {
      ...(mutant !== undefined && {
        env: { ...process.env, NET_ROUTED_MUTANT: mutant },
        execArgv: ['--import', join(import.meta.dirname, 'mutate.ts')],
      }),
    });
    let batch: Batch | undefined;
    const goOn = () => {
      batch = take();
      if (batch) worker.send(batch);
      else worker.disconnect();
    };
    worker.on('message', (result: BatchResult) => {
      add(batch!, result);
      goOn();
    });
    worker.on('error', reject);
    worker.on('exit', (status, signal) => {
      if (status === 0) resolve();
      else reject(new Error(`a worker ended with ${status ?? signal}, at the seeds from ${batch?.first}`));
    });
    goOn();
  });
}

/** What went wrong in a seed, and how to see it again. */
function describe(
  { seed, violations }: { seed: number; violations: readonly string[] },
  { nodes, steps, focus }: Omit<StoryOptions, 'print'>,
): string {
  const options = [
    ...(focus === undefined ? [] : [`--focus ${focus}`]),
    ...(nodes === undefined ? [] : [`--nodes ${nodes}`]),
    ...(steps === undefined ? [] : [`--steps ${steps}`]),
  ];
  const lines = violations.slice(0, 3).join('\n  ');
  return `seed ${seed}: ${lines}\n  again: npm run sim -- --first ${seed} ${[...options, '--trace'].join(' ')}`;
}
