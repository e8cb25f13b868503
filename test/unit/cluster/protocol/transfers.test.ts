import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ownedBy } from '../../../../src/cluster/protocol/ownership.ts';
import { LINK_BYTES, LINKS_MAX } from '../../../../src/store/seal.ts';
import { TRANSFERS } from '../../../../src/store/transfers.ts';
import { forge, owned, sealedHosts, tell } from '../sealed.ts';
import type { Hosts, Node } from '../world.ts';

const KEY = 'chunk/s/3';

/** A chunk goes through these hands; whether each of the others hears of it is asked for each transfer. */
function give(hosts: Hosts, hands: readonly number[], hears: (node: number, at: number) => boolean): void {
  for (const [at, to] of hands.entries()) {
    const by = ownerOf(hosts);
    by.store.write([ownedBy(KEY, hosts.at(to).id)], (error) => assert.equal(error, undefined));
    hosts.run();
    // Who is to write next has to hear of it.
    for (const [index, node] of hosts.nodes.entries())
      if (node !== by && (index === to || hears(index, at))) catchUp(hosts, node, by);
  }
}

/** Who owns the chunk by the latest version that anybody has. */
function ownerOf(hosts: Hosts): Node {
  const versions = hosts.nodes.flatMap(({ store }) => store.version(KEY) ?? []);
  const latest = versions.sort((a, b) => b.rank - a.rank)[0];
  return hosts.nodes.find(({ id }) => latest?.text === `{"owner":"${id}"}`) ?? hosts.at(0);
}

/** A host is told all that another one knows, and asks it for what is missing. @returns what is not believed in the end */
function catchUp(hosts: Hosts, node: Node, by: Node, times = 5): string | undefined {
  for (let time = 0; ; time++) {
    const doubts = [...by.store.vector.keys()].map((origin) => tell(by, node, origin)?.what);
    hosts.run();
    const doubt = doubts.find((what) => what !== undefined);
    if (doubt === undefined || time === times) return doubt;
    hosts.time.now += 2000;
    node.cluster.doubts.ask(by.id, () => {});
    hosts.run();
  }
}

/** From one to the other and back, so many times. */
function toAndFro(times: number): number[] {
  return Array.from({ length: times }, (_, at) => (at + 1) % 2);
}

/** All have heard of the first owner, and all but the last one of what came after. */
function away(count: number, transfers: number, linksMax?: number): { hosts: Hosts; late: Node } {
  const hosts = sealedHosts(count, linksMax);
  give(hosts, [0], () => true);
  give(hosts, toAndFro(transfers), (node) => node < count - 1);
  return { hosts, late: hosts.at(count - 1) };
}

function rankOf({ store }: Node): number | undefined {
  return store.version(KEY)?.rank;
}

/** Another host answers what it is asked for in a way of its own. */
function answering(
  node: Node,
  alter: (transfers: { key: string; from: number; links: string }[]) => unknown,
): void {
  const { serve } = node.cluster;
  const altered: typeof serve = (method, from, body, done) =>
    serve(method, from, body, (error, answer) => {
      const { transfers = [], ...rest } = (answer?.body ?? {}) as { transfers?: never[] };
      done(error, { body: { ...rest, transfers: alter(transfers) } as never });
    });
  Object.assign(node.cluster, { serve: altered });
}

const stored = ({ store }: Node): number => [...store.list(TRANSFERS)].length;

