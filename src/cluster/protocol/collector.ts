import type { Dot, Versioned } from '../../store/crdt/record.ts';
import { coversAll, Vector, type VectorView } from '../../store/crdt/vector.ts';
import type { Replica } from '../../store/replica.ts';
import type { Members } from './members.ts';
import type { Standing } from './standing.ts';

/** What a member had on disk when it made its how-manieth report since it started. */
export interface Report {
  readonly id: string;
  /** The sequence of the write that made its start known: tells its reports from those of its earlier lives. */
  readonly life: number;
  readonly number: number;
  readonly vector: VectorView;
}

/**
 * Tombstones that everybody has seen, and nobody can contradict any more, go for good: each present member's report
 * covers the tombstone, and we know all that the member knew by then, so that nothing which it wrote before it saw the
 * tombstone can still arrive, and no newcomer that it told the older version is unknown to us. What those that are gone
 * wrote is known up to their seal.
 */
export class Collector {
  readonly #replica: Replica;
  readonly #members: Members;
  /** Latest of each member, known by whatever way. */
  readonly #latest = new Map<string, Report>();
  /** Latest of each member of which we know all that the member knew. */
  readonly #settled = new Map<string, Report>();
  readonly #standing: Standing;
  #number = 0;

  constructor(parts: { replica: Replica; members: Members; standing: Standing }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#standing = parts.standing;
  }

  /** Our own next report. */
  report(): Report {
    const { origin, vector } = this.#replica;
    const life = this.#standing.bootSequence ?? 0;
    const report = { id: origin, life, number: ++this.#number, vector: new Map(vector) };
    this.take(report);
    return report;
  }

  /** Takes note of a report; false for one that is not news, or of nobody who is known as a member. */
  take(report: Report): boolean {
    if (!this.#members.isPresent(report.id)) return false;
    const known = this.#latest.get(report.id);
    if (known && !isLater(report, known)) return false;
    this.#latest.set(report.id, report);
    return true;
  }

  all(): Iterable<Report> {
    return this.#latest.values();
  }

  /** Members whose reports are missing or too old for any tombstone to go: what status shows as blocking. */
  blocking(): string[] {
    const dead = [...this.#replica.tombstones()];
    if (dead.length === 0) return [];
    this.#settle();
    return this.#members
      .present()
      .map(({ id }) => id)
      .filter(
        (id) =>
          id !== this.#replica.origin && !dead.some((one) => covers(this.#settled.get(id)?.vector, one)),
      );
  }

  /** Whether each other member has reported that it knows a write, or what replaced it. */
  readonly isKnownToAll = ({ origin, sequence }: Dot): boolean => {
    if (!this.#isOneOfAll) return false;
    const others = this.#members.present().filter(({ id }) => id !== this.#replica.origin);
    return others.every(({ id }) => (this.#latest.get(id)?.vector.get(origin) ?? 0) >= sequence);
  };

  /** Drops what can go. To be called from time to time. @returns how many */
  collect(): number {
    // Nor while there are others that this host has not heard of.
    if (!this.#isAlone && !this.#isOneOfAll) return 0;
    for (const { id, seal } of this.#members.allGone()) if (this.#replica.known(id) < seal) return 0;
    for (const id of [...this.#latest.keys()]) {
      if (this.#members.isPresent(id)) continue;
      this.#latest.delete(id);
      this.#settled.delete(id);
    }
    this.#settle();
    const dead = [...this.#replica.tombstones()];
    const floor = this.#floor(new Set(dead.map(({ origin }) => origin)));
    if (!floor) return 0;
    return this.#replica.drop(dead.filter((one) => floor.covers(one)));
  }

  /** In no cluster. A newcomer that has heard of nobody yet may have heard of what somebody wrote. */
  get #isAlone(): boolean {
    const { origin, vector } = this.#replica;
    return this.#members.present().length === 0 && [...vector.keys()].every((id) => id === origin);
  }

  get #isOneOfAll(): boolean {
    return this.#members.isPresent(this.#replica.origin) && this.#members.knowsAll;
  }

  #settle(): void {
    for (const report of this.#latest.values()) {
      if (coversAll(this.#replica.vector, report.vector)) this.#settled.set(report.id, report);
    }
  }

  /** What every present member is known to have seen of these origins: this host, what is on its disk. */
  #floor(origins: ReadonlySet<string>): Vector | undefined {
    if (origins.size === 0) return undefined;
    const others = this.#members.present().filter(({ id }) => id !== this.#replica.origin);
    const reports = others.map(({ id }) => this.#settled.get(id));
    const floor = new Vector();
    for (const origin of origins) {
      let least = this.#replica.vector.get(origin) ?? 0;
      for (const report of reports) {
        if (!report) return undefined;
        least = Math.min(least, report.vector.get(origin) ?? 0);
      }
      floor.advance(origin, least);
    }
    return floor;
  }
}

function isLater(one: Report, other: Report): boolean {
  return one.life === other.life ? one.number > other.number : one.life > other.life;
}

function covers(vector: VectorView | undefined, { origin, sequence }: Versioned): boolean {
  return (vector?.get(origin) ?? 0) >= sequence;
}
