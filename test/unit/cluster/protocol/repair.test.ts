import assert from 'node:assert/strict';
import type { Versioned } from '../../../../src/store/crdt/record.ts';
import { vectorHash } from '../../../../src/store/crdt/vector.ts';
import { Hosts, type Node } from '../world.ts';

/** Some time, in which those that are there hear of each other's writes. */
function live(hosts: Hosts, ms: number): void {
  for (let passed = 0; passed < ms; passed += 1000) {
    hosts.pass(1000);
    hosts.gossip();
  }
}

function tell(hosts: Hosts, from: Node, to: Node, origin: Node): void {
  to.store.merge([from.store.range(origin.id, to.store.known(origin.id))]);
  hosts.run();
}

/** What each host has under a key. */
function have(hosts: Hosts, key: string): unknown[] {
  return hosts.nodes.map(({ store }) => store.get(key)?.value);
}

function repaired(hosts: Hosts): number[] {
  return hosts.nodes.map(({ cluster }) => cluster.repair.counts.repaired);
}

/** Hosts that are at rest, and what they warn of. */
function rested(count: number): { hosts: Hosts; warnings: object[] } {
  const hosts = new Hosts(count);
  live(hosts, 3000);
  const warnings: object[] = [];
  hosts.warned = (what) => void warnings.push(what);
  return { hosts, warnings };
}

/** A host writes, and all hear of it. */
function write(hosts: Hosts, node: Node, key: string, value: string): Versioned {
  node.store.write([{ key, value }], (error) => assert.equal(error, undefined));
  hosts.gossip();
  return node.store.version(key)!;
}

/** Has a host without a record, as if it had never come. */
function lose(hosts: Hosts, node: Node, ...versions: Versioned[]): void {
  assert.equal(node.store.drop(versions), versions.length);
  hosts.gossip();
}

