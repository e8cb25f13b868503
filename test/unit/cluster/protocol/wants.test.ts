import assert from 'node:assert/strict';
import type { Range } from '../../../../src/allocator/ranges.ts';
import { Hosts } from '../world.ts';

describe('wants', () => {
  const want = (hosts: Hosts, index: number, within?: Range) =>
    hosts.ended((done) => hosts.at(index).cluster.wants.want(hosts.space(index), done, within));
  const owned = (hosts: Hosts, index: number) =>
    [...hosts.at(index).cluster.spaces.allocator('s')!.ownedChunks()].map(Number);

  it('get a chunk that has a value of the range', () => {
    const hosts = new Hosts(3);
    assert.equal(want(hosts, 1, { first: 10n, last: 17n }), 'done');
    assert.equal(want(hosts, 2, { first: 10n, last: 17n }), 'done');
    assert.equal(want(hosts, 0, { first: 10n, last: 17n }), 'done');
    assert.deepEqual([owned(hosts, 1), owned(hosts, 2), owned(hosts, 0)], [[2], [3], [4]]);
    assert.match(want(hosts, 1, { first: 10n, last: 17n }), /NR_POOL_FULL/);
    assert.equal(want(hosts, 1, { first: 60n, last: 1000n }), 'done');
    assert.deepEqual(owned(hosts, 1), [2, 15]);
    assert.match(want(hosts, 1, { first: 64n, last: 1000n }), /NR_POOL_FULL/);
  });

  it('wait for a chunk that the answer does not bring, and do not take it for given', () => {
    const hosts = new Hosts(2);
    const write = (count: number) => {
      for (let at = 0; at < count; at++)
        hosts.at(0).store.write([{ key: `host/${hosts.at(0).id}/${at}`, value: at }], () => {});
      hosts.run();
    };
    let said: string | undefined;
    const ask = () =>
      hosts.at(1).cluster.wants.want(hosts.space(1), (error) => {
        said = error ? error.code : 'done';
      });
    write(300); // more than an answer brings
    ask();
    hosts.run();
    assert.deepEqual([said, owned(hosts, 1)], [undefined, []]);
    hosts.gossip();
    assert.deepEqual([said, owned(hosts, 1).length], ['done', 1]);
    said = undefined;
    write(300);
    ask();
    hosts.pass(2000);
    assert.equal(said, 'NR_DEADLINE');
    assert.equal(owned(hosts, 1).length, 1);
  });

  it('get any chunk without a range, and none that is reserved whole', () => {
    const hosts = new Hosts(2);
    const reserved = ['0', '3'];
    const space = { domain: 'd', size: '4', chunk: 1, reserved };
    hosts.at(0).store.write([{ key: 'space/r', value: space }], () => {});
    hosts.gossip();
    const more = () => hosts.ended((done) => hosts.at(1).cluster.wants.want(hosts.space(1, 'r'), done));
    assert.deepEqual([more(), more()], ['done', 'done']);
    assert.match(more(), /NR_POOL_FULL/);
    assert.deepEqual([...hosts.at(1).cluster.spaces.allocator('r')!.ownedChunks()], [1n, 2n]);
  });

  it('get no chunk of a space that has been removed', () => {
    const hosts = new Hosts(2);
    const { cluster, store } = hosts.at(0);
    const space = hosts.space(0);
    const removal = { domain: space.domain, spaces: [space.id], keys: [] };
    assert.equal(
      hosts.ended((done) => cluster.names.remove(removal, done)),
      'done',
    );
    assert.match(
      hosts.ended((done) => cluster.wants.want(space, done)),
      /^NR_POOL_UNKNOWN: /,
    );
    assert.deepEqual([...store.list('chunk')], []);
  });
});
