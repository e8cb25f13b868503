import { CodedError } from '../errors.ts';
import { quote } from '../net/address.ts';
import type { Change, Class, Entry, Observation, Store, Version } from '../ports/store.ts';
import type { Backing, Step } from './backing.ts';
import { HybridClock, STAMP_MAX } from './crdt/clock.ts';
import { type Dot, namespaceIn, ownerIn, sameDot, sizeOf, stands, type Versioned } from './crdt/record.ts';
import { changedSums, type SumStep, type SumsView } from './crdt/sums.ts';
import { Vector, type VectorView } from './crdt/vector.ts';
import { checkNamespace, encode, isRecord, namespaceOf } from './encode.ts';
import type { Range } from './gossip/messages.ts';
import { Observers } from './observers.ts';
import { Row } from './row.ts';
import { isSealed, type Sealer } from './seal.ts';
import { Shelf } from './shelf.ts';

/** The local record of the last stamp when something was forgotten. */
const CLOCK = 'clock/last';

/** Earlier transfers of ownership records, which no seal carries any more: `transfers/KEY/PAGE`, of class local. */
export const TRANSFERS = 'transfers';

/** What others tell waits so long for the last write, in milliseconds: nobody has to be answered when it is durable. */
const PACE_MS = 10;

/** A range ends with the record that makes it so large, in bytes as sizeOf counts them: several fit into a message. */
export const RANGE_BYTES = 1024 * 1024;

/** What the protocol above lets in. It never stops the vector from advancing, except beyond `limit`. */
export interface Admission {
  /** Up to which sequence an origin's writes count: less than infinite for one that is frozen or gone. */
  limit(origin: string): number;
  /** Whether a version from elsewhere may stand. One that may not counts as known and is not stored. */
  admits(version: Versioned, standing: Versioned | undefined): boolean;
  /** Why this host may not write now what everybody may write; nothing if it may. */
  refusal?(keys: readonly string[]): CodedError | undefined;
  /** Sealed versions that have just come, before any range of theirs is taken over. */
  heard?(versions: readonly Versioned[]): void;
  /** Why a range is left out whole, with these sealed versions that would stand; nothing if it is not. */
  doubt?(range: Range, versions: readonly Versioned[]): Doubt | undefined;
}

/** Why a range was left out. */
export interface Doubt {
  /** No honest host can have passed it on. If not, it may be that what shows it to be right has not come yet. */
  readonly isForged: boolean;
  readonly what: string;
}

/** What became of ranges from elsewhere. */
export interface Taken {
  /** Nothing was missing before any of them: what is missing comes when the other end learns what is known here. */
  readonly isWhole: boolean;
  /** Of those that were left out for a doubt, the worst one. */
  readonly doubt: Doubt | undefined;
}

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

/** One record's step from what was to what is. */
interface Move {
  readonly key: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

interface Staged {
  readonly moves: readonly Move[];
  /** Of whom all that is owned goes with it. */
  readonly dropped?: string;
  readonly steps: readonly Step[];
  readonly done: () => void;
  readonly failed: (error: CodedError) => void;
}

/**
 * One host's copy of all records. Writes of this host and versions from others show in memory at once; all those of one
 * turn of the event loop are then made durable together, by one write, and only then told to anybody.
 *
 * In memory are the records that this host works with; those that other hosts own are read from disk.
 */
export class Replica implements Store {
  readonly origin: string;
  admission: Admission = { limit: () => Number.POSITIVE_INFINITY, admits: () => true };
  /** Seals what this host writes where others have to be sure of it; absent on a host that is in no cluster. */
  sealer: Sealer | undefined;
  readonly #backing: Backing;
  readonly #classes: ReadonlyMap<string, Class>;
  readonly #schedule: (flush: () => void) => void;
  readonly #later: ((ms: number, flush: () => void) => void) | undefined;
  readonly #monotonicMs: () => number;
  readonly #clock: HybridClock;
  readonly #observers: Observers;
  readonly #durableListeners = new Set<() => void>();
  readonly #shelves = new Map<string, Shelf>();
  /** Tombstones of what is held in memory. */
  readonly #dead = new Map<string, Row>();
  /** Staged versions of what is not held in memory; null: dropped. */
  readonly #overlay = new Map<string, Row | null>();
  #vector: Vector;
  readonly #durable: Vector;
  /** Own sequences count up even if a write fails: somebody may have read the version meanwhile. */
  #sequence: number;
  #staged: Staged[] = [];
  /** Until when the next flush is sure to be called: of this turn, or later. */
  #due: 'never' | 'later' | 'turn' = 'never';
  /** When the last write ended, by the clock that never goes back. */
  #writtenAt = Number.NEGATIVE_INFINITY;
  #refusal: CodedError | undefined;
  #closed = false;
  #counts = { commits: 0, failed: 0, conflicts: 0, merged: 0, stale: 0, refused: 0 };

