import assert from 'node:assert/strict';
import fc from 'fast-check';
import { memberChange } from '../../../../src/cluster/protocol/members.ts';
import { ownedBy } from '../../../../src/cluster/protocol/ownership.ts';
import type { Change } from '../../../../src/ports/store.ts';
import { LINKS_MAX } from '../../../../src/store/seal.ts';
import { forge, owned, sealedHosts, sealerOf, tell, tellOne } from '../sealed.ts';
import type { Hosts, Node } from '../world.ts';

const KEY = 'chunk/s/3';

function write(hosts: Hosts, by: Node, ...changes: Change[]): void {
  by.store.write(changes, (error) => assert.equal(error, undefined));
  hosts.run();
}

/** A chunk goes from its owner through these hands; everybody hears it. */
function give(hosts: Hosts, ...hands: number[]): void {
  for (const to of hands) {
    const owner = hosts.at(0).cluster.ownership.owner(KEY);
    const by = hosts.nodes.find(({ id }) => id === owner) ?? hosts.at(0);
    write(hosts, by, ownedBy(KEY, hosts.at(to).id));
    hosts.gossip();
  }
}

describe('the right to write of what is owned', () => {
  it('is with the treasury first, then with who was given it', () => {
    const hosts = sealedHosts(4);
    give(hosts, 1, 2, 0, 3, 3, 1);
    for (const { store } of hosts.nodes) {
      assert.equal(store.version(KEY)?.text, `{"owner":"${hosts.at(1).id}"}`);
      assert.equal(store.known(hosts.at(3).id), hosts.at(3).store.known(hosts.at(3).id));
    }
  });

  it('is nobody else’s, and what was right before stays', () => {
    const hosts = sealedHosts(3);
    const [treasury, honest, thief] = hosts.nodes as [Node, Node, Node];
    give(hosts, 1);
    const known = treasury.store.known(thief.id);
    write(hosts, thief, ownedBy(KEY, thief.id), ownedBy('chunk/s/9', thief.id));
    for (const to of [treasury, honest]) {
      assert.deepEqual(tell(thief, to)?.isForged, false);
      assert.equal(to.store.known(thief.id), known, 'nothing of it is taken over');
      assert.equal(to.cluster.ownership.owner(KEY), honest.id);
      assert.equal(to.cluster.ownership.owner('chunk/s/9'), undefined);
    }
    // Others go on.
    write(hosts, honest, ownedBy(KEY, treasury.id));
    assert.equal(tell(honest, treasury), undefined);
    assert.equal(treasury.cluster.ownership.owner(KEY), treasury.id);
  });

  it('does not come by a longer history, or a higher id', () => {
    const hosts = sealedHosts(3);
    const [treasury, honest, thief] = hosts.nodes as [Node, Node, Node];
    give(hosts, 1);
    const { rank } = treasury.store.version(KEY)!;
    // Of the same rank the higher id stands.
    const same = forge(thief, owned(KEY, rank, thief.id));
    assert.match(tellOne(same, treasury)!.what, /first owner/);
    give(hosts, 0);
    const other = forge(thief, owned(KEY, 2, thief.id), forge(thief, owned(KEY, 1, thief.id)));
    assert.match(tellOne(other, honest)!.what, /first owner/, 'two histories from the first version on');
    // From the thief to the thief, ever again.
    for (const key of [KEY, 'chunk/s/8']) {
      let version = forge(thief, owned(key, 1, thief.id));
      for (let hop = 2; hop < 2 * LINKS_MAX; hop++) {
        // What does not stand is not looked at.
        const isNews = version.rank >= (honest.store.version(key)?.rank ?? 0);
        const doubt = isNews ? tellOne(version, honest) : undefined;
        assert.equal(doubt?.isForged, isNews ? false : undefined, `${key} ${version.rank}`);
        version = forge(thief, owned(key, hop, thief.id), version);
      }
      assert.equal(honest.cluster.ownership.owner(key), key === KEY ? treasury.id : undefined);
    }
  });

  it('cannot be had by what others have signed for something else', () => {
    const hosts = sealedHosts(3);
    const [treasury, honest, thief] = hosts.nodes as [Node, Node, Node];
    write(hosts, treasury, ownedBy('chunk/s/1', thief.id));
    hosts.gossip();
    give(hosts, 1);
    // Its own right to another chunk, and that of another's before.
    const before = { ...thief.store.version('chunk/s/1')!, key: KEY };
    const version = forge(thief, owned(KEY, 2, thief.id), before);
    assert.match(tellOne(version, honest)!.what, /is not signed/);
    assert.ok(tellOne(version, honest)!.isForged);
  });

  it('cannot be had by going on from what another one was given', () => {
    const hosts = sealedHosts(4);
    const [, honest, thief, late] = hosts.nodes as [Node, Node, Node, Node];
    give(hosts, 1, 0);
    // Not heard by the last one yet.
    write(hosts, hosts.at(0), ownedBy(KEY, honest.id));
    for (const to of [honest, thief]) assert.equal(tell(hosts.at(0), to), undefined);
    hosts.run();
    const version = forge(thief, owned(KEY, 4, thief.id));
    for (const to of [honest, late]) assert.match(tellOne(version, to)!.what, /not given/);
  });

  it('is proven to who has not heard of any of it, or little of it', () => {
    const hands = fc.array(fc.nat(3), { minLength: 1, maxLength: 2 * LINKS_MAX });
    fc.assert(
      fc.property(hands, fc.nat(2 * LINKS_MAX), (all, heard) => {
        const hosts = sealedHosts(5);
        const late = hosts.at(4);
        let by = 0;
        for (const [at, to] of all.entries()) {
          write(hosts, hosts.at(by), ownedBy(KEY, hosts.at(to).id));
          for (const one of hosts.nodes)
            if (one !== late || at < heard)
              for (const from of hosts.nodes) if (from !== one) tell(hosts.at(by), one);
          hosts.run();
          by = to;
        }
        const rank = late.store.version(KEY)?.rank ?? 0;
        const doubts = hosts.nodes.slice(0, 4).map((one) => tell(one, late)?.what);
        const isFar = rank > 0 && all.length > rank + LINKS_MAX;
        assert.equal(doubts.filter((what) => what !== undefined).length > 0, isFar, `${rank} ${doubts}`);
        assert.equal(late.store.version(KEY)?.rank, isFar ? rank : all.length);
      }),
      { numRuns: 40, examples: [[Array.from({ length: 2 * LINKS_MAX }, (_, at) => (at % 3) + 1), 0]] },
    );
  });

  it('is a problem to see where it cannot be proven any more', () => {
    const hosts = sealedHosts(4);
    const [treasury, other, late] = hosts.nodes as [Node, Node, Node];
    give(hosts, 1);
    for (let turn = 0; turn <= LINKS_MAX + 1; turn++) {
      const [by, to] = turn % 2 === 0 ? [other, treasury] : [treasury, other];
      write(hosts, by, ownedBy(KEY, to.id));
      assert.equal(tell(by, to), undefined);
      hosts.run();
    }
    const doubt = tell(treasury, late);
    assert.match(doubt!.what, /from hand to hand 34 times since this host heard of it/);
    assert.deepEqual(late.cluster.doubts.problems(), []);
    assert.equal(late.cluster.doubts.counts.get('unproven'), undefined);
    hosts.time.now += 61_000;
    const [problem] = late.cluster.doubts.problems();
    assert.equal(problem?.code, 'NR_RECORD_UNPROVEN');
    assert.match(problem!.what, /host h1 .*chunk\/s\/3/);
    tell(treasury, late);
    assert.equal(late.cluster.doubts.counts.get('unproven'), undefined, 'nobody was asked who has answered');
    const [, , , newcomer] = hosts.nodes as [Node, Node, Node, Node];
    late.cluster.doubts.ask(newcomer.id, () => {});
    hosts.run();
    assert.throws(() => tell(treasury, late), 'and in the log');
    assert.equal(late.cluster.doubts.counts.get('unproven'), 1);
    tell(treasury, late);
    assert.equal(late.cluster.doubts.counts.get('unproven'), 1, 'once');
  });

  it('is no problem to see where nothing is held back by it', () => {
    const hosts = sealedHosts(4);
    const [, , thief, late] = hosts.nodes as [Node, Node, Node, Node];
    give(hosts, 1);
    const stolen = forge(thief, owned(KEY, late.store.version(KEY)!.rank + 1, thief.id));
    const range = { origin: thief.id, from: 0, to: late.store.known(thief.id), records: [stolen] };
    const { taken, doubt } = late.store.mend([range]);
    assert.deepEqual([taken, doubt?.isForged], [0, false]);
    hosts.time.now += 61_000;
    assert.deepEqual(late.cluster.doubts.problems(), []);
  });

  it('ends when nobody owns it any more', () => {
    const hosts = sealedHosts(3);
    const [treasury, , thief] = hosts.nodes as [Node, Node, Node];
    give(hosts, 0);
    write(hosts, treasury, { key: KEY });
    hosts.gossip();
    assert.equal(thief.store.version(KEY)?.text, undefined);
    const version = forge(thief, owned(KEY, 3, thief.id));
    assert.match(tellOne(version, hosts.at(1))!.what, /not given/);
    const again = forge(treasury, owned(KEY, 3, treasury.id));
    assert.match(tellOne(again, hosts.at(1))!.what, /not given/);
  });

  it('of a treasury is with the founder, and whom it was given', () => {
    const hosts = sealedHosts(4);
    const [treasury, heir, thief, late] = hosts.nodes as [Node, Node, Node, Node];
    for (const key of ['treasury/default', 'treasury/blue']) {
      const version = forge(thief, owned(key, 1, thief.id));
      assert.ok(tellOne(version, heir), key);
    }
    write(hosts, treasury, ownedBy('treasury/default', heir.id));
    tell(treasury, heir);
    hosts.run();
    write(hosts, heir, ownedBy(KEY, thief.id), ownedBy('treasury/blue', heir.id));
    // In the wrong order: that it has the treasury comes later.
    const known = late.store.known(heir.id);
    assert.match(tell(heir, late)!.what, /first owner/);
    assert.equal(late.store.known(heir.id), known);
    assert.equal(tell(treasury, late), undefined);
    assert.equal(tell(heir, late), undefined);
    assert.equal(late.cluster.ownership.owner(KEY), thief.id);
    assert.equal(late.cluster.ownership.treasury('blue'), heir.id);
  });

  it('of a named treasury is no right to others', () => {
    const hosts = sealedHosts(3);
    const [treasury, honest, thief] = hosts.nodes as [Node, Node, Node];
    write(hosts, treasury, ownedBy('treasury/green', thief.id));
    hosts.gossip();
    assert.equal(honest.cluster.ownership.treasury('green'), thief.id);
    assert.match(tellOne(forge(thief, owned('treasury/red', 1, thief.id)), honest)!.what, /first owner/);
    const [red, blue] = ['treasury/red', 'treasury/blue'].map((key) => forge(thief, owned(key, 1, thief.id)));
    const records = [red!, { ...blue!, sequence: blue!.sequence + 1 }];
    const sealed = records.map(({ seal: _, ...one }) => ({
      ...one,
      seal: sealerOf(thief.id).seal(one, undefined),
    }));
    const range = {
      origin: thief.id,
      from: honest.store.known(thief.id),
      to: records[1]!.sequence,
      records: sealed,
    };
    assert.equal(honest.store.take([range]).doubt?.isForged, false, 'and the end of it is found');
  });
});

