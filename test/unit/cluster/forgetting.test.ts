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
  it('goes by what was promised, not by what was known before a host left', () => {
    const hosts = new Hosts(5);
    const dead = hosts.nodes.splice(3, 1)[0]!;
    const leaving = hosts.at(3);
    const letGo = holdAnswers(hosts.at(2), 'promise');
    const forget = () => {
      const attempt = { ended: 'nothing' };
      hosts.at(0).cluster.forgetting.forget([dead.id], false, (error) => {
        attempt.ended = error?.message ?? 'done';
      });
      hosts.run();
      return attempt;
    };
    const first = forget();
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
    const second = forget();
    hosts.gossip();
    assert.equal(second.ended, 'done');
    hosts.gossip();
    for (const { cluster, store } of hosts.nodes) {
      assert.equal(cluster.standing.halted, undefined);
      assert.equal(cluster.members.gone(leaving.id)?.seal, store.known(leaving.id));
      assert.equal(cluster.members.gone(dead.id)?.how, 'forgotten');
    }
  });
});
