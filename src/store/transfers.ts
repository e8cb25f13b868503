import type { Guards } from './admission.ts';
import type { Contents } from './contents.ts';
import type { Known } from './known.ts';
import type { Move } from './move.ts';
import { Row } from './row.ts';

/** Earlier transfers of ownership records, which no seal carries any more: `transfers/KEY/PAGE`, of class local. */
export const TRANSFERS = 'transfers';

/** Keeps what seals leave out. */
export class Transfers {
  readonly #origin: string;
  readonly #guards: Guards;
  readonly #contents: Contents;
  readonly #known: Known;

  constructor(parts: { origin: string; guards: Guards; contents: Contents; known: Known }) {
    this.#origin = parts.origin;
    this.#guards = parts.guards;
    this.#contents = parts.contents;
    this.#known = parts.known;
  }

  /** With the new version goes what its seal leaves out: somebody may be away who has not heard of it. */
  keep(before: Row | undefined, after: Row, moves: Move[]): void {
    const { sealer } = this.#guards;
    if (after.class !== 'ownership' || !sealer) return;
    for (const { number, links } of before?.seal ? sealer.leftOut(before, after) : []) {
      const key = `${TRANSFERS}/${after.key}/${number}`;
      const text = JSON.stringify({ links: Buffer.from(links).toString('base64') });
      const sequence = this.#known.next();
      const page = new Row({ key, class: 'local', text, origin: this.#origin, sequence, rank: sequence });
      this.#contents.put(key, page);
      this.#known.advance(this.#origin, sequence);
      moves.push({ key, before: undefined, after: page });
    }
    sealer.dismiss(after.key);
  }
}