describe('a record of a member', () => {
  const added = (hosts: Hosts, by: Node, value: object, id = 'e'.repeat(32)) => {
    write(hosts, by, memberChange({ id, key: id, number: 4, complete: false, ...value }));
    const to = hosts.at(by === hosts.at(1) ? 0 : 1);
    const what = tell(by, to)?.what;
    hosts.run();
    return what;
  };

  it('is written by the treasury', () => {
    const hosts = sealedHosts(3);
    assert.match(added(hosts, hosts.at(2), {})!, /not known to let members in/);
    assert.equal(added(hosts, hosts.at(0), {}), undefined);
    assert.equal(added(hosts, hosts.at(0), { complete: true }), undefined);
    assert.equal(hosts.at(1).cluster.members.get('e'.repeat(32))?.complete, true);
  });

  it('keeps its number and its key, and that it is complete', () => {
    assert.match(added(sealedHosts(3), sealedHosts(3).at(0), {}) ?? 'none', /none/);
    for (const value of [
      { number: 2, complete: true },
      { number: 3, complete: false },
    ]) {
      const hosts = sealedHosts(3);
      const doubt = added(hosts, hosts.at(0), value, hosts.at(2).id);
      assert.match(doubt!, value.complete ? /another number/ : /complete before/);
    }
  });

  it('is of one founder, who says so itself', () => {
    const hosts = sealedHosts(3);
    const thief = hosts.at(2);
    assert.match(added(hosts, thief, { number: 1, complete: true }, thief.id)!, /another number/);
    const other = sealedHosts(3);
    other.at(0).store.admission = { ...other.at(0).store.admission, fault: () => undefined };
    assert.match(added(other, other.at(0), { number: 1 })!, /who makes the cluster says so itself/);
    const founder = 'e'.repeat(32);
    const version = {
      key: `member/${founder}`,
      class: 'shared',
      text: JSON.stringify({ number: 1, key: founder, complete: true }),
      origin: founder,
      sequence: 1,
      rank: 9,
    } as const;
    const sealed = { ...version, seal: sealerOf(founder).seal(version, undefined) };
    const it = hosts.at(1);
    it.store.admission = { ...it.store.admission, limit: () => Number.POSITIVE_INFINITY };
    assert.match(tellOne(sealed, it)!.what, /another one has made the cluster/);
  });

  it('has its own key, is a record, and has no end', () => {
    for (const [value, what] of [
      [{ number: 4, key: 'd'.repeat(32), complete: false }, /the key of another/],
      [{ number: 'x' }, /no record/],
      [undefined, /no record/],
    ] as const) {
      const hosts = sealedHosts(3);
      const text = value && JSON.stringify(value);
      const version = forge(hosts.at(0), {
        key: `member/${'e'.repeat(32)}`,
        class: 'shared',
        rank: 2 ** 50,
        text,
      });
      const doubt = tellOne(version, hosts.at(1))!;
      assert.match(doubt.what, what);
      assert.ok(doubt.isForged);
    }
  });
});

describe('a host that passes on what was altered', () => {
  it('is told from one that only knows less', () => {
    const hosts = sealedHosts(3);
    const [treasury, to] = hosts.nodes as [Node, Node];
    const version = forge(treasury, owned(KEY, 1, to.id));
    for (const altered of [
      { ...version, seal: undefined },
      { ...version, text: `{"owner":"${hosts.at(2).id}"}` },
    ]) {
      const doubt = tellOne(altered, to);
      assert.equal(doubt?.isForged, true);
      assert.equal(to.store.version(KEY), undefined);
    }
    assert.equal(tellOne(version, to), undefined);
  });
});
