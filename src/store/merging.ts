import type { Doubt, Guards } from './admission.ts';
import type { Contents } from './contents.ts';
import { type HybridClock, STAMP_MAX } from './crdt/clock.ts';
import { namespaceIn, ownerIn, sameDot, stands, type Versioned } from './crdt/record.ts';
import { isRecord } from './encode.ts';
import type { Range } from './gossip/messages.ts';
import type { Known } from './known.ts';
import type { Move } from './move.ts';
import { Row } from './row.ts';
import { isSealed } from './seal.ts';
import type { Staging } from './staging.ts';
import type { Transfers } from './transfers.ts';

/** What became of ranges from elsewhere. */
export interface Taken {
  /** Nothing was missing before any of them: what is missing comes when the other end learns what is known here. */
  readonly isWhole: boolean;
  /** Of those that were left out for a doubt, the worst one. */
  readonly doubt: Doubt | undefined;
}

/** What became of what another replica has that knows as much: how many versions came, and why some were left out. */
export interface Mended {
  readonly taken: number;
  readonly doubt: Doubt | undefined;
}

/** Takes over what other replicas have written. */
export class Merging {
  /** Versions: taken over, known before, refused. */
  readonly counts = { merged: 0, stale: 0, refused: 0 };
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

  /** Ranges, in any order and as often as they come. */
  take(ranges: readonly Range[]): Taken {
    const { admission } = this.#guards;
    let isWhole = true;
    let doubt: Doubt | undefined;
    const moves: Move[] = [];
    admission.heard?.(ranges.flatMap((range) => this.#sealed(range)));
    for (const range of ranges) {
      // What we have written ourselves nobody can tell us; who knows more of it than we do has met another one of us.
      if (range.origin === this.#origin) continue;
      if (this.#known.of(range.origin) < range.from) {
        isWhole = false; // what is missing comes with the next exchange of vectors, and this again
        continue;
      }
      // Not a part of it either: what counts may have been replaced, in this range, by what does not.
      if (range.to > admission.limit(range.origin)) continue;
      const found = admission.doubt?.(range, this.#sealed(range));
      if (found) {
        if (!doubt?.isForged) doubt = found;
        continue;
      }
      for (const version of range.records) this.#take(version, moves);
      this.#known.advance(range.origin, range.to);
    }
    this.#staging.addLater(moves);
    return { isWhole, doubt };
  }

  /** Ranges of another replica that knows as much: of what is known here too, that which should be here. */
  mend(ranges: readonly Range[]): Mended {
    const { admission, sealer } = this.#guards;
    const moves: Move[] = [];
    let doubt: Doubt | undefined;
    for (const { origin, from, to, records } of ranges) {
      if (origin === this.#origin || this.#known.durableOf(origin) < to) continue;
      if (to > admission.limit(origin)) continue;
      const missing = records.filter((version) => {
        const before = this.#contents.version(version.key);
        if (before) this.#meet(version, before);
        // A tombstone that is not here was forgotten: everybody has seen it.
        return before ? stands(version, before) : version.text !== undefined;
      });
      const sealed = sealer ? missing.filter(isSealed) : [];
      admission.heard?.(sealed);
      const range = { origin, from, to, records };
      const found = sealed.length > 0 ? admission.doubt?.(range, sealed, true) : undefined;
      if (found) doubt ??= found;
      else for (const version of missing) this.#adopt(version, this.#contents.version(version.key), moves);
    }
    if (moves.length > 0) this.#staging.addLater(moves);
    return { taken: moves.filter(({ after }) => after?.class !== 'local').length, doubt };
  }

  /** Takes over one version from elsewhere if it stands against what is here. */
  #take(version: Versioned, moves: Move[]): void {
    if (this.#known.covers(version)) {
      this.counts.stale++;
      return;
    }
    const before = this.#contents.version(version.key);
    if (before) this.#meet(version, before);
    if (before && (sameDot(before, version) || !stands(version, before))) {
      this.counts.stale++;
      return;
    }
    this.#adopt(version, before, moves);
  }

  /** The same of one that stands against what is here. */
  #adopt(version: Versioned, before: Row | undefined, moves: Move[]): void {
    if (!this.#proper(version) || !this.#guards.admission.admits(version, before)) {
      this.counts.refused++;
      return;
    }
    if (version.class === 'shared') this.#clock.receive(version.rank);
    const after = Row.of(version);
    this.#contents.put(version.key, after);
    moves.push({ key: version.key, before, after });
    this.#transfers.keep(before, after, moves);
    this.counts.merged++;
  }

  #meet(version: Versioned, here: Versioned): void {
    if (version.class !== 'ownership' || !this.#proper(version)) return;
    if (!sameDot(version, here) || version.text !== here.text) this.#guards.admission.met?.(version, here);
  }

  /** What of a range has to prove itself before it may stand. */
  #sealed({ origin, from, to, records }: Range): Versioned[] {
    const { admission, sealer } = this.#guards;
    if (!sealer || origin === this.#origin || this.#known.of(origin) < from) return [];
    if (to > admission.limit(origin)) return [];
    return records.filter((version) => {
      if (!isSealed(version) || this.#known.covers(version)) return false;
      const before = this.#contents.version(version.key);
      return !before || stands(version, before);
    });
  }

  /** What every replica can see by the version alone. */
  #proper({ class: kind, key, origin, rank, sequence, text }: Versioned): boolean {
    const declared = this.#contents.classOf(namespaceIn(key));
    if (kind === 'local' || (declared !== undefined && declared !== kind)) return false;
    if (!isRecord(key, text)) return false;
    if (kind === 'shared') return rank <= STAMP_MAX;
    return kind !== 'owned' || (ownerIn(key) === origin && rank === sequence);
  }
}