describe('a record that changed hands more often than its seal tells', () => {
  it('is shown to who was away by any host that was there', () => {
    for (const by of [0, 1, 2]) {
      const { hosts, late } = away(4, 3 * LINKS_MAX);
      assert.match(tell(hosts.at(1), late)!.what, /from hand to hand 96 times since this host heard of it/);
      assert.equal(catchUp(hosts, late, hosts.at(by)), undefined);
      assert.equal(rankOf(late), 3 * LINKS_MAX + 1);
      assert.deepEqual(late.cluster.doubts.problems(), []);
    }
  });

  it('is shown by who was away itself, and over restarts', () => {
    const { hosts, late } = away(4, 3 * LINKS_MAX);
    give(hosts, toAndFro(3 * LINKS_MAX), () => false);
    const helper = hosts.at(2).restart();
    assert.equal(catchUp(hosts, helper, hosts.at(1)), undefined);
    assert.equal(catchUp(hosts, late, helper.restart()), undefined);
    assert.equal(rankOf(late), 6 * LINKS_MAX + 1);
  });

  it('is shown in several answers if there is much to tell', () => {
    const { hosts, late } = away(3, 2500);
    assert.match(catchUp(hosts, late, hosts.at(1), 2)!, /from hand to hand/);
    assert.equal(catchUp(hosts, late, hosts.at(1), 1), undefined);
    assert.equal(rankOf(late), 2501);
  });

  it('is shown to everybody, whoever heard of which part', () => {
    const hand = fc.record({ to: fc.nat(3), heard: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }) });
    fc.assert(
      fc.property(fc.array(hand, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (hands, linksMax) => {
        const hosts = sealedHosts(5, linksMax);
        give(hosts, [0], () => true);
        const to = hands.map((one) => one.to);
        give(hosts, to, (node, at) => hands[at]!.heard[node]!);
        // Whom it asks has heard all of it, or asks the next one itself.
        const owner = ownerOf(hosts);
        for (const [at, node] of hosts.nodes.entries())
          assert.equal(catchUp(hosts, node, at % 2 ? owner : hosts.at(Math.max(0, at - 1))), undefined);
        for (const node of hosts.nodes) assert.equal(catchUp(hosts, node, owner), undefined);
        for (const node of hosts.nodes) assert.equal(rankOf(node), hands.length + 1);
      }),
      { numRuns: 60 },
    );
  });

  it('waits for one that was there, as who came later cannot show it', () => {
    const { hosts, late } = away(4, 0);
    const newcomer = hosts.newcomer();
    give(hosts, toAndFro(3 * LINKS_MAX), (node) => node < 3);
    assert.equal(catchUp(hosts, newcomer, hosts.at(0)), undefined);
    const doubt = catchUp(hosts, late, newcomer);
    assert.match(doubt!, /waits for a host to show it how that has been there since then/);
    assert.equal(rankOf(late), 1);
    assert.equal(catchUp(hosts, late, hosts.at(2)), undefined);
    assert.equal(rankOf(late), 3 * LINKS_MAX + 1);
  });

  it('is kept as long as somebody may need it', () => {
    const { hosts, late } = away(4, 3 * LINKS_MAX);
    const others = hosts.nodes.filter((node) => node !== late);
    const report = (node: Node) => {
      const told = node.cluster.collector.report();
      for (const one of others) one.cluster.collector.take(told);
    };
    const tidy = () => {
      for (const node of others) node.cluster.tidy();
      hosts.run();
      return others.map(stored);
    };
    assert.deepEqual(tidy(), [3, 3, 3], 'nobody has reported');
    for (const node of hosts.nodes) report(node);
    assert.deepEqual(tidy(), [3, 3, 3], 'one does not know of it');
    assert.equal(catchUp(hosts, late, hosts.at(1)), undefined);
    report(late);
    assert.deepEqual(tidy(), [0, 0, 0]);
  });

  it('is not kept where the disk refuses the version', () => {
    const { hosts, late } = away(3, LINKS_MAX);
    const by = ownerOf(hosts);
    by.store.write([ownedBy(KEY, by.id), ownedBy(KEY, by.id)], (error) => assert.equal(error, undefined));
    hosts.run();
    assert.equal(stored(by), 1);
    const other = hosts.nodes.find((node) => node !== by && node !== late)!;
    const before = rankOf(other);
    other.store.failNextCommit();
    tell(by, other);
    hosts.run();
    assert.deepEqual([rankOf(other), stored(other)], [before, 0]);
    assert.equal(tell(by, other), undefined);
    hosts.run();
    assert.equal(stored(other), 1);
  });
});

