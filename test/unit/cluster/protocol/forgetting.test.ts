import assert from 'node:assert/strict';
import { goneChange } from '../../../../src/cluster/protocol/members.ts';
import { coordinatorsOf } from '../../../../src/cluster/protocol/promise.ts';
import type { Json } from '../../../../src/ports/store.ts';
import { sealedHosts } from '../sealed.ts';
import { Hosts, holdAnswers, type Node } from '../world.ts';

describe('to forget', () => {
  /** One host forgets another, and hears of what it waits for. */
  function forget(hosts: Hosts, index: number, dead: Node): { ended: string } {
    const attempt = { ended: 'nothing' };
    hosts.at(index).cluster.forgetting.forget([dead.id], false, (error) => {
      attempt.ended = error?.message ?? 'done';
    });
    hosts.run();
    return attempt;
  }

  it('goes by what was promised, not by what was known before a host left', () => {
    const hosts = new Hosts(5);
    const dead = hosts.nodes.splice(3, 1)[0]!;
    const leaving = hosts.at(3);
    const letGo = holdAnswers(hosts.at(2), 'promise');
    const first = forget(hosts, 0, dead);
    // All have promised when another one leaves, and writes more than they knew of it by then.
    const leave = () => hosts.ended((done) => leaving.cluster.leaving.leave(done));
    for (let times = 0; leave() !== 'done'; times++) {
      assert.ok(times < 5);
      hosts.gossip();
    }
    hosts.gossip();
    hosts.nodes.splice(3, 1);
    letGo();
    hosts.run();
    assert.match(first.ended, /NR_FORGET_BUSY/);
    const second = forget(hosts, 0, dead);
    hosts.gossip();
    assert.equal(second.ended, 'done');
    hosts.gossip();
    for (const { cluster, store } of hosts.nodes) {
      assert.equal(cluster.standing.halted, undefined);
      assert.equal(cluster.members.gone(leaving.id)?.seal, store.known(leaving.id));
      assert.equal(cluster.members.gone(dead.id)?.how, 'forgotten');
    }
  });

  it('takes over the chunk of a loan that only the borrower knows of', () => {
    const hosts = new Hosts(4);
    const use = ({ nonce }: { nonce?: string | undefined }) => [
      { key: `allocation/${hosts.at(1).id}/s/5`, value: { use: 'endpoint', nonce: nonce! } },
    ];
    const claims = hosts.at(1).cluster.claims;
    assert.equal(
      hosts.ended((done) => claims.claim(hosts.space(1), 5n, use, done)),
      'done',
    );
    const dead = hosts.nodes.splice(0, 1)[0]!;
    assert.ok(dead.cluster.ownership.isWritten('s', 1n), 'its last write, which nobody has heard of');
    const attempt = forget(hosts, 1, dead);
    hosts.gossip();
    assert.equal(attempt.ended, 'done');
    hosts.gossip();
    const { wants, spaces } = hosts.at(2).cluster;
    for (let chunks = 0; chunks < 16; chunks++) hosts.ended((done) => wants.want(hosts.space(2), done));
    const given = [...spaces.allocator('s')!.ownedChunks()];
    assert.ok(given.length > 10);
    assert.ok(!given.includes(1n), 'it has a value in use');
  });

  const asked = (hosts: Hosts, of: Node, from: Node, method: string, body: Json): string => {
    let ended = 'nothing';
    of.cluster.serve(method, from.id, body, (error) => {
      ended = error?.code ?? 'done';
    });
    hosts.run();
    return ended;
  };

  it('promises a member to one coordinator only, unless that one is to be forgotten as well', () => {
    const hosts = new Hosts(4);
    const [a, b, c, dead] = hosts.nodes as [Node, Node, Node, Node];
    const promise = (from: Node, attempt: number, ...victims: Node[]) =>
      asked(hosts, c, from, 'promise', { attempt, victims: victims.map(({ id }) => id) });
    assert.equal(promise(a, 5, dead), 'done');
    assert.equal(promise(a, 5, dead), 'done', 'again');
    assert.equal(promise(a, 4, dead), 'NR_FORGET_BUSY', 'an earlier attempt, which came late');
    assert.equal(promise(b, 9, dead), 'NR_FORGET_BUSY');
    assert.equal(promise(b, 9, dead, a), 'done');
    assert.equal(promise(a, 6, dead), 'NR_FORGET_BUSY');
  });

  it('takes nothing over unless all have promised', () => {
    const hosts = new Hosts(4);
    const dead = hosts.nodes.splice(0, 1)[0]!;
    hosts.at(2).deaf = true;
    const attempt = forget(hosts, 0, dead);
    hosts.gossip();
    hosts.pass(10_000);
    assert.match(attempt.ended, /NR_MEMBER_UNREACHABLE/);
    for (const { cluster } of hosts.nodes) assert.equal(cluster.members.gone(dead.id), undefined);
    hosts.gossip();
    hosts.pass(10_000);
    for (const { store } of hosts.nodes) assert.deepEqual([...store.list('promise')], []);
  });

  it('ends what was asked of a member that is frozen', () => {
    const hosts = new Hosts(3);
    const [dead, b, c] = hosts.nodes as [Node, Node, Node];
    const letGo = holdAnswers(dead, 'claim');
    const use = () => [{ key: `allocation/${b.id}/s/5`, value: {} }];
    const ended: string[] = [];
    b.cluster.claims.claim(hosts.space(1), 5n, use, (error) => void ended.push(error?.code ?? 'done'));
    hosts.run();
    assert.equal(asked(hosts, b, c, 'promise', { attempt: 1, victims: [dead.id] }), 'done');
    letGo();
    hosts.run();
    assert.deepEqual(ended, ['NR_MEMBER_UNREACHABLE']);
    assert.deepEqual([...b.store.list('allocation')], []);
  });

  it('keeps a promise until all is known that its coordinator has written', () => {
    const hosts = new Hosts(3);
    const [a, b, dead] = hosts.nodes as [Node, Node, Node];
    const promise = { to: [{ coordinator: a.id, attempt: 99 }], limit: 0 };
    b.store.write([{ key: `promise/${dead.id}`, value: promise }], () => {});
    a.store.write([{ key: 'policy/1', value: 'it may be the commit' }], () => {});
    hosts.run();
    const stands = () => {
      b.cluster.forgetting.tidy();
      hosts.run();
      return b.cluster.standing.frozen(dead.id);
    };
    assert.equal(stands(), true);
    hosts.gossip();
    assert.equal(stands(), false);
  });

  it('keeps a promise that another one took the place of, until it is known how that ended, too', () => {
    const hosts = new Hosts(5);
    const [a, b, c, , dead] = hosts.nodes as [Node, Node, Node, Node, Node];
    const limit = c.store.known(dead.id);
    const promise = (from: Node, ...victims: Node[]) =>
      asked(hosts, c, from, 'promise', { attempt: 9, victims: victims.map(({ id }) => id) });
    const tidy = () => {
      c.cluster.forgetting.tidy();
      hosts.run();
      return coordinatorsOf(c.store, dead.id);
    };
    a.deaf = true;
    assert.equal(promise(a, dead), 'done');
    assert.equal(promise(b, dead, a), 'done');
    assert.deepEqual(coordinatorsOf(c.store, dead.id), [a.id, b.id]);
    // The second has given up, and what became of the first is not known: it may have done it.
    hosts.gossip();
    assert.deepEqual(tidy(), [a.id]);
    dead.store.write([{ key: 'policy/late', value: 1 }], () => {});
    hosts.gossip();
    assert.equal(c.store.known(dead.id), limit);
    assert.equal(c.cluster.standing.frozen(dead.id), true);
    a.deaf = false;
    hosts.pass(10_000);
    hosts.gossip();
    assert.deepEqual(tidy(), []);
    hosts.gossip();
    assert.ok(c.store.known(dead.id) > limit);
  });

  it('ends a promise to one that is gone itself and has not done it, by all of its writes that count', () => {
    const hosts = new Hosts(4);
    const [a, b, c, dead] = hosts.nodes as [Node, Node, Node, Node];
    assert.equal(asked(hosts, c, a, 'promise', { attempt: 9, victims: [dead.id] }), 'done');
    a.store.write([{ key: 'policy/1', value: 'it may be the commit' }], () => {});
    hosts.run();
    const [seal, last] = [a.store.known(a.id), 4];
    const gone = goneChange({ id: a.id, seal, how: 'forgotten', by: b.id, heir: b.id, last });
    c.store.write([gone], () => {});
    hosts.run();
    c.cluster.forgetting.tidy();
    assert.deepEqual(coordinatorsOf(c.store, dead.id), [a.id]);
    hosts.gossip();
    c.cluster.forgetting.tidy();
    hosts.run();
    assert.deepEqual(coordinatorsOf(c.store, dead.id), []);
  });

  it('waits for a member that is not known yet, as a number is missing', () => {
    const hosts = new Hosts(5);
    const unknown = hosts.nodes.splice(2, 1)[0]!;
    for (const { store } of hosts.nodes) store.drop([store.version(`member/${unknown.id}`)!]);
    hosts.run();
    const dead = hosts.nodes.splice(3, 1)[0]!;
    const attempt = forget(hosts, 0, dead);
    hosts.gossip();
    assert.match(attempt.ended, /NR_FORGET_BUSY: there is a member that this host has not heard of/);
    let forced = 'nothing';
    hosts.at(0).cluster.forgetting.forget([dead.id], true, (error) => {
      forced = error?.message ?? 'done';
    });
    hosts.run();
    hosts.gossip();
    assert.equal(forced, 'done');
  });

  it('stops who knows more than what counts', () => {
    const hosts = new Hosts(4);
    const dead = hosts.nodes.splice(3, 1)[0]!;
    const { store, id } = hosts.at(0);
    dead.store.write([{ key: 'policy/1', value: 'late' }], () => {});
    hosts.run();
    hosts.at(1).store.merge([dead.store.range(dead.id, hosts.at(1).store.known(dead.id))]);
    hosts.run();
    const value = { seal: store.known(dead.id), how: 'forgotten', by: id, heir: id, last: 4 };
    store.write([{ key: `gone/${dead.id}`, value }], () => {});
    hosts.gossip();
    const halts = hosts.nodes.map(({ cluster }) => cluster.standing.halted);
    assert.deepEqual(halts, [undefined, 'passed', undefined]);
    assert.equal(hosts.at(2).store.get('policy/1'), undefined);
  });

  it('lowers a seal that nobody can reach any more', () => {
    const hosts = new Hosts(5);
    const [before, dead] = hosts.nodes.splice(3, 2) as [Node, Node];
    const { store, id } = hosts.at(0);
    const known = store.known(before.id);
    const value = { seal: known + 5, how: 'forgotten', by: id, heir: id, last: 5 };
    store.write([{ key: `gone/${before.id}`, value }], () => {});
    hosts.gossip();
    const attempt = forget(hosts, 0, dead);
    hosts.gossip();
    assert.equal(attempt.ended, 'done');
    hosts.gossip();
    for (const { cluster } of hosts.nodes) assert.equal(cluster.members.gone(before.id)?.seal, known);
    hosts.pass(5000);
    for (const node of hosts.nodes) assert.deepEqual([...node.store.list('promise')], []);
  });

  it('takes one that has stopped as a member said that it had written far more', () => {
    const hosts = sealedHosts(4);
    hosts.pass(2000);
    hosts.gossip();
    const [coordinator, other, , victim] = hosts.nodes as [Node, Node, Node, Node];
    const invented = 2 ** 52;
    const from = other.store.known(victim.id);
    other.store.take([{ origin: victim.id, from, to: invented, records: [] }]);
    hosts.gossip();
    assert.equal(coordinator.store.known(victim.id), invented);
    const again = victim.restart();
    hosts.pass(3000);
    assert.equal(again.cluster.standing.halted, 'rollback');
    let ended = 'nothing';
    coordinator.cluster.forgetting.forget([victim.id], false, (error) => {
      ended = error?.message ?? 'done';
    });
    hosts.pass(3000);
    hosts.nodes.splice(3, 1);
    for (let times = 0; times < 5; times++) {
      hosts.gossip();
      hosts.pass(1000);
    }
    assert.equal(ended, 'done');
    assert.equal(other.cluster.members.gone(victim.id)?.seal, invented);
    assert.equal(other.cluster.standing.halted, undefined);
  });
});