describe('repair', () => {
  /**
   * `writer` writes, `later` replaces it, and `teller` tells `missing` of the writer's writes, from which the replaced one
   * is left out, but not of what has replaced it before it dies with `later`.
   */
  function hole(): Hosts {
    const hosts = new Hosts(5);
    const [first, writer, missing, teller, later] = hosts.nodes as [Node, Node, Node, Node, Node];
    live(hosts, 2000);
    writer.store.write([{ key: 'colour/k', value: 'red' }], () => {});
    hosts.run();
    for (const to of [first, teller, later]) tell(hosts, writer, to, writer);
    later.store.write([{ key: 'colour/k', value: 'blue' }], () => {});
    hosts.run();
    tell(hosts, later, teller, later);
    tell(hosts, teller, missing, writer);
    for (const dead of [teller, later]) dead.cluster.stop();
    hosts.nodes.splice(3, 2);
    let ended: string | undefined;
    first.cluster.forgetting.forget([teller.id, later.id], false, (error) => {
      ended = error ? error.message : 'done';
    });
    live(hosts, 4000);
    assert.equal(ended, 'done');
    return hosts;
  }

  it('brings what was told as replaced, by a write that has died with all who knew it', () => {
    const hosts = hole();
    const warnings: object[] = [];
    hosts.warned = (what) => void warnings.push(what);
    const [one, other] = [hosts.at(0).store, hosts.at(2).store];
    assert.deepEqual([...one.vector].sort(), [...other.vector].sort(), 'nothing is left to be told');
    live(hosts, 200_000);
    assert.deepEqual(have(hosts, 'colour/k'), ['red', 'red', 'red']);
    assert.deepEqual(
      hosts.nodes.map(({ cluster }) => cluster.repair.counts.repaired),
      [0, 0, 1],
    );
    assert.equal(warnings.length, 1);
  });

  it('tells of a removal that was missed, where its tombstone still is', () => {
    const { hosts } = rested(3);
    const [first, writer, other] = hosts.nodes as [Node, Node, Node];
    const old = write(hosts, writer, 'colour/k', 'red');
    first.cluster.collector.collect = () => 0;
    writer.cluster.collector.collect = () => 0;
    first.store.write([{ key: 'colour/k' }], () => {});
    hosts.gossip();
    lose(hosts, other, other.store.version('colour/k')!);
    assert.equal(
      other.store.mend([{ origin: writer.id, from: 0, to: old.sequence, records: [old] }]).taken,
      1,
    );
    hosts.run();
    assert.deepEqual(have(hosts, 'colour/k'), [undefined, undefined, 'red']);
    live(hosts, 200_000);
    assert.deepEqual(have(hosts, 'colour/k'), [undefined, undefined, undefined]);
    assert.deepEqual(repaired(hosts), [0, 0, 1]);
  });

  it('goes by who wrote it, as long as that is a member: what it has removed does not come back', () => {
    const { hosts } = rested(4);
    const [writer, second, third] = hosts.nodes as [Node, Node, Node];
    const old = write(hosts, writer, 'colour/k', 'red');
    // As if it had been removed, and the tombstone forgotten, with one host that has missed that.
    for (const node of [writer, second, third]) lose(hosts, node, old);
    live(hosts, 400_000);
    assert.deepEqual(have(hosts, 'colour/k'), [undefined, undefined, undefined, undefined]);
    assert.deepEqual(repaired(hosts), [0, 0, 0, 1]);
  });

  it('brings what its writer still has, though all others have lost it', () => {
    const { hosts } = rested(3);
    const [first, writer, third] = hosts.nodes as [Node, Node, Node];
    const old = write(hosts, writer, `host/${writer.id}`, 'here');
    for (const node of [first, third]) lose(hosts, node, old);
    live(hosts, 200_000);
    assert.deepEqual(have(hosts, `host/${writer.id}`), ['here', 'here', 'here']);
    assert.deepEqual(repaired(hosts), [1, 0, 1]);
  });

  it('brings many records, some at a time', () => {
    const { hosts, warnings } = rested(2);
    const [first, writer] = hosts.nodes as [Node, Node];
    const changes = Array.from({ length: 1200 }, (_, index) => ({
      key: `colour/${index}`,
      value: 'x'.repeat(2000),
    }));
    writer.store.write(changes, () => {});
    for (let times = 0; times < 3; times++) hosts.gossip();
    lose(hosts, first, ...changes.map(({ key }) => first.store.version(key)!));
    live(hosts, 100_000);
    assert.deepEqual(repaired(hosts), [1200, 0]);
    assert.ok(warnings.length > 2, `${warnings.length} parts`);
  });

  it('does nothing where two know different things, or are different for a moment', () => {
    const { hosts } = rested(2);
    const [first, writer] = hosts.nodes as [Node, Node];
    const old = write(hosts, writer, 'colour/k', 'red');
    lose(hosts, first, old);
    writer.store.write([{ key: 'colour/other', value: 'blue' }], () => {});
    hosts.pass(200_000);
    assert.deepEqual(have(hosts, 'colour/k'), [undefined, 'red'], 'not all has been told');
    const compared = () => hosts.nodes.reduce((sum, { cluster }) => sum + cluster.repair.counts.compared, 0);
    assert.equal(compared(), 0);
    hosts.gossip();
    for (let passed = 0; compared() === 0 && passed < 100_000; passed += 100) hosts.pass(100);
    assert.ok(compared() > 0);
    first.store.mend([{ origin: writer.id, from: 0, to: old.sequence, records: [old] }]);
    hosts.pass(200_000);
    assert.deepEqual(have(hosts, 'colour/k'), ['red', 'red']);
    assert.deepEqual(repaired(hosts), [0, 0]);
  });

  it('says that a difference is still there when it could not be repaired', () => {
    const { hosts, warnings } = rested(2);
    const [first, writer] = hosts.nodes as [Node, Node];
    const lost = write(hosts, writer, 'colour/k', 'red');
    lose(hosts, first, lost);
    const takes = first.store.mend.bind(first.store);
    Object.assign(first.store, { mend: () => ({ taken: 0, doubt: undefined }) });
    live(hosts, 200_000);
    const unmended = () => hosts.nodes.reduce((sum, { cluster }) => sum + cluster.repair.counts.unmended, 0);
    assert.ok(unmended() > 0);
    assert.ok(warnings.some((what) => 'unmended' in what && String(what.unmended) === writer.id));
    Object.assign(first.store, { mend: takes });
    live(hosts, 100_000);
    const before = unmended();
    assert.deepEqual(have(hosts, 'colour/k'), ['red', 'red']);
    live(hosts, 200_000);
    assert.equal(unmended(), before);
  });

  it('goes by who else has it when the writer has stopped', () => {
    const { hosts } = rested(3);
    const [first, writer] = hosts.nodes as [Node, Node];
    lose(hosts, first, write(hosts, writer, 'colour/k', 'red'));
    writer.cluster.standing.halt('rollback');
    live(hosts, 200_000);
    assert.deepEqual(have(hosts, 'colour/k'), ['red', 'red', 'red']);
  });

  it('compares once, however often a member asks for it', () => {
    const { hosts } = rested(2);
    const [first, writer] = hosts.nodes as [Node, Node];
    lose(hosts, first, write(hosts, writer, 'colour/k', 'red'));
    const asked: string[] = [];
    const { serve } = writer.cluster;
    Object.assign(writer.cluster, {
      serve: (...[method, ...rest]: Parameters<typeof serve>) => {
        asked.push(method);
        serve(method, ...rest);
      },
    });
    const body = { vector: vectorHash(first.store.vector), sums: '', lasts: true };
    for (let i = 0; i < 100; i++) first.cluster.repair.serveCompare(writer.id, body, () => {});
    hosts.pass(6000);
    assert.equal(asked.filter((method) => method === 'compare').length, 1);
  });

  it('leaves alone who does not know how to compare', () => {
    const { hosts } = rested(2);
    const [first, writer] = hosts.nodes as [Node, Node];
    lose(hosts, first, write(hosts, writer, 'colour/k', 'red'));
    hosts.loses = (method) => method === 'compare';
    live(hosts, 200_000);
    assert.deepEqual(have(hosts, 'colour/k'), [undefined, 'red']);
    hosts.loses = () => false;
    live(hosts, 200_000);
    assert.deepEqual(have(hosts, 'colour/k'), ['red', 'red']);
  });
});
