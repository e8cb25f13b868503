import assert from 'node:assert/strict';
import { MemoryDisk, MemoryStore } from '../../src/store/memory.ts';
import { classes, type StorePlace, storeSuite } from './store.suite.ts';

describe('store in memory', () => {
  storeSuite((): StorePlace => {
    const disk = new MemoryDisk();
    return {
      open: (report) => new MemoryStore({ disk, report, classes }),
      fill() {
        disk.failure = new Error('injected: disk is full');
        return true;
      },
      clear() {},
      remove() {},
    };
  });

  it('loses in a crash just what was not durable', async () => {
    const store = new MemoryStore({ durability: 'manual' });
    const durable = store.commit([{ key: 'a/1', value: 1 }]);
    store.sync();
    await durable;
    let settled = false;
    void store.commit([{ key: 'a/2', value: 1 }]).finally(() => {
      settled = true;
    });
    assert.equal(store.get('a/2')?.value, 1);
    const again = store.crash();
    assert.deepEqual(
      [...again.list('a')].map(({ key }) => key),
      ['a/1'],
    );
    assert.equal(again.origin, store.origin);
    await assert.rejects(store.commit([{ key: 'a/3', value: 1 }]), { code: 'NR_STORE_FAILED' });
    store.sync();
    await new Promise((resolve) => void setImmediate(resolve));
    assert.equal(settled, false, 'nobody is told of what never happened');
    assert.equal(again.get('a/2'), undefined);
  });

  it('fails the next commit when it is told to, and counts', async () => {
    const store = new MemoryStore();
    store.failNextCommit(new Error('no such luck'));
    await assert.rejects(store.commit([{ key: 'a/1', value: 1 }]), {
      code: 'NR_STORE_FAILED',
      message: /no such luck/,
    });
    await store.commit([{ key: 'a/1', value: 1 }]);
    await assert.rejects(store.commit([{ key: 'a/1', value: 1, expect: null }]), {
      code: 'NR_STORE_CONFLICT',
    });
    store.observe('a', () => {
      throw new Error('seen');
    });
    await store.commit([{ key: 'a/1', value: 2 }]);
    assert.deepEqual(store.counts, {
      commits: 2,
      failed: 1,
      conflicts: 1,
      observerFailures: 1,
      merged: 0,
      stale: 0,
      refused: 0,
    });
  });

  it('makes one write of all commits of a turn', async () => {
    const disk = new MemoryDisk();
    const sizes: number[] = [];
    const write = disk.write.bind(disk);
    disk.write = (batch) => {
      sizes.push(batch.steps.length);
      write(batch);
    };
    const store = new MemoryStore({ disk });
    const commit = (key: string) => store.commit([{ key, value: 1 }]);
    await Promise.all([commit('a/1'), commit('a/2'), Promise.resolve().then(() => commit('a/3'))]);
    await commit('a/4');
    assert.deepEqual(sizes, [3, 1]);
  });
});
