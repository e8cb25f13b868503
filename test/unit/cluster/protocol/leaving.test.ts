import assert from 'node:assert/strict';
import type { Grant } from '../../../../src/cluster/protocol/claims.ts';
import type { Json } from '../../../../src/ports/store.ts';
import { Hosts, type Node } from '../world.ts';

describe('to leave', () => {
  /** Lets a host leave, as far as it gets. */
  function leave(hosts: Hosts, node: Node): string {
    let ended = '';
    for (let times = 0; times < 5 && ended !== 'done'; times++) {
      ended = hosts.ended((done) => node.cluster.leaving.leave(done));
      hosts.gossip();
    }
    return ended;
  }

  it('gives all to a successor, which says so to the others', () => {
    const hosts = new Hosts(3);
    const [founder, ...others] = hosts.nodes as [Node, Node, Node];
    hosts.ended((done) => hosts.at(1).cluster.wants.want(hosts.space(1), done));
    assert.equal(leave(hosts, founder), 'done');
    for (const { cluster } of others) {
      assert.equal(cluster.members.gone(founder.id)?.how, 'left');
      assert.equal(cluster.ownership.treasury('tenant/default'), others[0]!.id);
    }
    assert.equal(founder.cluster.standing.halted, 'gone');
  });

  it('tells nothing beyond its seal, whatever it hears and writes afterwards', () => {
    const hosts = new Hosts(3);
    const leaving = hosts.at(2);
    // The handover is agreed to, and nobody hears that it has left.
    hosts.loses = (method) => method === 'left';
    hosts.ended((done) => leaving.cluster.leaving.leave(done));
    hosts.gossip();
    hosts.ended((done) => leaving.cluster.leaving.leave(done));
    hosts.pass(5000);
    const seal = leaving.cluster.standing.parting?.seal;
    assert.ok(seal !== undefined && leaving.store.known(leaving.id) > seal);
    assert.equal(leaving.cluster.standing.tells, seal);
    hosts.loses = () => true;
    const again = leaving.restart();
    hosts.run();
    assert.ok(again.cluster.standing.starting);
    assert.equal(again.cluster.standing.tells, seal, 'while it starts');
    hosts.pass(3000);
    const gone = { seal, how: 'left', by: hosts.at(0).id, heir: hosts.at(1).id, last: 3 };
    hosts.at(0).store.write([{ key: `gone/${again.id}`, value: gone }], () => {});
    hosts.gossip();
    assert.equal(again.cluster.standing.halted, 'gone');
    assert.equal(again.cluster.standing.tells, seal, 'when it is told that it has left');
  });

  it('shows what its records stand on until it is gone: others may not take them over before', () => {
    const hosts = new Hosts(3);
    const leaving = hosts.at(2);
    hosts.loses = (method) => method === 'left';
    hosts.ended((done) => leaving.cluster.leaving.leave(done));
    hosts.gossip();
    hosts.ended((done) => leaving.cluster.leaving.leave(done));
    hosts.pass(5000);
    assert.ok(leaving.cluster.standing.parting);
    hosts.loses = () => false;
    const answers = new Map<string, string>();
    for (const method of ['evidence', 'promise'])
      leaving.cluster.serve(method, hosts.at(1).id, { attempt: 1, victims: [hosts.at(0).id] }, (error) =>
        answers.set(method, error?.code ?? 'shown'),
      );
    hosts.run();
    assert.equal(answers.get('evidence'), 'shown');
    assert.equal(answers.get('promise'), 'NR_MEMBER_LEAVING');
  });

  it('leaves its last writes to give what it had: the heir takes nothing before these have come', () => {
    const hosts = new Hosts(3);
    const [founder, heir, leaving] = hosts.nodes as [Node, Node, Node];
    hosts.ended((done) => leaving.cluster.wants.want(hosts.space(2), done));
    hosts.gossip();
    const chunk = leaving.cluster.ownership.of(leaving.id)[0]!;
    // All that is said of its end comes another way than its writes.
    const before = heir.store.known(leaving.id);
    leaving.store.write([{ key: chunk, value: { owner: heir.id } }], () => {});
    hosts.run();
    const seal = leaving.store.known(leaving.id);
    const gone = { seal, how: 'left', by: founder.id, heir: heir.id, last: 3 };
    heir.store.write([{ key: `gone/${leaving.id}`, value: gone }], () => {});
    hosts.run();
    heir.cluster.leaving.tidy();
    hosts.run();
    assert.equal(heir.store.known(leaving.id), before);
    assert.equal(heir.store.version(chunk)?.origin, founder.id, 'as it was given to the one that left');
    hosts.gossip();
    heir.cluster.leaving.tidy();
    hosts.gossip();
    for (const { store } of [founder, heir]) assert.equal(store.version(chunk)?.origin, leaving.id);
  });

  it('takes over what was given to a host that had left by then', () => {
    const hosts = new Hosts(3);
    const leaving = hosts.at(2);
    assert.equal(leave(hosts, leaving), 'done');
    hosts.nodes.splice(2, 1);
    hosts.at(1).store.write([{ key: 'chunk/s/3', value: { owner: leaving.id } }], () => {});
    hosts.gossip();
    const heir = hosts.nodes.find(({ id }) => id === hosts.at(0).cluster.members.heir(leaving.id))!;
    heir.cluster.leaving.tidy();
    hosts.run();
    assert.equal(heir.cluster.ownership.owner('chunk/s/3'), heir.id);
  });

  /** Who asks gets the value, as far as its owner says. */
  const claim = (hosts: Hosts, node: Node, value: bigint) => {
    const space = node.cluster.spaces.get('s')!;
    const use = (grant: Grant) => [{ key: `allocation/${node.id}/s/${value}`, value: { ...grant } as Json }];
    const ended = hosts.ended((done) => node.cluster.claims.claim(space, value, use, done));
    hosts.gossip();
    return ended;
  };
  const lent = ({ store, id }: Node, value: number) =>
    (store.get(`lent/${id}/s/${value}`)?.value as { borrowers: object[] } | undefined)?.borrowers;
  const holders = (hosts: Hosts, value: number) =>
    hosts.nodes.filter(({ id, store }) => store.get(`allocation/${id}/s/${value}`)).map(({ id }) => id);

  it('gives loans to the successor, who keeps them while they are in use', () => {
    const hosts = new Hosts(4);
    const [founder, heir, borrower, other] = hosts.nodes as [Node, Node, Node, Node];
    assert.equal(claim(hosts, borrower, 1n), 'done');
    const attempt = () => hosts.ended((done) => founder.cluster.leaving.leave(done));
    assert.match(attempt(), /NR_MEMBER_UNREACHABLE.*; nothing, as it is tried again/, 'nobody knows yet');
    hosts.gossip();
    attempt();
    hosts.nodes.splice(0, 1);
    // What it tells before it says good-bye.
    for (const { store } of hosts.nodes) {
      const end = founder.cluster.standing.tells;
      store.merge([founder.store.range(founder.id, store.known(founder.id), undefined, end)]);
    }
    hosts.gossip();
    assert.equal(heir.cluster.ownership.owner('chunk/s/0'), heir.id);
    assert.deepEqual(lent(heir, 1)?.length, 1);
    for (let times = 0; times < 5; times++) {
      hosts.pass(1000);
      hosts.gossip();
    }
    assert.match(claim(hosts, other, 1n), /NR_ADDRESS_IN_USE/);
    assert.deepEqual(holders(hosts, 1), [borrower.id]);
  });

  it('gives loans of chunks that were given to it a moment ago, and have not arrived', () => {
    const hosts = new Hosts(4);
    const [, first, borrower, last] = hosts.nodes as [Node, Node, Node, Node];
    hosts.ended((done) => first.cluster.wants.want(hosts.space(1), done));
    hosts.gossip();
    const value = BigInt([...first.cluster.spaces.allocator('s')!.ownedChunks()][0]! * 4n);
    assert.equal(claim(hosts, borrower, value), 'done');
    const loans = [{ key: `lent/${first.id}/s/${value}`, borrowers: lent(first, Number(value))! }];
    // As when the grant of the first one is on its way to who leaves next.
    assert.equal(handover(hosts, hosts.at(0), first, last, loans), 'done');
    const own = [{ key: `lent/${last.id}/s/${value}`, borrowers: lent(last, Number(value))! }];
    assert.equal(handover(hosts, hosts.at(0), last, borrower, own), 'done');
    assert.equal(lent(borrower, Number(value))?.length, 1);
  });

  /** Has one member ask another one to take over; how that ends. */
  function handover(
    hosts: Hosts,
    { store }: Node,
    from: Node,
    to: Node,
    loans: readonly object[],
    vector: ReadonlyMap<string, number> = store.vector,
  ): string {
    let ended = 'nothing';
    const body = { vector: Object.fromEntries(vector), loans } as Json;
    to.cluster.serve('handover', from.id, body, (error) => {
      ended = error?.code ?? 'done';
    });
    hosts.run();
    hosts.gossip();
    return ended;
  }

  it('takes no loan from a host that does not own what is lent, whether it leaves or not', () => {
    const hosts = new Hosts(4);
    const told: object[] = [];
    hosts.warned = (what) => void told.push(what);
    const [treasury, borrower, rogue, other] = hosts.nodes as [Node, Node, Node, Node];
    assert.equal(claim(hosts, borrower, 1n), 'done');
    const before = lent(treasury, 1);
    const borrowers = [{ to: rogue.id, nonce: 'z' }];
    for (const key of [
      'lent/x/s/1',
      `lent/${rogue.id}/s/1`,
      `lent/${treasury.id}/s/1`,
      `lent/${rogue.id}/s/9`,
      `lent/${rogue.id}/s/99`,
      `lent/${rogue.id}/s/x`,
      `lent/${rogue.id}/s/1/2`,
      `gone/${rogue.id}/s/1`,
      'lent',
      '',
    ])
      assert.equal(
        handover(hosts, rogue, rogue, treasury, [{ key, borrowers }]),
        'NR_REQUEST_FORBIDDEN',
        key,
      );
    const key = `lent/${rogue.id}/s/1`;
    assert.equal(handover(hosts, rogue, rogue, treasury, [{ key, borrowers }], new Map()), 'NR_MEMBER_BUSY');
    for (const wrong of [[], [{}], [{ to: rogue.id }], ['x'], {}])
      assert.equal(
        handover(hosts, rogue, rogue, treasury, [{ key, borrowers: wrong }]),
        'NR_REQUEST_INVALID',
      );
    assert.deepEqual(lent(treasury, 1), before);
    assert.deepEqual(
      [...treasury.store.list('lent')].map((one) => one.key),
      [`lent/${treasury.id}/s/1`],
    );
    for (let times = 0; times < 70; times++) {
      hosts.pass(1000);
      hosts.gossip();
    }
    assert.match(claim(hosts, other, 1n), /NR_ADDRESS_IN_USE/);
    assert.deepEqual(holders(hosts, 1), [borrower.id]);
    assert.ok(told.length > 0 && treasury.cluster.refusals.counts.get('request'));
  });

  it('replaces no loan by another one when it is asked late for the second time', () => {
    const hosts = new Hosts(4);
    const [treasury, borrower, heir] = hosts.nodes as [Node, Node, Node];
    assert.equal(claim(hosts, borrower, 1n), 'done');
    const key = `lent/${treasury.id}/s/1`;
    const loan = (nonce: string) => [{ key, borrowers: [{ to: borrower.id, nonce }] }];
    const [now] = lent(treasury, 1) as [{ nonce: string }];
    const ask = (nonce: string) => handover(hosts, treasury, treasury, heir, loan(nonce));
    for (const nonce of [now.nonce, 'of an earlier use', now.nonce]) assert.equal(ask(nonce), 'done');
    assert.equal(lent(heir, 1)?.length, 2);
    for (let times = 0; times < 5; times++) {
      hosts.pass(1000);
      hosts.gossip();
    }
    assert.deepEqual(lent(heir, 1), [now], 'what its borrower does not know ends');
  });
});