  constructor(backing: Backing, options: ReplicaOptions = {}) {
    this.#backing = backing;
    this.#classes = new Map([...(options.classes ?? []), ['clock', 'local'], [TRANSFERS, 'local']]);
    this.#schedule = options.schedule ?? ((flush) => void setImmediate(flush));
    this.#later = options.later;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#clock = new HybridClock(options.wallMs ?? Date.now);
    this.#observers = new Observers(options.report ?? (() => {}));
    this.origin = backing.origin;
    this.#vector = new Vector(backing.vector);
    this.#durable = new Vector(backing.vector);
    this.#sequence = this.#durable.of(this.origin);
    for (const version of backing.resident()) {
      if (version.key === CLOCK) this.#clock.receive(Number(version.text));
      if (!this.#isResident(version.key)) continue;
      if (version.class === 'shared') this.#clock.receive(version.rank);
      this.#put(version.key, new Row(version));
    }
  }

  get counts(): StoreCounts {
    return { ...this.#counts, observerFailures: this.#observers.failures };
  }

  /** Why the disk refused the last write; nothing while it takes them. */
  get refusal(): CodedError | undefined {
    return this.#refusal;
  }

  /**
   * After a write that was refused: tries another one, so that it is known when there is room again. To be called from
   * time to time.
   */
  probe(): void {
    if (this.#refusal) this.write([{ key: CLOCK, value: this.#clock.last }], () => {});
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
    if (this.#isResident(`${checkNamespace(namespace)}/${this.origin}/`))
      return this.#shelves.get(namespace)?.list() ?? [];
    return this.#listed(namespace);
  }

  /** All of a namespace, those that other hosts own as well: read from disk, ordered by key. */
  all(namespace: string): Entry[] {
    return this.#listed(checkNamespace(namespace));
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
    const overlaid = this.#overlay.get(key);
    if (overlaid !== undefined) return overlaid ?? undefined;
    if (this.#isResident(key)) return this.#shelves.get(namespaceIn(key))?.get(key) ?? this.#dead.get(key);
    const stored = this.#backing.get(key);
    return stored && new Row(stored);
  }

  observe(namespace: string, observer: (change: Observation) => void): () => void {
    return this.#observers.add(checkNamespace(namespace), observer);
  }

  /** Calls back after each flush that wrote something. Returns the way to stop it. */
  onDurable(listener: () => void): () => void {
    this.#durableListeners.add(listener);
    return () => void this.#durableListeners.delete(listener);
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
    try {
      if (this.#closed) throw new CodedError('NR_STORE_FAILED', 'the store is closed');
      const moves = this.#apply(changes);
      this.#stage({
        moves,
        steps: moves.map(stepOf),
        done: () =>
          done(
            undefined,
            moves.flatMap(({ after }) => living(after) ?? []),
          ),
        failed: done,
      });
    } catch (error) {
      done(error as CodedError);
    }
  }

  /** What is known and durable: what may be told to others. */
  get vector(): VectorView {
    return this.#durable.view;
  }

  /** How many records of each origin are durable, and what their hashes come to. */
  get sums(): SumsView {
    return this.#backing.sums;
  }

  /** What is known, durable or not yet. */
  known(origin: string): number {
    return this.#vector.of(origin);
  }

  /** As take. @returns false if something was missing before a range, so that it had to be left out */
  merge(ranges: readonly Range[]): boolean {
    return this.take(ranges).isWhole;
  }

  /** Takes over what other replicas tell, in any order and as often as they like. */
  take(ranges: readonly Range[]): Taken {
    let isWhole = true;
    let doubt: Doubt | undefined;
    if (this.#closed) return { isWhole, doubt };
    const moves: Move[] = [];
    this.admission.heard?.(ranges.flatMap((range) => this.#sealed(range)));
    for (const range of ranges) {
      // What we have written ourselves nobody can tell us; who knows more of it than we do has met another one of us.
      if (range.origin === this.origin) continue;
      if (this.known(range.origin) < range.from) {
        isWhole = false; // what is missing comes with the next exchange of vectors, and this again
        continue;
      }
      // Not a part of it either: what counts may have been replaced, in this range, by what does not.
      if (range.to > this.admission.limit(range.origin)) continue;
      const found = this.admission.doubt?.(range, this.#sealed(range));
      if (found) {
        if (!doubt?.isForged) doubt = found;
        continue;
      }
      for (const version of range.records) this.#take(version, moves);
      this.#vector.advance(range.origin, range.to);
    }
    this.#stageMoves(moves);
    return { isWhole, doubt };
  }

  /**
   * Takes over what another replica has that knows as much, and this one should have: what is not here at all, and what
   * stands against what is here. Nothing of this host's own, and nothing that might be on its way.
   * @returns how many versions, and why some were left out
   */
  mend(ranges: readonly Range[]): { readonly taken: number; readonly doubt: Doubt | undefined } {
    const moves: Move[] = [];
    let doubt: Doubt | undefined;
    for (const { origin, from, to, records } of this.#closed ? [] : ranges) {
      if (origin === this.origin || this.#durable.of(origin) < to) continue;
      if (to > this.admission.limit(origin)) continue;
      const missing = records.filter((version) => {
        const before = this.version(version.key);
        // A tombstone that is not here was forgotten: everybody has seen it.
        return before ? stands(version, before) : version.text !== undefined;
      });
      const sealed = this.sealer ? missing.filter(isSealed) : [];
      this.admission.heard?.(sealed);
      const found =
        sealed.length > 0 ? this.admission.doubt?.({ origin, from, to, records }, sealed) : undefined;
      if (found) doubt ??= found;
      else for (const version of missing) this.#adopt(version, this.version(version.key), moves);
    }
    if (moves.length > 0) this.#stageMoves(moves);
    return { taken: moves.filter(({ after }) => after?.class !== 'local').length, doubt };
  }

  /**
   * Seals what this host has written so far, which nobody else has heard of: it was alone.
   * @returns false if others' records are there without a seal
   */
  sealAll(sealer: Sealer): boolean {
    this.sealer = sealer;
    const moves: Move[] = [];
    const all = [...this.#shelves.values()].flatMap((shelf) => shelf.list());
    for (const before of [...all, ...this.#dead.values()]) {
      if (!isSealed(before) || before.seal) continue;
      if (before.origin !== this.origin) return false;
      const after = new Row({ ...before, seal: sealer.seal(before, undefined) });
      this.#put(before.key, after);
      moves.push({ key: before.key, before, after });
    }
    if (moves.length > 0) this.#stageMoves(moves);
    return true;
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
      this.#put(key, undefined);
      moves.push({ key, before, after: undefined });
    }
    if (moves.length === 0) return 0;
    this.#stage({ moves, steps: moves.map(stepOf), done: () => {}, failed: () => {} });
    // A tombstone's stamp has to be remembered: others may keep it for a while, and it must not win against us there.
    this.write([{ key: CLOCK, value: this.#clock.last }], () => {});
    return moves.length;
  }

  /** Forgets all that another origin owns: it is gone. */
  dropOwner(origin: string, done: (error: CodedError | undefined) => void = () => {}): void {
    const steps: Step[] = [{ do: 'drop-owner', origin }];
    this.#stage({ moves: [], dropped: origin, steps, done: () => done(undefined), failed: done });
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
    const known = Math.min(end, this.#durable.of(origin));
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
    const batch = this.#staged;
    if (batch.length === 0) return;
    this.#staged = [];
    this.#due = 'never';
    const grown = [...this.#vector.view].filter(([origin, known]) => known > this.#durable.of(origin));
    const steps = batch.flatMap((staged) => staged.steps);
    try {
      if (steps.length > 0 || grown.length > 0) {
        this.#backing.write({ steps, known: grown, sums: changedSums(this.sums, sumSteps(batch)) });
        this.#refusal = undefined;
      }
      this.#writtenAt = this.#monotonicMs();
    } catch (cause) {
      this.#undo(batch.flatMap(({ moves }) => moves));
      this.#overlay.clear();
      this.#vector = new Vector(this.#durable.view);
      this.#counts.failed += batch.length;
      this.#refusal = refused(cause);
      for (const { failed } of batch) failed(refused(cause));
      return;
    }
    for (const [origin, known] of grown) this.#durable.advance(origin, known);
    this.#overlay.clear();
    this.#counts.commits += batch.length;
    for (const { moves, done } of batch) {
      for (const move of moves) {
        const [before, after] = [living(move.before), living(move.after)];
        if (before || after) this.#observers.tell(namespaceIn(move.key), { key: move.key, before, after });
      }
      done();
    }
    for (const listener of [...this.#durableListeners]) listener();
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
    this.#staged = [];
    this.#backing.close();
  }

  #isResident(key: string): boolean {
    const kind = this.#classes.get(namespaceIn(key));
    return kind !== undefined && (kind !== 'owned' || ownerIn(key) === this.origin);
  }

  #put(key: string, row: Row | undefined): void {
    if (!this.#isResident(key)) {
      this.#overlay.set(key, row ?? null);
      return;
    }
    const namespace = namespaceIn(key);
    const shelf = this.#shelves.get(namespace) ?? new Shelf();
    this.#shelves.set(namespace, shelf);
    shelf.set(key, living(row));
    if (row && row.text === undefined) this.#dead.set(key, row);
    else this.#dead.delete(key);
  }

  #listed(namespace: string): Entry[] {
    const rows = new Map<string, Row>();
    for (const version of this.#backing.list(namespace)) rows.set(version.key, new Row(version));
    const shelf = this.#shelves.get(namespace);
    const staged = this.#staged.length > 0;
    if (staged && shelf) {
      for (const key of rows.keys()) if (this.#isResident(key) && !shelf.get(key)) rows.delete(key);
    }
    for (const row of shelf?.list() ?? []) rows.set(row.key, row);
    for (const [key, row] of this.#overlay) {
      if (namespaceIn(key) !== namespace) continue;
      if (row && row.text !== undefined) rows.set(key, row);
      else rows.delete(key);
    }
    return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** To be made durable at the end of this turn. */
  #stage(staged: Staged): void {
    this.#staged.push(staged);
    if (this.#due === 'turn') return;
    this.#due = 'turn';
    this.#schedule(() => this.flush());
  }

  /** To be made durable with the next write, or when the last one is some time ago. */
  #stageMoves(moves: readonly Move[]): void {
    const steps = moves.map(({ after }): Step => ({ do: 'put', record: after! }));
    const staged = { moves, steps, done: () => {}, failed: () => {} };
    const wait = this.#later ? this.#writtenAt + PACE_MS - this.#monotonicMs() : 0;
    if (wait <= 0) return this.#stage(staged);
    this.#staged.push(staged);
    if (this.#due !== 'never') return;
    this.#due = 'later';
    this.#later?.(wait, () => this.flush());
  }

  /** Takes over one version from elsewhere if it stands against what is here. */
  #take(version: Versioned, moves: Move[]): void {
    if (this.#vector.covers(version)) {
      this.#counts.stale++;
      return;
    }
    const before = this.version(version.key);
    if (before && (sameDot(before, version) || !stands(version, before))) {
      this.#counts.stale++;
      return;
    }
    this.#adopt(version, before, moves);
  }

  /** The same of one that stands against what is here. */
  #adopt(version: Versioned, before: Row | undefined, moves: Move[]): void {
    if (!this.#proper(version) || !this.admission.admits(version, before)) {
      this.#counts.refused++;
      return;
    }
    if (version.class === 'shared') this.#clock.receive(version.rank);
    const after = Row.of(version);
    this.#put(version.key, after);
    moves.push({ key: version.key, before, after });
    this.#keepTransfers(before, after, moves);
    this.#counts.merged++;
  }

  /** With the new version goes what its seal leaves out: somebody may be away who has not heard of it. */
  #keepTransfers(before: Row | undefined, after: Row, moves: Move[]): void {
    if (after.class !== 'ownership' || !this.sealer) return;
    for (const { number, links } of before?.seal ? this.sealer.leftOut(before, after) : []) {
      const key = `${TRANSFERS}/${after.key}/${number}`;
      const text = JSON.stringify({ links: Buffer.from(links).toString('base64') });
      const sequence = ++this.#sequence;
      const page = new Row({ key, class: 'local', text, origin: this.origin, sequence, rank: sequence });
      this.#put(key, page);
      this.#vector.advance(this.origin, sequence);
      moves.push({ key, before: undefined, after: page });
    }
    this.sealer.dismiss(after.key);
  }

  /** What of a range has to prove itself before it may stand. */
  #sealed({ origin, from, to, records }: Range): Versioned[] {
    if (!this.sealer || origin === this.origin || this.known(origin) < from) return [];
    if (to > this.admission.limit(origin)) return [];
    return records.filter((version) => {
      if (!isSealed(version) || this.#vector.covers(version)) return false;
      const before = this.version(version.key);
      return !before || stands(version, before);
    });
  }

  /** What every replica can see by the version alone. */
  #proper({ class: kind, key, origin, rank, sequence, text }: Versioned): boolean {
    const declared = this.#classes.get(namespaceIn(key));
    if (kind === 'local' || (declared !== undefined && declared !== kind)) return false;
    if (!isRecord(key, text)) return false;
    if (kind === 'shared') return rank <= STAMP_MAX;
    return kind !== 'owned' || (ownerIn(key) === origin && rank === sequence);
  }

  /** Applies the changes in order, in memory; all or none. */
  #apply(changes: readonly Change[]): Move[] {
    const prepared = changes.map(({ key, value, expect }) => ({
      key,
      kind: this.#writable(key),
      text: value === undefined ? undefined : encode(key, value),
      expect,
    }));
    const shared = prepared.filter(({ kind }) => kind === 'shared').map(({ key }) => key);
    const refusal = shared.length > 0 ? this.admission.refusal?.(shared) : undefined;
    if (refusal) throw refusal;
    const moves: Move[] = [];
    for (const { key, kind, text, expect } of prepared) {
      const before = this.version(key);
      if (expect !== undefined && !matches(living(before), expect)) {
        this.#undo(moves);
        this.#counts.conflicts++;
        throw conflict(key, living(before), expect);
      }
      if (!living(before) && text === undefined) continue; // gone already: nothing happens, so nothing is written
      const sequence = ++this.#sequence;
      const rank = this.#rank(kind, sequence, before?.rank ?? 0);
      const version = { key, class: kind, text, origin: this.origin, sequence, rank };
      const seal = this.sealer && isSealed(version) ? this.sealer.seal(version, before) : undefined;
      const row = new Row({ ...version, seal });
      // Nobody else has to hear that what was never told is gone.
      const after = kind === 'local' ? living(row) : row;
      this.#put(key, after);
      this.#vector.advance(this.origin, sequence);
      moves.push({ key, before, after });
      this.#keepTransfers(before, row, moves);
    }
    return moves;
  }

  #writable(key: string): Class {
    const kind = this.#classes.get(namespaceOf(key)) ?? 'shared';
    if (kind === 'owned' && ownerIn(key) !== this.origin)
      throw new CodedError('NR_STORE_RECORD', `record ${quote(key)} is owned by another host`);
    return kind;
  }

  #rank(kind: Class, sequence: number, before: number): number {
    if (kind === 'shared') return this.#clock.next();
    return kind === 'ownership' ? before + 1 : sequence;
  }

  #undo(moves: readonly Move[]): void {
    for (const { key, before } of moves.toReversed()) this.#put(key, before);
  }
}

function stepOf({ key, after }: Move): Step {
  return after ? { do: 'put', record: after } : { do: 'drop', key };
}

function* sumSteps(batch: readonly Staged[]): Generator<SumStep> {
  for (const { moves, dropped } of batch) {
    yield* moves;
    if (dropped !== undefined) yield { dropped };
  }
}

function living(row: Row | undefined): Row | undefined {
  return row?.text === undefined ? undefined : row;
}

function matches(row: Row | undefined, expect: Version | null): boolean {
  if (expect === null || row === undefined) return expect === null && row === undefined;
  return sameDot(row, expect);
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
