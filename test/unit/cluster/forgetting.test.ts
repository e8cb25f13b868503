import assert from 'node:assert/strict';
import { Hosts, type Node } from './world.ts';

/** Holds back what a host answers to a method, until it is let go. */
function holdAnswers({ cluster }: Node, method: string): () => void {
  const held: (() => void)[] = [];
  const { serve } = cluster;
  Object.assign(cluster, {
    serve: (...[asked, from, body, done]: Parameters<typeof serve>) =>
      serve(asked, from, body, (error, answer) => {
        const give = () => done(error, answer);
        if (asked === method) held.push(give);
        else give();
      }),
  });
  return () => {
    Object.assign(cluster, { serve });
    for (const give of held.splice(0)) give();
  };
}

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
});
