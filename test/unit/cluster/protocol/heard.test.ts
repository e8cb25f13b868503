import assert from 'node:assert/strict';
import fc from 'fast-check';
import { farewellOf } from '../../../../src/cluster/protocol/departures.ts';
import { Heard } from '../../../../src/cluster/protocol/heard.ts';
import { goneChange } from '../../../../src/cluster/protocol/members.ts';
import { ownedBy } from '../../../../src/cluster/protocol/ownership.ts';
import { KEY_MAX, sizeOf, VALUE_MAX, type Versioned } from '../../../../src/store/crdt/record.ts';
import { forge, owned, sealedHosts, sealerOf, tellOne } from '../sealed.ts';
import type { Node } from '../world.ts';

const MIB = 1024 * 1024;
const KEY = 'chunk/s/3';

function versionOf(name: number, rank: number, size: number): Versioned {
  const dot = { origin: 'a'.repeat(32), sequence: 1 };
  return { ...dot, key: `gone/${name}`, class: 'shared', text: 'x'.repeat(size), rank };
}

describe('what is heard and not taken over', () => {
  it('is the latest of each key, and takes some MiB whatever is told', () => {
    const told = fc.record({
      name: fc.nat(40),
      rank: fc.integer({ min: 1, max: 9 }),
      size: fc.oneof(fc.nat(VALUE_MAX), fc.nat(3 * MIB)),
    });
    fc.assert(
      fc.property(fc.array(told, { maxLength: 30 }), (all) => {
        const heard = new Heard();
        let latest: Versioned | undefined;
        for (const { name, rank, size } of all) {
          const before = heard.get(`gone/${name}`)?.rank ?? 0;
          const version = versionOf(name, rank, size);
          heard.add(version);
          if (rank > before) latest = version;
          assert.equal(heard.get(`gone/${name}`)?.rank, Math.max(rank, before));
        }
        const kept = [...heard.all()];
        assert.ok(kept.reduce((sum, one) => sum + sizeOf(one), 0) <= 4 * MIB);
        assert.ok(!latest || kept.includes(latest), 'the last stays');
      }),
      { numRuns: 50 },
    );
  });

  it('is all of it as long as there is room, and none that has no room alone', () => {
    const heard = new Heard();
    const size = 1000 - sizeOf(versionOf(1000, 1, 0));
    for (let name = 0; name < 4096; name++) heard.add(versionOf(1000 + name, 1, size));
    assert.equal([...heard.all()].length, 4096);
    heard.add(versionOf(1, 1, 4 * MIB));
    assert.equal([...heard.all()].length, 4096);
    heard.add(versionOf(2, 1, 1));
    assert.equal([...heard.all()].length, 4096);
    assert.deepEqual(
      [heard.get('gone/1000'), heard.get('gone/1001')?.rank],
      [undefined, 1],
      'the first goes',
    );
  });

  it('is bounded in bytes of those who are said to have gone', () => {
    const takenOver = (isMad: boolean) => {
      const hosts = sealedHosts(4);
      const [to, heir, leaver, thief] = hosts.nodes as [Node, Node, Node, Node];
      to.store.write([ownedBy(KEY, leaver.id)], () => {});
      hosts.run();
      hosts.gossip();
      const seal = to.store.known(leaver.id);
      const word = { seal, ...sealerOf(leaver.id).word(farewellOf(leaver.id, seal, heir.id)) };
      const gone = (id: string, more: object) =>
        ({
          key: `gone/${id}`,
          class: 'shared',
          text: JSON.stringify(
            goneChange({ id, seal, how: 'left', by: thief.id, heir: thief.id, last: 9, ...more }).value,
          ),
          rank: 2 ** 51,
        }) as const;
      to.cluster.doubts.heard([forge(thief, gone(leaver.id, { heir: heir.id, word }))]);
      // Without a fault that anybody can see, and 8 MiB.
      const more = 'x'.repeat(VALUE_MAX - 8192);
      for (let name = 0; isMad && name < 160; name++) {
        const nobody = gone(String(name).padStart(32, '0'), { how: 'forgotten' });
        const text = JSON.stringify({ ...JSON.parse(nobody.text), more });
        to.cluster.doubts.heard([forge(thief, { ...nobody, text })]);
      }
      const takeover = forge(heir, owned(KEY, 2, heir.id), heir.store.version(KEY)!);
      return tellOne(takeover, to)?.what;
    };
    assert.equal(takenOver(false), undefined);
    assert.match(takenOver(true) ?? 'nothing', /not given/, 'what came first is there no more');
  });

  it('is bounded in bytes of treasuries', () => {
    const taken = (isMad: boolean) => {
      const hosts = sealedHosts(3);
      const [treasury, heir, to] = hosts.nodes as [Node, Node, Node];
      const given = forge(treasury, owned('treasury/default', 1, heir.id));
      to.cluster.doubts.heard([given]);
      // Its value can be nothing else, but its name can.
      for (let name = 0; isMad && name < 4000; name++) {
        const key = `treasury/${String(name).padStart(KEY_MAX - 9, 't')}`;
        to.cluster.doubts.heard([forge(heir, owned(key, 1, heir.id))]);
      }
      return tellOne(forge(heir, owned(KEY, 1, heir.id)), to)?.what;
    };
    assert.equal(taken(false), undefined);
    assert.match(taken(true) ?? 'nothing', /first owner/, 'what came first is there no more');
  });
});
