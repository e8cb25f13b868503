import assert from 'node:assert/strict';
import { unknownMembers } from '../../../../src/cluster/membership/problems.ts';
import { Members } from '../../../../src/cluster/protocol/members.ts';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import { MemoryStore } from '../../../../src/store/memory.ts';
import { Hosts } from '../world.ts';

describe('a cluster', () => {
  it('drops what a member owned that is gone, and again if the disk refuses it', () => {
    const hosts = new Hosts(3);
    const gone = hosts.nodes.splice(2, 1)[0]!;
    const { store, id } = hosts.at(0);
    const owned = () => store.all('boot').filter(({ key }) => key === `boot/${gone.id}`).length;
    hosts.at(1).store.merge([gone.store.range(gone.id, 0)]);
    store.merge([gone.store.range(gone.id, 0)]);
    hosts.run();
    assert.equal(owned(), 1);
    const value = { seal: gone.store.known(gone.id), how: 'left', by: id, heir: id, last: 3 };
    store.write([{ key: `gone/${gone.id}`, value }], () => {
      store.disk.failure = new Error('no space left on device');
    });
    hosts.run();
    assert.equal(owned(), 1);
    hosts.pass(5000);
    assert.equal(owned(), 0);
  });

  it('takes nothing over that a member owned which is gone, and counts it as known', () => {
    const hosts = new Hosts(3);
    const gone = hosts.nodes.splice(2, 1)[0]!;
    const { store, id } = hosts.at(0);
    gone.store.write([{ key: `host/${gone.id}`, value: 'its last word' }], () => {});
    hosts.run();
    const value = { seal: gone.store.known(gone.id), how: 'left', by: id, heir: id, last: 3 };
    store.write([{ key: `gone/${gone.id}`, value }], () => {});
    hosts.run();
    store.merge([gone.store.range(gone.id, store.known(gone.id))]);
    hosts.run();
    assert.equal(store.version(`host/${gone.id}`), undefined);
    assert.equal(store.known(gone.id), value.seal);
  });

  it('knows members from strangers over restarts, whatever numbers somebody has invented since', () => {
    const hosts = new Hosts(2);
    hosts.run();
    hosts.at(0).cluster.tidy();
    hosts.run();
    const key = `gone/${'9'.repeat(32)}`;
    const by = hosts.at(1).id;
    const { store } = hosts.at(0);
    store.write([{ key, value: { seal: 0, how: 'left', by, heir: by, last: 9e15 } }], () => {});
    store.write([{ key: 'policy/1', value: 1 }, { key: 'policy/1' }], () => {});
    hosts.run();
    const again = hosts.at(0).restart();
    hosts.run();
    const { members, collector } = again.cluster;
    assert.deepEqual([members.isWhole, members.knowsAll], [false, true]);
    assert.equal(unknownMembers(members, again.id), undefined);
    const stranger = '7'.repeat(32);
    again.store.merge([{ origin: stranger, from: 0, to: 1, records: [] }]);
    assert.equal(again.store.known(stranger), 0);
    hosts.gossip();
    collector.take(hosts.at(1).cluster.collector.report());
    assert.equal(collector.collect(), 1);
  });

  it('says which numbers it has never known', () => {
    const hosts = new Hosts(1);
    const { id } = hosts.at(0);
    const member = { number: 4, key: 'k', complete: true, name: 'h4' };
    const other = new Members(new MemoryStore({ classes: CLUSTER_CLASSES }));
    assert.equal(unknownMembers(other, id), undefined, 'no member yet');
    const late = new MemoryStore({ classes: CLUSTER_CLASSES });
    late.write(
      [
        { key: `member/${late.origin}`, value: member },
        { key: `member/${id}`, value: { ...member, number: 2 } },
      ],
      () => {},
    );
    late.flush();
    const members = new Members(late);
    assert.match(unknownMembers(members, late.origin)!.message, /NR_MEMBER_MISSING: .* number 1, 3;/);
  });

  describe('a newcomer that has heard of itself and not of all others yet', () => {
    /** The sponsor's own writes come first: who wrote its record is not among them. */
    function half() {
      const hosts = new Hosts(2);
      const [founder, sponsor, newcomer] = [hosts.at(0), hosts.at(1), hosts.newcomer()];
      sponsor.store.write([{ key: 'policy/1', value: 1 }, { key: 'policy/1' }], () => {});
      const value = { number: 3, key: 'k', complete: false, name: 'h3' };
      sponsor.store.write([{ key: `member/${newcomer.id}`, value }], () => {});
      hosts.run();
      const tell = (origin: string) => {
        newcomer.store.merge([sponsor.store.range(origin, newcomer.store.known(origin))]);
        hosts.run();
      };
      tell(sponsor.id);
      assert.deepEqual(
        newcomer.cluster.members.present().map(({ name }) => name),
        ['h3'],
      );
      return { founder, sponsor, newcomer, tell };
    }

    it('goes on to listen', () => {
      const { founder, newcomer, tell } = half();
      tell(founder.id);
      assert.deepEqual(
        newcomer.cluster.members.present().map(({ name }) => name),
        ['h1', 'h2', 'h3'],
      );
    });

    it('keeps tombstones', () => {
      const { newcomer } = half();
      assert.equal(newcomer.cluster.collector.collect(), 0);
      assert.equal([...newcomer.store.tombstones()].length, 1);
    });

    it('listens to members only as soon as it knows all, and over what comes later', () => {
      const { founder, sponsor, newcomer, tell } = half();
      tell(founder.id);
      const value = { number: 5, key: 'k', complete: true };
      sponsor.store.write([{ key: `member/${'5'.repeat(32)}`, value }], () => {});
      sponsor.store.flush();
      tell(sponsor.id);
      assert.equal(newcomer.cluster.members.isPresent(founder.id), true);
      assert.equal(newcomer.cluster.members.isWhole, false);
      const stranger = '7'.repeat(32);
      newcomer.store.merge([{ origin: stranger, from: 0, to: 1, records: [] }]);
      assert.equal(newcomer.store.known(stranger), 0);
    });
  });
});
