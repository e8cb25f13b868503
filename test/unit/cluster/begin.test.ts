import assert from 'node:assert/strict';
import { begin } from '../../../src/cluster/begin.ts';
import { Members } from '../../../src/cluster/members.ts';
import { CLUSTER_CLASSES } from '../../../src/cluster/namespaces.ts';
import { MemoryStore } from '../../../src/store/memory.ts';

describe('a start', () => {
  const fresh = () => new MemoryStore({ classes: CLUSTER_CLASSES });

  it('of a host that never joined anybody makes it the founder of a cluster, once', async () => {
    const store = fresh();
    const first = await begin(store, 'k', 'h1');
    assert.deepEqual(new Members(store).present(), [
      { id: store.origin, number: 1, complete: true, key: 'k', name: 'h1' },
    ]);
    const member = store.get(`member/${store.origin}`)?.version;
    const second = await begin(store, 'k', 'renamed');
    assert.deepEqual(store.get(`member/${store.origin}`)?.version, member);
    assert.notEqual(second.boot, first.boot);
    assert.deepEqual(store.get(`host/${store.origin}`)?.value, { boot: second.boot, name: 'renamed' });
    assert.equal(store.get(`host/${store.origin}`)?.version.sequence, second.bootSequence);
  });

  it('of a member of a cluster makes it the founder of none', async () => {
    const store = fresh();
    await store.commit([{ key: 'member/x', value: { number: 1, complete: true, key: 'x' } }]);
    await begin(store, 'k', 'h2');
    assert.equal([...store.list('member')].length, 1);
  });
});
