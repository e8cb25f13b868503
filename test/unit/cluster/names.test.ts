import assert from 'node:assert/strict';
import type { Grant } from '../../../src/cluster/claims.ts';
import type { Creation } from '../../../src/cluster/names.ts';
import { CodedError } from '../../../src/errors.ts';
import { Hosts, type Node } from './world.ts';

const creation = (name: string, space: string): Creation => ({
  domain: 'tenant/default',
  records: [
    { key: `pool/${name}`, value: { space } },
    { key: `space/${space}`, value: { domain: 'tenant/default', size: '4', chunk: 4 } },
  ],
});

describe('names', () => {
  const create = (hosts: Hosts, index: number, name: string, space: string) =>
    hosts.ended((done) => hosts.at(index).cluster.names.create(creation(name, space), done));

  it('are made by the treasury, and known to who asked when that ends', () => {
    const hosts = new Hosts(3);
    assert.equal(create(hosts, 1, 'a', 'x'), 'done');
    assert.deepEqual(hosts.at(1).store.get('pool/a')?.value, { space: 'x' });
    assert.ok(hosts.at(1).cluster.spaces.get('x'));
    assert.equal(hosts.at(1).store.get('pool/a')?.version.origin, hosts.at(0).id);
  });

  it('are taken as they stand by who comes later', () => {
    const hosts = new Hosts(3);
    const ended = [1, 2].map((index) => {
      let answer: string | undefined;
      hosts.at(index).cluster.names.create(creation('a', `x${index}`), (error) => {
        answer = error?.message ?? 'done';
      });
      return () => answer;
    });
    hosts.run();
    assert.deepEqual(
      ended.map((answer) => answer()),
      ['done', 'done'],
    );
    const spaces = [0, 1, 2].map((index) => hosts.at(index).store.get('pool/a')?.value);
    assert.deepEqual(spaces, [{ space: 'x1' }, { space: 'x1' }, { space: 'x1' }]);
    assert.equal(hosts.at(2).cluster.spaces.get('x2'), undefined);
  });

  it('are not brought back by a request that comes once more, after their removal', () => {
    const hosts = new Hosts(2);
    const [treasury, asker] = hosts.nodes as [Node, Node];
    create(hosts, 1, 'a', 'x');
    hosts.gossip();
    const removal = { domain: 'tenant/default', spaces: ['x'], keys: ['pool/a'] };
    assert.equal(
      hosts.ended((done) => asker.cluster.names.remove(removal, done)),
      'done',
    );
    const body = { ...creation('a', 'x'), known: 0 };
    let answer: string | undefined;
    treasury.cluster.serve('create', asker.id, body, (error) => {
      answer = error?.code ?? 'done';
    });
    hosts.run();
    assert.equal(answer, 'NR_STORE_CONFLICT');
    assert.equal(treasury.store.get('pool/a'), undefined);
    assert.equal(create(hosts, 1, 'a', 'y'), 'done', 'with another space it is a new one');
  });

  it('are removed as they were seen: not what somebody has made anew since', () => {
    const hosts = new Hosts(3);
    const removal = { domain: 'tenant/default', spaces: [], keys: ['pool/a'] };
    const remove = (index: number) =>
      hosts.ended((done) => hosts.at(index).cluster.names.remove(removal, done));
    create(hosts, 1, 'a', 'x1');
    hosts.gossip();
    assert.equal(remove(1), 'done');
    assert.equal(hosts.at(0).store.get('pool/a'), undefined);
    assert.equal(create(hosts, 1, 'a', 'x2'), 'done');
    assert.deepEqual(hosts.at(2).store.get('pool/a')?.value, { space: 'x1' }, 'it has not heard of either');
    assert.equal(remove(2), 'done');
    assert.deepEqual(hosts.at(0).store.get('pool/a')?.value, { space: 'x2' });
    hosts.gossip();
    assert.equal(remove(2), 'done');
    assert.equal(hosts.at(0).store.get('pool/a'), undefined);
    assert.equal(remove(2), 'done', 'of what does not stand any more');
  });

  it('are refused by the judge of the treasury, and nothing is made', () => {
    const judge = ({ records }: Creation) =>
      records[0]?.key === 'pool/bad' ? new CodedError('NR_POOL_OVERLAP', 'it is bad') : undefined;
    const hosts = new Hosts(2, { judge });
    assert.match(create(hosts, 1, 'bad', 'x'), /NR_POOL_OVERLAP: it is bad/);
    assert.match(create(hosts, 0, 'bad', 'x'), /NR_POOL_OVERLAP: it is bad/);
    assert.equal(hosts.at(0).store.get('space/x'), undefined);
    assert.equal(create(hosts, 1, 'good', 'x'), 'done');
  });

  it('of spaces go with the records of their chunks, whatever of these is still on its way', () => {
    const hosts = new Hosts(3);
    const [founder, b, c] = hosts.nodes as [Node, Node, Node];
    create(hosts, 0, 'a', 'x');
    hosts.gossip();
    hosts.ended((done) => b.cluster.wants.want(hosts.space(1, 'x'), done));
    hosts.gossip();
    b.cluster.wants.tidy(() => false);
    hosts.run();
    const late = b.store.range(b.id, c.store.known(b.id));
    founder.store.merge([late]);
    hosts.run();
    const removal = { domain: 'tenant/default', spaces: ['x'], keys: ['pool/a'] };
    assert.equal(
      hosts.ended((done) => founder.cluster.names.remove(removal, done)),
      'done',
    );
    c.store.merge([founder.store.range(founder.id, c.store.known(founder.id))]);
    hosts.run();
    c.store.merge([late]);
    hosts.gossip();
    for (const { store } of hosts.nodes) assert.deepEqual([...store.list('chunk')], []);
  });

  it('of spaces stay while something of them is in use', () => {
    const hosts = new Hosts(2);
    create(hosts, 0, 'a', 'x');
    hosts.gossip();
    const { cluster, id } = hosts.at(1);
    const use = ({ nonce }: Grant) => [{ key: `allocation/${id}/x/2`, value: { nonce: nonce! } }];
    hosts.ended((done) => cluster.claims.claim(hosts.space(1, 'x'), 2n, use, done));
    const removal = { domain: 'tenant/default', spaces: ['x'], keys: ['pool/a'] };
    assert.match(
      hosts.ended((done) => cluster.names.remove(removal, done)),
      /NR_POOL_IN_USE/,
    );
  });
});
