import type { Versioned } from '../store/crdt/record.ts';
import { Vector, type VectorView } from '../store/crdt/vector.ts';
import type { Replica } from '../store/replica.ts';
import type { Members } from './members.ts';

/** What a member had on disk when it made its how-manieth report since it started. */
export interface Report {
  readonly id: string;
  /** The member's own sequence at its start: tells its reports from those of its earlier lives. */
  readonly life: number;
  readonly number: number;
  readonly vector: VectorView;
}

/**
 * Tombstones that everybody has seen, and nobody can contradict any more, go for good: each present member's report
 * covers the tombstone, and we know all that the member itself had written by then, so that nothing which it wrote
 * before it saw the tombstone can still arrive. The same for those that are gone, up to their seal.
 */
export class Collector {
  readonly #replica: Replica;
  readonly #members: Members;
  /** Latest of each member, known by whatever way. */
  readonly #latest = new Map<string, Report>();
  /** Latest of each member of which we know all that the member had written itself. */
  readonly #settled = new Map<string, Report>();
  readonly #life: number;
  #number = 0;

  constructor(replica: Replica, members: Members) {
    this.#replica = replica;
    this.#members = members;
    this.#life = replica.known(replica.origin);
  }

  /** Our own next report. */
  report(): Report {
    const { origin, vector } = this.#replica;
    const report = { id: origin, life: this.#life, number: ++this.#number, vector: new Map(vector) };
    this.take(report);
    return report;
  }

  /** Takes note of a report; false for one that is not news. */
  take(report: Report): boolean {
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

  /** Drops what can go. To be called from time to time. @returns how many */
  collect(): number {
    if (!this.#members.isPresent(this.#replica.origin) && this.#members.present().length > 0) return 0;
    for (const { id, seal } of this.#members.allGone()) if (this.#replica.known(id) < seal) return 0;
    this.#settle();
    const dead = [...this.#replica.tombstones()];
    const floor = this.#floor(new Set(dead.map(({ origin }) => origin)));
    if (!floor) return 0;
    const covered = dead.filter((one) => floor.covers(one));
    return this.#replica.drop(covered.flatMap((one) => [one, ...this.#voidWith(one.key)]));
  }

  /** With a space go its chunks. */
  *#voidWith(key: string): Iterable<Versioned> {
    if (!key.startsWith('space/')) return;
    const prefix = `chunk/${key.slice('space/'.length)}/`;
    for (const chunk of this.#replica.list('chunk')) {
      const version = chunk.key.startsWith(prefix) ? this.#replica.version(chunk.key) : undefined;
      if (version) yield version;
    }
  }

  #settle(): void {
    for (const report of this.#latest.values()) {
      if (this.#replica.known(report.id) >= (report.vector.get(report.id) ?? 0))
        this.#settled.set(report.id, report);
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
