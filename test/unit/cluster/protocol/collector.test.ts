import assert from 'node:assert/strict';
import { Hosts, type Node } from '../world.ts';

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

  it('stay with a newcomer that has heard of them before it has heard of any member', () => {
    const hosts = new Hosts(2);
    const [, teller] = hosts.nodes as [Node, Node];
    teller.store.write([{ key: 'policy/1', value: 1 }, { key: 'policy/1' }], () => {});
    hosts.run();
    const newcomer = hosts.newcomer();
    newcomer.store.merge([teller.store.range(teller.id, 0)]);
    hosts.run();
    assert.deepEqual(newcomer.cluster.members.present(), []);
    assert.equal(newcomer.cluster.collector.collect(), 0);
    assert.equal([...newcomer.store.tombstones()].length, 1);
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

  it('stay while an older version may arrive that who has seen them did not have any more', () => {
    const hosts = new Hosts(4);
    const [a, b, c, d] = hosts.nodes as [Node, Node, Node, Node];
    const tell = (from: Node, origin: Node, to: Node) => {
      to.store.merge([from.store.range(origin.id, to.store.known(origin.id))]);
      hosts.run();
    };
    a.store.write([{ key: 'policy/1', value: 'older' }], () => {});
    hosts.run();
    tell(a, a, d);
    const late = d.store.range(a.id, b.store.known(a.id));
    hosts.time.now += 1000;
    c.store.write([{ key: 'policy/1', value: 'newer' }, { key: 'policy/1' }], () => {});
    hosts.run();
    for (const to of [a, b, d]) tell(c, c, to);
    for (const { cluster } of [a, c, d]) b.cluster.collector.take(cluster.collector.report());
    b.cluster.collector.collect();
    hosts.run();
    // What was on its way before its sender had seen the removal.
    b.store.merge([late]);
    hosts.gossip();
    for (const { store } of hosts.nodes) assert.equal(store.get('policy/1'), undefined);
    for (const { cluster } of [a, c, d]) b.cluster.collector.take(cluster.collector.report());
    b.cluster.collector.collect();
    hosts.run();
    assert.deepEqual([...b.store.tombstones()], []);
  });

  it('stay while somebody who has seen them had heard of more than this host', () => {
    const hosts = new Hosts(3);
    const [a, b, c] = hosts.nodes as [Node, Node, Node];
    a.store.write([{ key: 'policy/1', value: 1 }, { key: 'policy/1' }], () => {});
    hosts.gossip();
    a.cluster.collector.take(c.cluster.collector.report());
    c.store.write([{ key: 'policy/2', value: 2 }], () => {});
    hosts.run();
    b.store.merge([c.store.range(c.id, b.store.known(c.id))]);
    hosts.run();
    a.cluster.collector.take(b.cluster.collector.report());
    assert.equal(a.cluster.collector.collect(), 0, 'an older version may be among what c has written');
    a.store.merge([b.store.range(c.id, a.store.known(c.id))]);
    hosts.run();
    assert.equal(a.cluster.collector.collect(), 1);
  });

  it('stay until all has arrived of who is gone', () => {
    const hosts = new Hosts(3);
    const [a, b, c] = hosts.nodes as [Node, Node, Node];
    a.store.write([{ key: 'policy/1', value: 1 }, { key: 'policy/1' }], () => {});
    c.store.write([{ key: `host/${c.id}`, value: 'last words' }], () => {});
    hosts.run();
    const seal = c.store.known(c.id);
    a.store.write(
      [{ key: `gone/${c.id}`, value: { seal, how: 'left', by: b.id, heir: b.id, last: 3 } }],
      () => {},
    );
    hosts.run();
    b.store.merge([a.store.range(a.id, b.store.known(a.id))]);
    hosts.run();
    a.cluster.collector.take(b.cluster.collector.report());
    assert.equal(a.cluster.collector.collect(), 0);
    a.store.merge([c.store.range(c.id, a.store.known(c.id))]);
    hosts.run();
    assert.equal(a.cluster.collector.collect(), 1);
  });
});
