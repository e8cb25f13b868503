import type { Statement } from './statements.ts';

/** How often a statement is sent for each power of ten of members. */
const TIMES = 4;

/** How often each host sends a statement on in a cluster of so many: enough that all hear of it (SWIM, 4.1). */
export function timesOf(members: number): number {
  return TIMES * Math.ceil(Math.log10(members + 1));
}

/** News to be told along with whatever is sent: one for each member, and each a bounded number of times. */
export class Spread {
  readonly #news = new Map<string, { readonly statement: Statement; sent: number }>();
  /** Members of the cluster. */
  size = 1;

  get isEmpty(): boolean {
    return this.#news.size === 0;
  }

  /** Takes the place of what was to be told of the member before. */
  put(statement: Statement): void {
    this.#news.delete(statement.id);
    this.#news.set(statement.id, { statement, sent: 0 });
  }

  drop(member: string): void {
    this.#news.delete(member);
  }

  /** So many at most for one packet: those that were sent least often. */
  take(count: number): Statement[] {
    const limit = timesOf(this.size);
    const chosen = [...this.#news.values()].sort((a, b) => a.sent - b.sent).slice(0, count);
    for (const one of chosen) if (++one.sent >= limit) this.#news.delete(one.statement.id);
    return chosen.map(({ statement }) => statement);
  }
}
