import { CodedError } from '../errors.ts';
import type { Change, Class, Entry, Observation, Store } from '../ports/store.ts';
import type { Admission, Guards } from './admission.ts';
import type { Backing } from './backing.ts';
import { Contents } from './contents.ts';
import { HybridClock } from './crdt/clock.ts';
import { type Dot, sameDot, sizeOf, type Versioned } from './crdt/record.ts';
import type { SumsView } from './crdt/sums.ts';
import type { VectorView } from './crdt/vector.ts';
import { checkNamespace } from './encode.ts';
import type { Range } from './gossip/messages.ts';
import { Known } from './known.ts';
import { type Mended, Merging, type Taken } from './merging.ts';
import type { Move } from './move.ts';
import { Observers } from './observers.ts';
import { Row } from './row.ts';
import type { Sealer } from './seal.ts';
import { Staging } from './staging.ts';
import { TRANSFERS, Transfers } from './transfers.ts';
import { Writing } from './writing.ts';

/** The local record of the last stamp when something was forgotten. */
const CLOCK = 'clock/last';

/** A range ends with the record that makes it so large, in bytes as sizeOf counts them: several fit into a message. */
export const RANGE_BYTES = 1024 * 1024;

export interface ReplicaOptions {
  /** The class of each namespace that this release knows; any other is `shared` and read from disk each time. */
  readonly classes?: ReadonlyMap<string, Class> | undefined;
  /** Milliseconds since 1970. */
  readonly wallMs?: (() => number) | undefined;
  /** Told of what an observer has thrown. */
  readonly report?: ((error: unknown, change: Observation) => void) | undefined;
  /** Has `flush` called at the end of the turn; setImmediate by default. */
  readonly schedule?: ((flush: () => void) => void) | undefined;
  /** Has `flush` called after so many milliseconds; absent: what others tell is made durable each turn as well. */
  readonly later?: ((ms: number, flush: () => void) => void) | undefined;
  /** Milliseconds of a clock that never goes back; performance.now by default. */
  readonly monotonicMs?: (() => number) | undefined;
}

/** What a store has done since it was opened, for metrics. */
export interface StoreCounts {
  readonly commits: number;
  /** Commits that the disk refused. */
  readonly failed: number;
  readonly conflicts: number;
  readonly observerFailures: number;
  /** Versions from other replicas: taken over, known before, refused. */
  readonly merged: number;
  readonly stale: number;
  readonly refused: number;
}

/**
 * One host's copy of all records. Writes of this host and versions from others show in memory at once; all those of one
 * turn of the event loop are then made durable together, by one write, and only then told to anybody.
 *
 * What stands is in {@link Contents}, what is known of whom in {@link Known}; {@link Writing} and {@link Merging} change
 * them, and {@link Staging} makes that durable.
 */
export class Replica implements Store, Guards {
  readonly origin: string;
  admission: Admission = { limit: () => Number.POSITIVE_INFINITY, admits: () => true };
  sealer: Sealer | undefined;
  readonly #backing: Backing;
  readonly #clock: HybridClock;
  readonly #observers: Observers;
  readonly #contents: Contents;
  readonly #known: Known;
  readonly #staging: Staging;
  readonly #writing: Writing;
  readonly #merging: Merging;
  #closed = false;

  constructor(backing: Backing, options: ReplicaOptions = {}) {
    const { origin } = backing;
    const clock = new HybridClock(options.wallMs ?? Date.now);
    const observers = new Observers(options.report ?? (() => {}));
    const contents = new Contents(
      backing,
      new Map([...(options.classes ?? []), ['clock', 'local'], [TRANSFERS, 'local']]),
    );
    const known = new Known(origin, backing.vector);
    const pace = {
      schedule: options.schedule ?? ((flush) => void setImmediate(flush)),
      later: options.later,
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
    };
    const staging = new Staging({ backing, contents, known, observers, pace });
    const transfers = new Transfers({ origin, guards: this, contents, known });
    const parts = { origin, guards: this, clock, contents, known, staging, transfers };
    this.origin = origin;
    this.#backing = backing;
    this.#clock = clock;
    this.#observers = observers;
    this.#contents = contents;
    this.#known = known;
    this.#staging = staging;
    this.#writing = new Writing(parts);
    this.#merging = new Merging(parts);
    for (const version of backing.resident()) {
      if (version.key === CLOCK) clock.receive(Number(version.text));
      if (!contents.isResident(version.key)) continue;
      if (version.class === 'shared') clock.receive(version.rank);
      contents.put(version.key, new Row(version));
    }
    contents.settle();
  }

  get counts(): StoreCounts {
    const { conflicts } = this.#writing;
    return {
      ...this.#staging.counts,
      ...this.#merging.counts,
      conflicts,
      observerFailures: this.#observers.failures,
    };
  }

  /** Why the disk refused the last write; nothing while it takes them. */
  get refusal(): CodedError | undefined {
    return this.#staging.refusal;
  }

