import assert from 'node:assert/strict';
import type { Grant } from '../../../../src/cluster/protocol/claims.ts';
import type { Creation } from '../../../../src/cluster/protocol/names.ts';
import { CodedError } from '../../../../src/errors.ts';
import type { Json } from '../../../../src/ports/store.ts';
import { sealedHosts } from '../sealed.ts';
import { Hosts, type Node } from '../world.ts';

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

  describe('asked for by a member that keeps no rule', () => {
    /** What is there beside what each host says of itself, on all hosts. */
    const standing = (hosts: Hosts) =>
      hosts.nodes.map(({ store }) =>
        store.page('', 1000).map(({ key, text, origin, sequence }) => [key, text, origin, sequence]),
      );

    /** Has the last host ask the treasury; how that ends. Only a refusal that changes nothing ends with its code alone. */
    function ask(hosts: Hosts, method: 'create' | 'remove', body: object, domain = 'tenant/default'): string {
      hosts.gossip();
      const before = standing(hosts);
      const from = hosts.nodes.at(-1)!.id;
      let ended = 'nothing';
      hosts.at(0).cluster.serve(method, from, { domain, known: 0, ...body } as Json, (error) => {
        ended = error?.code ?? 'done';
      });
      hosts.gossip();
      if (ended !== 'done') assert.deepEqual(standing(hosts), before);
      return ended;
    }

    /** Three hosts, of which the second has borrowed a value of the treasury's. */
    function lending() {
      const hosts = sealedHosts(4);
      const told: object[] = [];
      hosts.warned = (what) => void told.push(what);
      hosts.pass(2000);
      hosts.gossip();
      const { cluster, id } = hosts.at(1);
      const use = ({ nonce }: Grant) => [{ key: `allocation/${id}/s/1`, value: { nonce: nonce! } }];
      assert.equal(
        hosts.ended((done) => cluster.claims.claim(hosts.space(1), 1n, use, done)),
        'done',
      );
      hosts.gossip();
      return { hosts, told, [Symbol.dispose]: () => hosts.nodes.forEach((one) => void one.cluster.stop()) };
    }

    const ids = { me: '4'.repeat(32), treasury: '1'.repeat(32), other: '2'.repeat(32) };
    const owner = { owner: ids.me };
    const refused: [string, unknown][] = [
      ['treasury/tenant', owner],
      ['treasury/tenant/x', owner],
      ['chunk/s/7', owner],
      [`member/${'9'.repeat(32)}`, { number: 5, key: '9'.repeat(32), complete: true }],
      [`gone/${ids.other}`, { seal: 0, how: 'forgotten', by: ids.treasury, heir: ids.treasury, last: 4 }],
      ['self/leaving', {}],
      [`promise/${ids.other}`, { to: [{ coordinator: ids.treasury, attempt: 1 }], limit: 0 }],
      ['returning/s/1', { nonce: 'x' }],
      [`lent/${ids.treasury}/s/2`, { borrowers: [{ to: ids.me, nonce: 'x' }] }],
      [`allocation/${ids.treasury}/s/3`, {}],
      [`boot/${ids.treasury}`, { boot: 'x' }],
      [`banned/${ids.other}`, { by: ids.treasury }],
      ['clock/last', 2 ** 50],
      ['transfers/chunk/s/1/0', ''],
      ['unheard-of/x', 1],
      ['spaces', {}],
      ['', {}],
      ['space/bad', { domain: 'tenant/default', size: '0', chunk: 4 }],
      ['space/bad', null],
      ['space/elsewhere', { domain: 'tenant/x', size: '4', chunk: 4 }],
    ];
    for (const [key, value] of refused)
      it(`are no ${key || 'nothing'} (${JSON.stringify(value).slice(0, 30)})`, () => {
        using it = lending();
        const records = [{ key, value }];
        assert.equal(ask(it.hosts, 'create', { records }), 'NR_REQUEST_FORBIDDEN');
        const beside = [{ key: 'pool/beside', value: {} }, ...records];
        assert.equal(ask(it.hosts, 'create', { records: beside }), 'NR_REQUEST_FORBIDDEN', 'beside another');
        const { refusals } = it.hosts.at(0).cluster;
        assert.equal(refusals.counts.get('request'), 2);
        assert.equal(it.told.length, 1, 'logged once a minute');
      });

    it('end none of what is not made that way, nor a space with what is in use of it', () => {
      using it = lending();
      const { store } = it.hosts.at(0);
      for (const { key } of store.page('', 1000)) {
        const { origin, sequence } = store.version(key)!;
        const seen = { [key]: { origin, sequence } };
        const ended = ask(it.hosts, 'remove', { spaces: [], keys: [key], seen });
        assert.equal(ended, 'NR_REQUEST_FORBIDDEN', key);
        assert.ok(store.get(key), key);
      }
      assert.ok(store.get(`lent/${ids.treasury}/s/1`) && store.get('space/s'));
      for (const key of ['self/x', 'promise/x', 'nothing'])
        assert.equal(ask(it.hosts, 'remove', { spaces: [], keys: [key], seen: {} }), 'NR_REQUEST_FORBIDDEN');
    });

    it('end no space that there is not', () => {
      using it = lending();
      const { store } = it.hosts.at(0);
      store.write([{ key: 'chunk/late/1', value: { owner: ids.other } }], () => {});
      it.hosts.gossip();
      assert.equal(ask(it.hosts, 'remove', { spaces: ['late'], keys: [], seen: {} }), 'done');
      assert.ok(store.get('chunk/late/1'));
    });
  });
});
