import assert from 'node:assert/strict';
import { begin, tell } from '../../../../src/cluster/node/begin.ts';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import { MemoryStore } from '../../../../src/store/memory.ts';

describe('the start of a host', () => {
  it('makes one that never joined the founder of a cluster of one', async () => {
    const store = new MemoryStore({ classes: CLUSTER_CLASSES });
    await begin(store, 'k', 'h1');
    const value = { number: 1, complete: true, key: 'k', name: 'h1' };
    assert.deepEqual(store.get(`member/${store.origin}`)?.value, value);
  });

  it('makes none that was about to join, and knows no member yet, a second founder', async () => {
    const store = new MemoryStore({ classes: CLUSTER_CLASSES });
    const value = { id: 'b'.repeat(32), address: '192.0.2.1', port: 7946 };
    await store.commit([{ key: 'self/sponsor', value }]);
    await begin(store, 'k', 'h1');
    assert.deepEqual([...store.list('member')], []);
  });

  it('is told with what is new only, and keeps the rest', async () => {
    const store = new MemoryStore({ classes: CLUSTER_CLASSES });
    const key = `host/${store.origin}`;
    await tell(store, { name: 'h1', port: 7946 });
    const before = store.version(key)?.sequence;
    await tell(store, { name: 'h1', address: undefined });
    assert.equal(store.version(key)?.sequence, before, 'nothing is written');
    await tell(store, { address: '192.0.2.1' });
    assert.deepEqual(store.get(key)?.value, { name: 'h1', port: 7946, address: '192.0.2.1' });
  });
});
