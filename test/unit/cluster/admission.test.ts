import assert from 'node:assert/strict';
import { Hosts } from './world.ts';

const [X, Y] = ['a'.repeat(32), 'b'.repeat(32)] as const;

describe('an admission', () => {
  const admit = (hosts: Hosts, id: string): string => {
    let ended = 'nothing';
    hosts.at(0).cluster.serve('admit', id, { id, key: 'k' }, (error) => {
      ended = error?.code ?? 'done';
    });
    hosts.run();
    return ended;
  };
  const isComplete = (hosts: Hosts, id: string) => hosts.at(0).cluster.members.get(id)?.complete;

  it('is complete when more than half of the members have it on disk', () => {
    const hosts = new Hosts(4);
    for (const index of [1, 2, 3]) hosts.at(index).deaf = true;
    assert.equal(admit(hosts, X), 'done');
    hosts.pass(10_000);
    assert.equal(isComplete(hosts, X), false);
    hosts.at(1).deaf = false;
    hosts.gossip();
    hosts.pass(5000);
    assert.equal(isComplete(hosts, X), false, 'the host itself and one of four others');
    hosts.at(2).deaf = false;
    hosts.pass(5000);
    assert.equal(isComplete(hosts, X), true);
  });

  it('is complete soon after the others have it, without waiting for the next round', () => {
    const hosts = new Hosts(3);
    hosts.pass(1000);
    assert.equal(admit(hosts, X), 'done');
    hosts.gossip();
    hosts.pass(200);
    assert.equal(isComplete(hosts, X), true);
  });

  it('waits for the last one to be complete', () => {
    const hosts = new Hosts(3);
    assert.equal(admit(hosts, X), 'done');
    assert.equal(admit(hosts, X), 'done', 'again');
    assert.equal(admit(hosts, Y), 'NR_MEMBER_BUSY');
    hosts.gossip();
    hosts.pass(5000);
    assert.equal(isComplete(hosts, X), true);
    assert.equal(admit(hosts, Y), 'done');
    assert.equal(hosts.at(0).cluster.members.get(Y)?.number, 5);
  });

  describe('of a host that stops', () => {
    /** How often it asks the others, after its end, whether they have a newcomer on disk. */
    const asksAfterStop = (hosts: Hosts, begin: () => void): number => {
      begin();
      hosts.at(0).cluster.stop();
      let asks = 0;
      hosts.loses = (method) => {
        if (method === 'stored') asks++;
        return false;
      };
      hosts.pass(10_000);
      return asks;
    };

    it('asks nobody any more, also if it becomes durable after that', () => {
      const hosts = new Hosts(3);
      let ended = 'nothing';
      const asks = asksAfterStop(hosts, () =>
        hosts.at(0).cluster.serve('admit', X, { id: X, key: 'k' }, (error) => {
          ended = error?.code ?? 'done';
        }),
      );
      assert.equal(ended, 'done');
      assert.equal(asks, 0);
    });

    it('asks nobody any more for the one before either', () => {
      const hosts = new Hosts(3);
      const asks = asksAfterStop(hosts, () => {
        assert.equal(admit(hosts, X), 'done');
        hosts.gossip();
        hosts.at(0).cluster.admission.tidy();
        hosts.run();
        assert.equal(isComplete(hosts, X), true);
        assert.equal(admit(hosts, Y), 'done');
      });
      assert.equal(asks, 0);
    });
  });
});
