import assert from 'node:assert/strict';
import { Hosts, type Node } from './world.ts';

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
});
