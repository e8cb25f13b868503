import { CodedError } from '../errors.ts';
import { quote } from '../net/address.ts';
import type { Change, Entry, Observation, Store, Version } from '../ports/store.ts';
import type { Backing } from './backing.ts';
import { checkNamespace, encode, namespaceOf } from './encode.ts';
import { Observers } from './observers.ts';
import { Row } from './row.ts';
import { Shelf } from './shelf.ts';

export interface StoreOptions {
  /** Told of what an observer has thrown. */
  readonly report?: ((error: unknown, change: Observation) => void) | undefined;
}

/** What a store has done since it was opened, for metrics. */
export interface StoreCounts {
  readonly commits: number;
  /** Commits that the disk refused. */
  readonly failed: number;
  readonly conflicts: number;
  readonly observerFailures: number;
}

/** One record's step from what was to what is. */
interface Step {
  readonly namespace: string;
  readonly key: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
  readonly sequence: number;
}

interface Staged {
  readonly steps: readonly Step[];
  readonly resolve: (entries: readonly Entry[]) => void;
  readonly reject: (error: CodedError) => void;
}

/**
 * A store over any backing. Every commit shows in memory at once; all those of one turn of the event loop are then
 * made durable together, by one write.
 */
export class RecordStore implements Store {
  readonly origin: string;
  readonly #backing: Backing;
  readonly #schedule: (flush: () => void) => void;
  readonly #shelves = new Map<string, Shelf>();
  readonly #observers: Observers;
  #sequence: number;
  #staged: Staged[] = [];
  #closed = false;
  #commits = 0;
  #failed = 0;
  #conflicts = 0;

  constructor(
    backing: Backing,
    options: StoreOptions = {},
    schedule: (flush: () => void) => void = (flush) => void setImmediate(flush),
  ) {
    this.#backing = backing;
    this.#schedule = schedule;
    this.#observers = new Observers(options.report ?? (() => {}));
    this.origin = backing.origin;
    this.#sequence = backing.sequence;
    for (const { key, text, sequence } of backing.load()) {
      this.#shelf(key.slice(0, key.indexOf('/'))).set(key, new Row(key, text, this.origin, sequence));
    }
  }

  get counts(): StoreCounts {
    const observerFailures = this.#observers.failures;
    return { commits: this.#commits, failed: this.#failed, conflicts: this.#conflicts, observerFailures };
  }

  get(key: string): Entry | undefined {
    return this.#shelves.get(key.slice(0, key.indexOf('/')))?.get(key);
  }

  list(namespace: string): Iterable<Entry> {
    return this.#shelves.get(checkNamespace(namespace))?.list() ?? [];
  }

  observe(namespace: string, observer: (change: Observation) => void): () => void {
    return this.#observers.add(checkNamespace(namespace), observer);
  }

  commit(changes: readonly Change[]): Promise<readonly Entry[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Entry[]>();
    try {
      if (this.#closed) throw new CodedError('NR_STORE_FAILED', 'the store is closed');
      const steps = this.#apply(changes);
      if (this.#staged.push({ steps, resolve, reject }) === 1) this.#schedule(() => this.flush());
    } catch (error) {
      reject(error);
    }
    return promise;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.flush();
    this.#backing.close();
  }

  /** Makes durable what is staged, now. */
  protected flush(): void {
    const batch = this.#staged;
    this.#staged = [];
    try {
      const steps = batch.flatMap((staged) => staged.steps);
      const writes = steps.map(({ key, after, sequence }) => ({ key, text: after?.text, sequence }));
      if (writes.length > 0) this.#backing.write(writes);
    } catch (cause) {
      this.#undo(batch.flatMap((staged) => staged.steps));
      this.#failed += batch.length;
      for (const { reject } of batch) reject(refused(cause));
      return;
    }
    this.#commits += batch.length;
    for (const { steps, resolve } of batch) {
      for (const { namespace, key, before, after } of steps)
        this.#observers.tell(namespace, { key, before, after });
      resolve(steps.map((step) => step.after).filter((row) => row !== undefined));
    }
  }

  /** Gives up what is staged: it never happens, and its promises never settle. For the simulation of a crash. */
  protected abandon(): void {
    this.#closed = true;
    this.#staged = [];
    this.#backing.close();
  }

  #shelf(namespace: string): Shelf {
    const shelf = this.#shelves.get(namespace) ?? new Shelf();
    this.#shelves.set(namespace, shelf);
    return shelf;
  }

  /** Applies the changes in order, in memory; all or none. */
  #apply(changes: readonly Change[]): Step[] {
    const prepared = changes.map(({ key, value, expect }) => ({
      key,
      namespace: namespaceOf(key),
      text: value === undefined ? undefined : encode(key, value),
      expect,
    }));
    const steps: Step[] = [];
    for (const { key, namespace, text, expect } of prepared) {
      const shelf = this.#shelf(namespace);
      const before = shelf.get(key);
      if (expect !== undefined && !matches(before, expect)) {
        this.#undo(steps);
        this.#conflicts++;
        throw conflict(key, before, expect);
      }
      if (!before && text === undefined) continue; // gone already: nothing happens, so nothing is written
      const sequence = ++this.#sequence;
      const after = text === undefined ? undefined : new Row(key, text, this.origin, sequence);
      shelf.set(key, after);
      steps.push({ namespace, key, before, after, sequence });
    }
    return steps;
  }

  /** Their sequences stay used: somebody may have read them, and `expect` must not take a later record for those. */
  #undo(steps: readonly Step[]): void {
    for (const { namespace, key, before } of steps.toReversed()) this.#shelf(namespace).set(key, before);
  }
}

function matches(row: Row | undefined, expect: Version | null): boolean {
  if (expect === null || row === undefined) return expect === null && row === undefined;
  return row.sequence === expect.sequence && row.origin === expect.origin;
}

function conflict(key: string, row: Row | undefined, expect: Version | null): CodedError {
  const name = (version: Version | null | undefined) => (version ? `version ${version.sequence}` : 'absent');
  const what = `record ${quote(key)} is ${name(row?.version)}, not ${name(expect)}`;
  return new CodedError('NR_STORE_CONFLICT', what);
}

function refused(cause: unknown): CodedError {
  if (cause instanceof CodedError) return new CodedError(cause.code, cause.what, { cause });
  const text = cause instanceof Error ? cause.message : String(cause);
  return new CodedError('NR_STORE_FAILED', `the store cannot write: ${text}`, { cause });
}
