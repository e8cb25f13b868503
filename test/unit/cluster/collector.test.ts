import assert from 'node:assert/strict';
import { Hosts } from './world.ts';

describe('tombstones', () => {
  it('go at once where nobody else has to see them', () => {
    const hosts = new Hosts(1);
    const { store, cluster } = hosts.at(0);
    for (let cycle = 0; cycle < 10_000; cycle++) {
      store.write([{ key: `policy/${cycle}`, value: cycle }], () => {});
      if (cycle % 100 === 50) hosts.run();
      store.write([{ key: `policy/${cycle}` }], () => {});
      if (cycle % 1000 === 0) {
        hosts.run();
        cluster.collector.collect();
        hosts.run();
        assert.ok(store.disk.size < 1000, `${store.disk.size} records in cycle ${cycle}`);
      }
    }
    hosts.run();
    cluster.collector.collect();
    hosts.run();
    assert.deepEqual([...store.tombstones()], []);
    assert.deepEqual(cluster.collector.blocking(), []);
  });

  it('stay until others have seen them, and status says whom they wait for', () => {
    const hosts = new Hosts(2);
    const { store, cluster } = hosts.at(0);
    store.write([{ key: 'policy/1', value: 1 }, { key: 'policy/1' }], () => {});
    hosts.run();
    cluster.collector.collect();
    assert.equal([...store.tombstones()].length, 1);
    assert.deepEqual(cluster.collector.blocking(), [hosts.at(1).id]);
    hosts.gossip();
    cluster.collector.take(hosts.at(1).cluster.collector.report());
    cluster.collector.collect();
    hosts.run();
    assert.equal([...store.tombstones()].length, 0);
  });
});
