import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { StoryOptions } from './story.ts';
import { again, type Failure, Tally } from './tally.ts';

/** What a story makes is garbage soon: with room for it, less is copied. */
const NODE_OPTIONS = ['--max-semi-space-size=64'];
/** Seeds that a worker gets at once. */
const BATCH = 25;
/** Failing seeds that are described; the others are counted. */
const DESCRIBED = 10;
const PROGRESS_MS = 15_000;

export type TellOptions = Omit<StoryOptions, 'print'>;

export interface SeedsOptions {
  readonly first: number;
  readonly seeds: number;
  readonly story?: TellOptions | undefined;
  /** Processes; as many as cores by default. */
  readonly workers?: number | undefined;
  /** Milliseconds since 1970 after which no more seeds are begun. */
  readonly until?: number | undefined;
  /** Stop at the first seed that fails with a violation like this. */
  readonly stopAt?: RegExp | undefined;
  /** Name of a known mistake that the code has. */
  readonly mutant?: string | undefined;
  /** Takes lines on failures, progress and the end. */
  readonly report?: ((line: string) => void) | undefined;
}

/** What a worker is asked. */
export interface Batch {
  readonly first: number;
  readonly seeds: number;
  readonly story: TellOptions;
  /** As a text, for it goes to another process. */
  readonly stopAt?: string | undefined;
}

/** What it answers. */
export interface BatchResult {
  /** How many stories were told. */
  readonly told: number;
  readonly failed: readonly Failure[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Tells the stories of many seeds, in processes of their own. @throws Error when such a process ends badly */
export async function runSeeds(options: SeedsOptions): Promise<Tally> {
  const { first, seeds, story = {}, mutant, stopAt, report = () => {} } = options;
  const started = Date.now();
  const tally = new Tally();
  let next = first;
  let shown = started;

  const take = (): Batch | undefined => {
    const isOver = Date.now() >= (options.until ?? Number.POSITIVE_INFINITY);
    if (isOver || (stopAt && tally.shows(stopAt))) return undefined;
    const size = Math.min(BATCH, first + seeds - next);
    const batch = { first: next, seeds: size, story, stopAt: stopAt?.source };
    next += size;
    return size > 0 ? batch : undefined;
  };
  const add = ({ told, failed, counts }: BatchResult) => {
    for (const failure of failed.slice(0, Math.max(0, DESCRIBED - tally.failed.length)))
      report(again(failure, { ...story, mutant }));
    tally.add(told, counts, failed);
    if (Date.now() - shown < PROGRESS_MS) return;
    shown = Date.now();
    const seconds = Math.round((shown - started) / 1000);
    report(`${tally.told} of ${seeds} seeds, ${tally.failed.length} failed, ${seconds} s`);
  };

  const count = Math.min(options.workers ?? availableParallelism(), Math.ceil(seeds / BATCH));
  await Promise.all(Array.from({ length: count }, () => work(mutant, take, add)));
  const seconds = (Date.now() - started) / 1000;
  const rate = (tally.told / seconds).toFixed(1);
  report(`${seconds.toFixed(1)} s, ${rate} seeds in a second by ${count} processes`);
  report(tally.text);
  return tally;
}

/** One worker, from its first batch to its end. */
function work(
  mutant: string | undefined,
  take: () => Batch | undefined,
  add: (result: BatchResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker: ChildProcess = fork(join(import.meta.dirname, 'worker.ts'), {
      execArgv: NODE_OPTIONS,
      ...(mutant !== undefined && { env: mutated(mutant) }),
    });
    let batch: Batch | undefined;
    const goOn = () => {
      batch = take();
      if (batch) worker.send(batch);
      else worker.disconnect();
    };
    worker.on('message', (result: BatchResult) => {
      add(result);
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

/** The environment of a process that has a known mistake in its code. */
export function mutated(mutant: string): NodeJS.ProcessEnv {
  const { NODE_OPTIONS = '' } = process.env;
  const load = `--import=${new URL('mutate.ts', import.meta.url).href}`;
  // Not as an argument: programs that start themselves again, as mocha does, would forget it.
  return { ...process.env, NET_ROUTED_MUTANT: mutant, NODE_OPTIONS: `${NODE_OPTIONS} ${load}` };
}
