import assert from 'node:assert/strict';
import type { Grant } from '../../../../src/cluster/protocol/claims.ts';
import type { Json } from '../../../../src/ports/store.ts';
import { Hosts, holdAnswers, type Node, SPACE } from '../world.ts';

describe('claims', () => {
  const key = (hosts: Hosts, index: number, value: number) => `allocation/${hosts.at(index).id}/s/${value}`;

  /** A claim of a host, and what it ended with; `shared`: its endpoint says so at once. */
  function claim(hosts: Hosts, index: number, value: number, shared?: true): string {
    const use = (grant: Grant) => {
      const kept = { use: 'endpoint', ...grant, ...(shared && { shared }) };
      return [{ key: key(hosts, index, value), value: JSON.parse(JSON.stringify(kept)) as Json }];
    };
    return hosts.ended((done) =>
      hosts.at(index).cluster.claims.claim(hosts.space(index), BigInt(value), use, done),
    );
  }

  const release = (hosts: Hosts, index: number, value: number) =>
    hosts.ended((done) =>
      hosts.at(index).store.write(hosts.at(index).cluster.claims.release('s', BigInt(value)), done),
    );

  const isShared = (hosts: Hosts, index: number, value: number) =>
    (hosts.at(index).store.get(key(hosts, index, value))?.value as { shared?: boolean } | undefined)?.shared;

  const borrowers = (hosts: Hosts, value: number) =>
    (
      hosts.at(0).store.get(`lent/${hosts.at(0).id}/s/${value}`)?.value as {
        borrowers: { to: string }[];
      } | null
    )?.borrowers.map(({ to }) => to[0]);

  it('get a value of another by its consent, which names who has it', () => {
    const hosts = new Hosts(3);
    assert.equal(claim(hosts, 1, 5), 'done');
    assert.deepEqual(borrowers(hosts, 5), ['2']);
    assert.match(claim(hosts, 2, 5), /NR_ADDRESS_IN_USE: value 5 of s is in use on host h2;/);
    assert.match(claim(hosts, 0, 5), /NR_ADDRESS_IN_USE: value 5 of s is in use on host h2;/);
    assert.equal(claim(hosts, 0, 6), 'done');
    assert.match(claim(hosts, 2, 6), /in use on host h1/);
  });

  it('give a value back at once', () => {
    const hosts = new Hosts(3);
    claim(hosts, 1, 5);
    assert.equal(release(hosts, 1, 5), 'done');
    assert.equal(borrowers(hosts, 5), undefined);
    assert.deepEqual([...hosts.at(1).store.list('returning')], []);
    assert.equal(claim(hosts, 2, 5), 'done');
  });

  it('get a value again whose release the owner has not heard of', () => {
    const hosts = new Hosts(2);
    claim(hosts, 1, 5);
    hosts.at(0).deaf = true;
    release(hosts, 1, 5);
    assert.equal([...hosts.at(1).store.list('returning')].length, 1);
    hosts.at(0).deaf = false;
    assert.equal(claim(hosts, 1, 5), 'done');
    assert.deepEqual(borrowers(hosts, 5), ['2'], 'once');
    assert.deepEqual([...hosts.at(1).store.list('returning')], []);
    hosts.pass(10_000);
    assert.deepEqual(borrowers(hosts, 5), ['2'], 'for good');
  });

  it('are shared while all who have the value share it, as their records say', () => {
    const hosts = new Hosts(4);
    assert.equal(claim(hosts, 1, 5, true), 'done');
    assert.match(claim(hosts, 2, 5), /IN_USE/, 'nobody knows yet that host 2 shares it');
    hosts.gossip();
    assert.equal(claim(hosts, 2, 5), 'done');
    assert.equal(isShared(hosts, 2, 5), true);
    hosts.gossip();
    assert.equal(claim(hosts, 0, 5), 'done', 'the owner, too');
    assert.equal(isShared(hosts, 0, 5), true);
    const sole = hosts.at(2).store;
    sole.write(
      [{ key: key(hosts, 2, 5), value: { use: 'endpoint', nonce: 'other', shared: true } }],
      () => {},
    );
    hosts.gossip();
    assert.match(claim(hosts, 3, 5), /IN_USE/, 'a record of another loan proves nothing');
    assert.deepEqual(
      hosts
        .at(3)
        .cluster.claims.others('s', 5n)
        .map((id) => id[0])
        .sort(),
      ['1', '2', '3'],
    );
  });

  it('are answered alike when they are asked twice', () => {
    const hosts = new Hosts(2);
    assert.equal(claim(hosts, 0, 5, true), 'done');
    hosts.gossip();
    const body = { space: 's', value: '5', nonce: 'one', known: 0 };
    const answers: Json[] = [];
    for (let time = 0; time < 2; time++) {
      hosts.at(0).cluster.serve('claim', hosts.at(1).id, body, (error, answer) => {
        assert.equal(error, undefined);
        answers.push(answer!.body!);
      });
      hosts.run();
    }
    assert.deepEqual(answers, [
      { nonce: 'one', shared: true },
      { nonce: 'one', shared: true },
    ]);
  });

  it('make nothing of a value that there is not', () => {
    const hosts = new Hosts(2);
    const told: object[] = [];
    hosts.warned = (what) => void told.push(what);
    for (const value of ['64', '9'.repeat(39)]) {
      let ended = 'nothing';
      const body = { space: 's', value, nonce: 'one', known: 0 };
      hosts.at(0).cluster.serve('claim', hosts.at(1).id, body, (error) => {
        ended = error?.code ?? 'done';
      });
      hosts.run();
      assert.equal(ended, 'NR_REQUEST_FORBIDDEN');
    }
    assert.deepEqual([...hosts.at(0).store.list('chunk')], []);
    assert.equal(told.length, 1);
  });

  it('are not shared with one that has the value for itself', () => {
    const hosts = new Hosts(3);
    claim(hosts, 1, 5);
    claim(hosts, 0, 6);
    hosts.gossip();
    assert.match(claim(hosts, 2, 5, true), /in use on host h2/);
    assert.match(claim(hosts, 0, 5, true), /in use on host h2/);
    assert.match(claim(hosts, 2, 6, true), /in use on host h1/);
  });

  it('find the owner of a chunk that was given away in the same moment', () => {
    const hosts = new Hosts(3);
    const [, , { cluster }] = hosts.nodes as [Node, Node, Node];
    cluster.wants.want(hosts.space(2));
    assert.equal(claim(hosts, 1, 1), 'done', 'of another host');
    const again = new Hosts(2);
    again.at(1).cluster.wants.want(again.space(1));
    assert.equal(claim(again, 1, 1), 'done', 'of our own');
    assert.deepEqual(borrowers(again, 1), undefined);
  });

  it('name the owner that cannot be reached', () => {
    const hosts = new Hosts(2, { describe: (_space, value) => `10.0.0.${value}` });
    hosts.at(0).deaf = true;
    const use = () => [];
    let answer = '';
    hosts.at(1).cluster.claims.claim(hosts.space(1), 5n, use, (error) => {
      answer = error?.message ?? '';
    });
    hosts.pass(3000);
    assert.match(answer, /NR_MEMBER_UNREACHABLE: 1+ does not answer/);
    hosts.at(0).deaf = false;
    claim(hosts, 0, 6);
    assert.match(claim(hosts, 1, 6), /10\.0\.0\.6 is in use on host h1/);
  });

  it('are not ended by the release of an earlier one, which comes late', () => {
    const hosts = new Hosts(2);
    claim(hosts, 1, 5);
    const body = { space: 's', value: '5', nonce: 'another' };
    hosts.at(0).cluster.serve('release', hosts.at(1).id, body, () => {});
    hosts.run();
    assert.deepEqual(borrowers(hosts, 5), ['2']);
  });

  it('are known to who has asked for them before they are answered', () => {
    const hosts = new Hosts(2);
    const letGo = holdAnswers(hosts.at(0), 'claim');
    claim(hosts, 1, 5);
    hosts.at(0).cluster.claims.tidy();
    hosts.run();
    assert.deepEqual(borrowers(hosts, 5), ['2']);
    letGo();
    hosts.run();
    assert.ok(hosts.at(1).store.get(key(hosts, 1, 5)));
  });

  it('are given back when that is durable, and not if the disk refuses it', () => {
    const hosts = new Hosts(2);
    claim(hosts, 1, 5);
    const { store, cluster } = hosts.at(1);
    store.write(cluster.claims.release('s', 5n), () => {});
    cluster.claims.tidy();
    store.disk.failure = new Error('no space left on device');
    hosts.run();
    assert.ok(store.get(key(hosts, 1, 5)), 'the release failed');
    assert.deepEqual(borrowers(hosts, 5), ['2'], 'and the owner has not heard of it');
    assert.equal(release(hosts, 1, 5), 'done');
    assert.equal(borrowers(hosts, 5), undefined);
  });

  it('replace no loan whose release is on its way to the disk', () => {
    const hosts = new Hosts(2);
    claim(hosts, 1, 5);
    const { store, cluster } = hosts.at(1);
    store.write(cluster.claims.release('s', 5n), () => {});
    store.disk.failure = new Error('no space left on device');
    assert.match(claim(hosts, 1, 5), /NR_STORE_FAILED/);
    assert.match(claim(hosts, 1, 5), /NR_ADDRESS_IN_USE/, 'the release failed');
  });

  it('are not unknown to their borrower because of what is on its way to the disk', () => {
    const hosts = new Hosts(2);
    claim(hosts, 1, 5);
    const [lender, { store, cluster }] = hosts.nodes as [Node, Node];
    const { nonce } = store.get(key(hosts, 1, 5))!.value as { nonce: string };
    const audit = () =>
      hosts.ended((done) => {
        const body = { loans: [{ space: 's', value: '5', nonce }] };
        cluster.serve('audit', lender.id, body, (error, answer) => {
          if (!error) assert.deepEqual(answer?.body, { unknown: [] });
          done(error);
        });
      });
    store.write([{ key: key(hosts, 1, 5) }], () => {});
    store.disk.failure = new Error('no space left on device');
    assert.match(audit(), /NR_STORE_FAILED/);
    assert.equal(audit(), 'done', 'it is there after all');
  });

  it('leave a shared value in use when the disk refuses them', () => {
    const hosts = new Hosts(3);
    claim(hosts, 0, 5, true);
    hosts.gossip();
    hosts.at(0).store.disk.failure = new Error('no space left on device');
    assert.match(claim(hosts, 1, 5), /NR_STORE_FAILED/);
    assert.equal(claim(hosts, 2, 5), 'done');
    assert.equal(isShared(hosts, 2, 5), true);
  });

  it('are not taken any more by a host that leaves', () => {
    const hosts = new Hosts(2);
    const { cluster, store, id } = hosts.at(1);
    const letGo = holdAnswers(hosts.at(0), 'claim');
    const use = () => [{ key: `allocation/${id}/s/5`, value: {} }];
    let ended = 'nothing';
    cluster.claims.claim(hosts.space(1), 5n, use, (error) => {
      ended = error?.code ?? 'done';
    });
    hosts.run();
    cluster.leaving.leave(() => {});
    hosts.run();
    letGo();
    hosts.run();
    assert.equal(ended, 'NR_MEMBER_LEAVING');
    assert.deepEqual([...store.list('allocation')], []);
  });

  /** What a claim of a host ends with, if it has within so many milliseconds. */
  function claimWithin(hosts: Hosts, index: number, value: number, ms: number): string {
    let answer = 'nothing';
    const use = () => [{ key: key(hosts, index, value), value: { use: 'held' } }];
    hosts.at(index).cluster.claims.claim(hosts.space(index), BigInt(value), use, (error) => {
      answer = error?.message ?? 'done';
    });
    hosts.pass(ms);
    return answer;
  }

  it('wait for an owner that has much to do', () => {
    const hosts = new Hosts(2);
    hosts.takes = (_host, method) => (method === 'claim' ? 2500 : 0);
    assert.equal(claimWithin(hosts, 1, 5, 2600), 'done');
    assert.deepEqual(borrowers(hosts, 5), ['2']);
    hosts.takes = () => 3500;
    assert.match(claimWithin(hosts, 1, 6, 3000), /NR_MEMBER_UNREACHABLE: 1+ does not answer/);
  });

  it('end in time all the same when the chunk has moved on to another one that has', () => {
    const hosts = new Hosts(3);
    const [first, , last] = hosts.nodes as [Node, Node, Node];
    // The third has the chunk of 5, which the second does not know yet.
    first.store.write([{ key: 'chunk/s/1', value: { owner: last.id } }], () => {});
    hosts.run();
    hosts.takes = () => 2000;
    assert.match(claimWithin(hosts, 1, 5, 3000), /NR_MEMBER_UNREACHABLE: 3+ does not answer/);
  });

  it('bring no chunk back of a space that was removed while somebody else was asked', () => {
    const hosts = new Hosts(2);
    const [treasury, other] = hosts.nodes as [Node, Node];
    treasury.store.write([{ key: 'chunk/s/1', value: { owner: other.id } }], () => {});
    hosts.gossip();
    hosts.takes = (_host, method) => (method === 'claim' ? 1000 : 0);
    const space = hosts.space(0);
    let answer = 'nothing';
    treasury.cluster.claims.claim(
      space,
      5n,
      () => [],
      (error) => {
        answer = error?.message ?? 'done';
      },
    );
    other.store.write([{ key: 'chunk/s/1', value: { owner: treasury.id } }], () => {});
    hosts.gossip();
    const removal = { domain: SPACE.domain, spaces: ['s'], keys: [] };
    assert.equal(
      hosts.ended((done) => treasury.cluster.names.remove(removal, done)),
      'done',
    );
    assert.equal(treasury.store.get('chunk/s/1'), undefined);
    hosts.pass(5000);
    assert.match(answer, /^NR_POOL_UNKNOWN: /);
    assert.equal(treasury.store.get('chunk/s/1'), undefined);
  });
});
