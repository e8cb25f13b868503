import assert from 'node:assert/strict';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import type { Range } from '../../../src/store/gossip/messages.ts';
import { MemoryDisk, MemoryStore } from '../../../src/store/memory.ts';

const OTHER = 'b'.repeat(32);

/** The n-th record of another host. */
function told(n: number): Range {
  const record = { class: 'owned', key: `host/${OTHER}/${n}`, text: '1', origin: OTHER } as const;
  return { origin: OTHER, from: n - 1, to: n, records: [{ ...record, sequence: n, rank: n }] };
}

/** A store, its writes to disk by their numbers of steps, and what it has asked to be called for. */
function paced() {
  const writes: number[] = [];
  const disk = new (class extends MemoryDisk {
    override write(batch: Parameters<MemoryDisk['write']>[0]): void {
      writes.push(batch.steps.length);
      super.write(batch);
    }
  })();
  const turns: (() => void)[] = [];
  const waits: { readonly ms: number; readonly flush: () => void }[] = [];
  const store = new MemoryStore({
    disk,
    classes: CLUSTER_CLASSES,
    schedule: (flush) => void turns.push(flush),
    later: (ms, flush) => void waits.push({ ms, flush }),
  });
  return { store, writes, turns, waits };
}

describe('what other hosts tell', () => {
  it('is written at once when nothing was for a while, then together a little later', () => {
    const { store, writes, turns, waits } = paced();
    store.merge([told(1)]);
    turns.shift()?.();
    assert.deepEqual([writes, waits.length], [[1], 0]);
    for (const n of [2, 3, 4]) store.merge([told(n)]);
    assert.deepEqual([turns.length, waits.length], [0, 1]);
    assert.ok(waits[0]!.ms > 0 && waits[0]!.ms <= 10);
    assert.equal(store.vector.get(OTHER), 1);
    waits.shift()?.flush();
    assert.deepEqual([writes, store.vector.get(OTHER)], [[1, 3], 4]);
  });

  it('is written along with what this host commits, which waits for nothing', () => {
    const { store, writes, turns, waits } = paced();
    store.merge([told(1)]);
    turns.shift()?.();
    store.merge([told(2)]);
    let acknowledged = false;
    store.write([{ key: `host/${store.origin}`, value: 1 }], () => {
      acknowledged = true;
    });
    store.merge([told(3)]);
    assert.equal(turns.length, 1);
    turns.shift()?.();
    assert.deepEqual([writes, acknowledged], [[1, 3], true]);
    waits.shift()?.flush(); // finds nothing to do
    assert.deepEqual(writes, [1, 3]);
    store.merge([told(4)]);
    assert.equal(waits.length, 1);
  });
});