describe('what is shown of a record', () => {
  it('is believed only as those who had it have signed it', () => {
    for (const at of [0, 40, 100, LINK_BYTES - 1, 40 * LINK_BYTES + 90]) {
      const { hosts, late } = away(4, 3 * LINKS_MAX);
      answering(hosts.at(0), (transfers) =>
        transfers.map(({ links, ...rest }) => {
          const bytes = Buffer.from(links, 'base64');
          bytes[at]! ^= 1;
          return { ...rest, links: bytes.toString('base64') };
        }),
      );
      assert.match(catchUp(hosts, late, hosts.at(0))!, /from hand to hand/, `byte ${at}`);
      assert.equal(rankOf(late), 1);
      assert.equal(catchUp(hosts, late, hosts.at(2)), undefined);
    }
  });

  it('has to be of that record, and where it says', () => {
    const strange = [
      (links: Buffer) => links.subarray(LINK_BYTES),
      (links: Buffer) => links.subarray(0, -1),
      (links: Buffer) => Buffer.concat([links.subarray(LINK_BYTES), links.subarray(0, LINK_BYTES)]),
      () => Buffer.alloc(0),
      (links: Buffer) => Buffer.concat(Array.from({ length: 20 }, () => links)),
    ];
    for (const alter of strange) {
      const { hosts, late } = away(4, 3 * LINKS_MAX);
      answering(hosts.at(0), (transfers) =>
        transfers.map(({ links, ...rest }) => {
          return { ...rest, links: alter(Buffer.from(links, 'base64')).toString('base64') };
        }),
      );
      assert.match(catchUp(hosts, late, hosts.at(0))!, /from hand to hand/, `${alter}`);
      assert.equal(catchUp(hosts, late, hosts.at(2)), undefined);
    }
    const { hosts, late } = away(4, 3 * LINKS_MAX);
    answering(hosts.at(0), (transfers) => transfers.map((one) => ({ ...one, key: 'chunk/s/4' })));
    assert.match(catchUp(hosts, late, hosts.at(0))!, /from hand to hand/);
  });

  it('gives nothing to a member that was never given it, and keeps nobody from showing the truth', () => {
    const { hosts, late } = away(4, 3 * LINKS_MAX);
    const thief = hosts.at(2);
    // It has taken the chunk right after what the other one knows, and given it to itself ever since.
    const versions = [forge(thief, owned(KEY, 2, thief.id), late.store.version(KEY))];
    for (let rank = 3; rank <= 4 * LINKS_MAX; rank++)
      versions.push(forge(thief, owned(KEY, rank, thief.id), versions.at(-1)));
    const links = versions.slice(1).map(({ seal }) => seal!.subarray(96, 96 + LINK_BYTES));
    answering(thief, (transfers) =>
      transfers.map((one) => ({
        ...one,
        links: Buffer.concat(links.slice(one.from - 2)).toString('base64'),
      })),
    );
    const known = late.store.known(thief.id);
    const last = versions.at(-1)!;
    const whats = Array.from({ length: 3 }, () => {
      const range = { origin: thief.id, from: known, to: last.sequence, records: [last] };
      const { doubt } = late.store.take([range]);
      hosts.time.now += 2000;
      late.cluster.doubts.ask(thief.id, () => {});
      hosts.run();
      return [doubt?.isForged, doubt?.what.includes('its owner has not given it')];
    });
    assert.deepEqual(whats, [
      [false, false],
      [false, true],
      [false, false],
    ]);
    assert.deepEqual([rankOf(late), late.store.known(thief.id)], [1, known]);
    assert.equal(catchUp(hosts, late, hosts.at(1)), undefined);
    assert.equal(rankOf(late), 3 * LINKS_MAX + 1);
  });
});
