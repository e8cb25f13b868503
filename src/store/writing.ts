import { CodedError } from '../errors.ts';
import { quote } from '../net/address.ts';
import type { Change, Class, Entry, Version } from '../ports/store.ts';
import type { Guards } from './admission.ts';
import type { Contents } from './contents.ts';
import { type HybridClock, STAMP_MAX } from './crdt/clock.ts';
import { ownerIn, sameDot } from './crdt/record.ts';
import { encode, namespaceOf } from './encode.ts';
import type { Known } from './known.ts';
import { living, type Move } from './move.ts';
import { Row } from './row.ts';
import { isSealed, type Sealer } from './seal.ts';
import type { Staging } from './staging.ts';
import type { Transfers } from './transfers.ts';

/** What this host writes. */
export class Writing {
  /** Writes that expected another version than the one that stood. */
  conflicts = 0;
  readonly #origin: string;
  readonly #guards: Guards;
  readonly #clock: HybridClock;
  readonly #contents: Contents;
  readonly #known: Known;
  readonly #staging: Staging;
  readonly #transfers: Transfers;

  constructor(parts: {
    origin: string;
    guards: Guards;
    clock: HybridClock;
    contents: Contents;
    known: Known;
    staging: Staging;
    transfers: Transfers;
  }) {
    this.#origin = parts.origin;
    this.#guards = parts.guards;
    this.#clock = parts.clock;
    this.#contents = parts.contents;
    this.#known = parts.known;
    this.#staging = parts.staging;
    this.#transfers = parts.transfers;
  }

  /** All of the changes in order, or none. Called back in the very turn that it is durable. */
  write(
    changes: readonly Change[],
    done: (error: CodedError | undefined, entries?: readonly Entry[]) => void,
  ): void {
    try {
      const moves = this.#apply(changes);
      this.#staging.add({
        moves,
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

  /**
   * Seals what this host has written so far, which nobody else has heard of: it was alone.
   * @returns false if others' records are there without a seal
   */
  sealAll(sealer: Sealer): boolean {
    const moves: Move[] = [];
    for (const before of this.#contents.resident()) {
      if (!isSealed(before) || before.seal) continue;
      if (before.origin !== this.#origin) return false;
      const after = new Row({ ...before, seal: sealer.seal(before, undefined) });
      this.#contents.put(before.key, after);
      moves.push({ key: before.key, before, after });
    }
    if (moves.length > 0) this.#staging.addLater(moves);
    return true;
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
    const refusal = shared.length > 0 ? this.#guards.admission.refusal?.(shared) : undefined;
    if (refusal) throw refusal;
    const moves: Move[] = [];
    for (const { key, kind, text, expect } of prepared) {
      const before = this.#contents.version(key);
      if (expect !== undefined && !matches(living(before), expect)) {
        this.#contents.undo(moves);
        this.conflicts++;
        throw conflict(key, living(before), expect);
      }
      if (!living(before) && text === undefined) continue; // gone already: nothing happens, so nothing is written
      const sequence = this.#known.next();
      const rank = this.#rank(kind, sequence, before?.rank ?? 0);
      if (kind === 'shared' && rank > STAMP_MAX) {
        this.#contents.undo(moves);
        throw new CodedError(
          'NR_STORE_STAMP',
          `record ${quote(key)} is stamped with the latest time there is`,
        );
      }
      const version = { key, class: kind, text, origin: this.#origin, sequence, rank };
      const { sealer } = this.#guards;
      const seal = sealer && isSealed(version) ? sealer.seal(version, before) : undefined;
      const row = new Row({ ...version, seal });
      const fault = seal && this.#guards.admission.fault?.(row);
      if (fault) {
        this.#contents.undo(moves);
        throw new CodedError('NR_STORE_RECORD', `record ${quote(key)} would be refused: ${fault}`);
      }
      // Nobody else has to hear that what was never told is gone.
      const after = kind === 'local' ? living(row) : row;
      this.#contents.put(key, after);
      this.#known.advance(this.#origin, sequence);
      moves.push({ key, before, after });
      this.#transfers.keep(before, row, moves);
    }
    return moves;
  }

  #writable(key: string): Class {
    const kind = this.#contents.classOf(namespaceOf(key)) ?? 'shared';
    if (kind === 'owned' && ownerIn(key) !== this.#origin)
      throw new CodedError('NR_STORE_RECORD', `record ${quote(key)} is owned by another host`);
    return kind;
  }

  #rank(kind: Class, sequence: number, before: number): number {
    if (kind === 'shared') return this.#clock.next(before);
    return kind === 'ownership' ? before + 1 : sequence;
  }
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
