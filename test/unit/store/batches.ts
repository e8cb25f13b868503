/** What kill.child.ts says of its batches, and what has to stand in a store after it was ended at some moment. */
import assert from 'node:assert/strict';
import type { JournalStore } from '../../../src/store/journal.ts';

/** `maybe`: its removal was under way. */
type State = 'there' | 'maybe' | 'gone';

export class Batches {
  /** Beyond the batches that it has said anything of. */
  next = 0;
  /** The last sequence that was acknowledged. */
  highest = 0;
  readonly #states = new Map<number, State>();

  get size(): number {
    return this.#states.size;
  }

  /** Takes a line: `+N S`, `~N` or `-N`. */
  take(line: string): void {
    const n = Number.parseInt(line.slice(1), 10);
    this.next = Math.max(this.next, n + 1);
    this.#states.set(n, ({ '+': 'there', '~': 'maybe', '-': 'gone' } as const)[line[0] as '+']);
    if (line[0] === '+') this.highest = Math.max(this.highest, Number(line.split(' ')[1]));
  }

  /** @throws when something acknowledged is not there, or a batch is there in part */
  verify(store: JournalStore): void {
    const found = new Map<number, string[]>();
    for (const { key, value } of store.list('part')) {
      const n = Number(key.split('/')[1]);
      found.set(n, [...(found.get(n) ?? []), (value as { stamp: string }).stamp]);
    }
    for (const [n, stamps] of found) assert.deepEqual(stamps, Array(3).fill(`${n}`), `batch ${n} is torn`);
    for (const [n, state] of this.#states) {
      if (state === 'there') assert.ok(found.has(n), `batch ${n} was acknowledged and is lost`);
      if (state === 'gone') assert.ok(!found.has(n), `batch ${n} was removed and is back`);
    }
  }
}