  /**
   * After a write that was refused, or when one would be: tries it, so that it is known at once, and when there is room
   * again. To be called from time to time.
   */
  probe(): void {
    if (this.refusal || this.#backing.trouble) this.#writeClock();
  }

  /** How many records are durable, those of other hosts and tombstones included: counted each time. */
  get size(): number {
    return this.#backing.size;
  }

  get(key: string): Entry | undefined {
    const row = this.version(key);
    return row?.text === undefined ? undefined : row;
  }

  list(namespace: string): Iterable<Entry> {
    return this.#contents.list(checkNamespace(namespace));
  }

  /** All of a namespace, those that other hosts own as well: read from disk, ordered by key. */
  all(namespace: string): Entry[] {
    return this.#contents.all(checkNamespace(namespace));
  }

  slice(namespace: string, after: string, limit: number): { entries: Entry[]; next?: string } {
    const prefix = `${checkNamespace(namespace)}/`;
    const versions = this.#backing.page(after > prefix ? after : prefix, limit);
    const entries = versions
      .filter(({ key, text }) => text !== undefined && key.startsWith(prefix))
      .map((version) => new Row(version));
    const last = versions.at(-1)?.key;
    return versions.length === limit && last?.startsWith(prefix) ? { entries, next: last } : { entries };
  }

  /** The version that stands, a tombstone too. */
  version(key: string): Row | undefined {
    return this.#contents.version(key);
  }

  observe(namespace: string, observer: (change: Observation) => void): () => void {
    return this.#observers.add(checkNamespace(namespace), observer);
  }

  /** Calls back after each flush that wrote something. Returns the way to stop it. */
  onDurable(listener: () => void): () => void {
    return this.#staging.onDurable(listener);
  }

  commit(changes: readonly Change[]): Promise<readonly Entry[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Entry[]>();
    this.write(changes, (error, entries) => (error ? reject(error) : resolve(entries ?? [])));
    return promise;
  }

  /** As commit, for those who count on being called back in the very turn that it is durable. */
  write(
    changes: readonly Change[],
    done: (error: CodedError | undefined, entries?: readonly Entry[]) => void,
  ): void {
    if (this.#closed) done(new CodedError('NR_STORE_FAILED', 'the store is closed'));
    else this.#writing.write(changes, done);
  }

  /** What is known and durable: what may be told to others. */
  get vector(): VectorView {
    return this.#known.durable;
  }

  /** How many records of each origin are durable, and what their hashes come to. */
  get sums(): SumsView {
    return this.#backing.sums;
  }

  /** What is known, durable or not yet. */
  known(origin: string): number {
    return this.#known.of(origin);
  }

  /** As take. @returns false if something was missing before a range, so that it had to be left out */
  merge(ranges: readonly Range[]): boolean {
    return this.take(ranges).isWhole;
  }

  /** Takes over what other replicas tell, in any order and as often as they like. */
  take(ranges: readonly Range[]): Taken {
    return this.#closed ? { isWhole: true, doubt: undefined } : this.#merging.take(ranges);
  }

  /**
   * Takes over what another replica has that knows as much, and this one should have: what is not here at all, and what
   * stands against what is here. Nothing of this host's own, and nothing that might be on its way.
   */
  mend(ranges: readonly Range[]): Mended {
    return this.#merging.mend(this.#closed ? [] : ranges);
  }

  /**
   * Seals what this host has written so far, which nobody else has heard of: it was alone.
   * @returns false if others' records are there without a seal
   */
  sealAll(sealer: Sealer): boolean {
    this.sealer = sealer;
    return this.#writing.sealAll(sealer);
  }

  /**
   * Forgets versions without a trace, where they still stand: tombstones that everybody has seen, records that a
   * space's end makes void. Returns how many.
   */
  drop(versions: Iterable<Dot & { readonly key: string }>): number {
    const moves: Move[] = [];
    for (const { key, origin, sequence } of versions) {
      const before = this.version(key);
      if (!before || !sameDot(before, { origin, sequence })) continue; // replaced, and that is on its way to the disk
      this.#contents.put(key, undefined);
      moves.push({ key, before, after: undefined });
    }
    if (moves.length === 0) return 0;
    this.#staging.add({ moves });
    // A tombstone's stamp has to be remembered: others may keep it for a while, and it must not win against us there.
    this.#writeClock();
    return moves.length;
  }

  /** Forgets all that another origin owns: it is gone. */
  dropOwner(origin: string, done: (error: CodedError | undefined) => void = () => {}): void {
    this.#staging.add({ moves: [], dropped: origin, done: () => done(undefined), failed: done });
  }

  /**
   * What is durable and known of an origin beyond `from`, and up to `end`; with at most so many records, and
   * {@link RANGE_BYTES}, else up to where they go.
   */
  range(
    origin: string,
    from: number,
    limit = Number.POSITIVE_INFINITY,
    end = Number.POSITIVE_INFINITY,
  ): Range {
    const known = Math.min(end, this.#known.durableOf(origin));
    const records: Versioned[] = [];
    let bytes = 0;
    for (const version of this.#backing.range(origin, from, known)) {
      records.push(version);
      bytes += sizeOf(version);
      if (records.length === limit || bytes >= RANGE_BYTES)
        return { origin, from, to: version.sequence, records };
    }
    return { origin, from, to: Math.max(from, known), records };
  }

  /** All durable records but local ones, by key, after the given one. */
  page(after: string, limit: number): readonly Versioned[] {
    return this.#backing.page(after, limit);
  }

  tombstones(): Iterable<Versioned> {
    return this.#backing.tombstones();
  }

  /** Makes durable what is staged, now. */
  flush(): void {
    this.#staging.flush();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.flush();
    this.#backing.close();
  }

  /** Gives up what is staged: it never happens, and nobody is called back. For the simulation of a crash. */
  protected abandon(): void {
    this.#closed = true;
    this.#staging.abandon();
    this.#backing.close();
  }

  #writeClock(): void {
    this.write([{ key: CLOCK, value: this.#clock.last }], () => {});
  }
}
