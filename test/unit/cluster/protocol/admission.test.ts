import assert from 'node:assert/strict';
import { memberChange } from '../../../../src/cluster/protocol/members.ts';
import type { Change, Json } from '../../../../src/ports/store.ts';
import { sealedHosts } from '../sealed.ts';
import { Hosts } from '../world.ts';

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

  describe('in a cluster that signs', () => {
    /** How the founder answers who asks like this. */
    const asks = (hosts: Hosts, from: string, body: Json): string => {
      let ended = 'nothing';
      hosts.at(0).cluster.serve('admit', from, body, (error) => {
        ended = error?.code ?? 'done';
      });
      hosts.run();
      return ended;
    };

    it('is of the key that the id is of', () => {
      const hosts = sealedHosts(3);
      hosts.pass(1000);
      for (const key of [Y, '', 'k', 'x'.repeat(5000)])
        assert.equal(asks(hosts, X, { id: X, key }), 'NR_REQUEST_FORBIDDEN', key);
      assert.equal(hosts.at(0).store.get(`member/${X}`), undefined);
      assert.equal(hosts.at(0).cluster.refusals.counts.get('request'), 4);
      hosts.at(0).store.write([{ key: 'policy/x', value: 1 }], () => {});
      hosts.gossip();
      assert.equal(hosts.at(1).store.get('policy/x')?.value, 1, 'its writes are believed as before');
      assert.equal(asks(hosts, X, { id: X, key: X }), 'done');
      hosts.gossip();
      assert.ok(hosts.at(1).cluster.members.isPresent(X));
    });

    it('is not written, whoever would, in a way that others do not believe', () => {
      const hosts = sealedHosts(3);
      hosts.pass(1000);
      const [founder, other] = [hosts.at(0), hosts.at(1)];
      const wrong: Change[] = [
        memberChange({ id: X, key: Y, number: 4, complete: false }),
        memberChange({ id: X, key: X, number: 1, complete: true }),
        { key: `member/${X}`, value: { number: 'x' } },
        { key: `member/${other.id}` },
        { key: `gone/${X}`, value: {} },
        { key: 'chunk/s/1', value: { owner: 'somebody' } },
        { key: 'treasury/x', value: { owner: founder.id, more: 1 } },
      ];
      for (const change of wrong) {
        const before = founder.store.version(change.key);
        const changes = [{ key: 'policy/x', value: 1 }, change];
        assert.match(
          hosts.ended((done) => founder.store.write(changes, done)),
          /NR_STORE_RECORD: record .* would be refused/,
        );
        assert.equal(founder.store.version(change.key), before);
        assert.equal(founder.store.get('policy/x'), undefined, 'all or nothing');
      }
      founder.store.write([{ key: 'chunk/s/1', value: { owner: other.id } }], () => {});
      hosts.gossip();
      assert.equal(other.cluster.ownership.owner('chunk/s/1'), other.id);
    });
  });
});
