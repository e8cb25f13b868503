import { CodedError } from '../errors.ts';
import type { Backing, Step } from './backing.ts';
import type { Contents } from './contents.ts';
import { namespaceIn } from './crdt/record.ts';
import { changedSums, type SumStep } from './crdt/sums.ts';
import type { Known } from './known.ts';
import { living, type Move, stepOf } from './move.ts';
import type { Observers } from './observers.ts';

/** What others tell waits so long for the last write, in milliseconds: nobody has to be answered when it is durable. */
const PACE_MS = 10;

/** When what is staged is made durable. */
export interface Pace {
  /** Has `flush` called at the end of the turn. */
  readonly schedule: (flush: () => void) => void;
  /** Has `flush` called after so many milliseconds; absent: what others tell is made durable each turn as well. */
  readonly later: ((ms: number, flush: () => void) => void) | undefined;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** What is to be durable, as one of those that become so together. */
export interface Staged {
  readonly moves: readonly Move[];
  /** Of whom all that is owned goes with it. */
  readonly dropped?: string;
  /** Called in the turn that it is durable. */
  readonly done?: () => void;
  /** Called when the disk refused it, and it is undone. */
  readonly failed?: (error: CodedError) => void;
}

/** Makes durable, by one write, what shows in memory already, and only then tells anybody. */
export class Staging {
  /** Commits, and those of them that the disk refused. */
  readonly counts = { commits: 0, failed: 0 };
  readonly #backing: Backing;
  readonly #contents: Contents;
  readonly #known: Known;
  readonly #observers: Observers;
  readonly #pace: Pace;
  readonly #listeners = new Set<() => void>();
  #staged: Staged[] = [];
  /** Until when the next flush is sure to be called: of this turn, or later. */
  #due: 'never' | 'later' | 'turn' = 'never';
  /** When the last write ended, by the clock that never goes back. */
  #writtenAt = Number.NEGATIVE_INFINITY;
  #refusal: CodedError | undefined;

  constructor(parts: {
    backing: Backing;
    contents: Contents;
    known: Known;
    observers: Observers;
    pace: Pace;
  }) {
    this.#backing = parts.backing;
    this.#contents = parts.contents;
    this.#known = parts.known;
    this.#observers = parts.observers;
    this.#pace = parts.pace;
  }

  /** Why the disk refused the last write; nothing while it takes them. */
  get refusal(): CodedError | undefined {
    return this.#refusal;
  }

  /** Calls back after each flush that wrote something. Returns the way to stop it. */
  onDurable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** To be made durable at the end of this turn. */
  add(staged: Staged): void {
    this.#staged.push(staged);
    if (this.#due === 'turn') return;
    this.#due = 'turn';
    this.#pace.schedule(() => this.flush());
  }

  /** To be made durable with the next write, or when the last one is some time ago. */
  addLater(moves: readonly Move[]): void {
    const { later, monotonicMs } = this.#pace;
    const wait = later ? this.#writtenAt + PACE_MS - monotonicMs() : 0;
    if (wait <= 0) return this.add({ moves });
    this.#staged.push({ moves });
    if (this.#due !== 'never') return;
    this.#due = 'later';
    later?.(wait, () => this.flush());
  }

  /** Makes durable what is staged, now. */
  flush(): void {
    const batch = this.#staged;
    if (batch.length === 0) return;
    this.#staged = [];
    this.#due = 'never';
    const known = this.#known.grown();
    const steps = batch.flatMap(stepsOf);
    try {
      if (steps.length > 0 || known.length > 0) {
        const sums = changedSums(this.#backing.sums, sumSteps(batch));
        this.#backing.write({ steps, known, sums });
        this.#refusal = undefined;
      }
      this.#writtenAt = this.#pace.monotonicMs();
    } catch (cause) {
      this.#undo(batch, cause);
      return;
    }
    this.#known.settle(known);
    this.#contents.settle();
    this.counts.commits += batch.length;
    for (const { moves, done } of batch) {
      for (const { key, ...move } of moves) {
        const [before, after] = [living(move.before), living(move.after)];
        if (before || after) this.#observers.tell(namespaceIn(key), { key, before, after });
      }
      done?.();
    }
    for (const listener of [...this.#listeners]) listener();
  }

  /** Gives up what is staged: it never happens, and nobody is called back. */
  abandon(): void {
    this.#staged = [];
  }

  #undo(batch: readonly Staged[], cause: unknown): void {
    this.#contents.undo(batch.flatMap(({ moves }) => moves));
    this.#contents.settle();
    this.#known.revert();
    this.counts.failed += batch.length;
    this.#refusal = refused(cause);
    for (const { failed } of batch) failed?.(refused(cause));
  }
}

function stepsOf({ moves, dropped }: Staged): Step[] {
  const steps = moves.map(stepOf);
  return dropped === undefined ? steps : [...steps, { do: 'drop-owner', origin: dropped }];
}

function* sumSteps(batch: readonly Staged[]): Generator<SumStep> {
  for (const { moves, dropped } of batch) {
    yield* moves;
    if (dropped !== undefined) yield { dropped };
  }
}

function refused(cause: unknown): CodedError {
  if (cause instanceof CodedError) return cause.saying(cause.what);
  const text = cause instanceof Error ? cause.message : String(cause);
  return new CodedError('NR_STORE_FAILED', `the store cannot write: ${text}`, { cause });
}
