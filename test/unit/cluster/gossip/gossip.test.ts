import assert from 'node:assert/strict';
import { Gossip, type GossipMessage } from '../../../../src/cluster/gossip/gossip.ts';
import { Collector } from '../../../../src/cluster/protocol/collector.ts';
import { Doubts } from '../../../../src/cluster/protocol/doubts.ts';
import { Members, memberChange } from '../../../../src/cluster/protocol/members.ts';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import { Standing } from '../../../../src/cluster/protocol/standing.ts';
import { MemoryStore } from '../../../../src/store/memory.ts';
import { ManualClock } from '../../store/manualclock.ts';

const ids = Array.from({ length: 40 }, (_, at) => `${at}`.padStart(32, '0'));

/** Gossip with two links, whose other ends take everything and say nothing. */
function gossiping() {
  const store = new MemoryStore({ classes: CLUSTER_CLASSES, durability: 'manual' });
  const clock = new ManualClock(1_800_000_000_000);
  const members = new Members(store);
  const standing = new Standing(store, members);
  standing.arrived();
  for (const id of [store.origin, ...ids])
    store.write([memberChange({ id, number: 1, complete: true, key: 'k', name: id })], () => {});
  store.sync();
  const collector = new Collector({ replica: store, members, standing });
  const log = { warn: () => {}, info: () => {} };
  const timer = { now: () => clock.now(), after: clock.after };
  const ground = { calls: { ask: () => {} }, timer, random: () => 0.5, log };
  const doubts = new Doubts({ replica: store, members, ground });
  const gossip = new Gossip({ replica: store, cluster: { collector, doubts, members, standing }, ground });
  const connect = (peer: string): GossipMessage[] => {
    const sent: GossipMessage[] = [];
    const send = (message: GossipMessage) => void sent.push(message);
    gossip.connected(peer, { waiting: 0, refuse: () => {}, distrust: () => {}, send });
    return sent;
  };
  const write = () => {
    store.write([{ key: `host/${store.origin}`, value: clock.now() }], () => {});
    store.sync();
  };
  return { store, clock, collector, connect, write };
}

function reports(sent: readonly GossipMessage[]) {
  return sent.filter((message) => message.kind === 'report');
}

describe('gossip', () => {
  it('reports what is on disk, in one message to all, when that has changed, and else now and then', () => {
    const { clock, connect, write } = gossiping();
    const [one, other] = [connect(ids[0]!), connect(ids[1]!)];
    const counts: number[] = [];
    for (let round = 0; round < 10; round++) {
      if (round < 3) write();
      clock.pass(5000);
      counts.push(reports(one).length);
    }
    assert.deepEqual(counts, [1, 2, 3, 3, 3, 3, 4, 4, 4, 4]);
    assert.ok(reports(one).every((report, at) => report === reports(other)[at]));
  });

  it('reports more seldom the more there is to report', () => {
    const { clock, store, connect, write } = gossiping();
    const sent = connect(ids[0]!);
    store.merge(ids.map((origin) => ({ origin, from: 0, to: 1, records: [] })));
    for (let second = 0; second < 60; second++) {
      write();
      clock.pass(1000);
    }
    // The first was due before the others were known; with 41 of them there is one each 12.3 s.
    assert.deepEqual(
      reports(sent).map((report) => 'vector' in report && report.vector.size),
      [41, 41, 41, 41, 41],
    );
  });

  it('begins a link with some of the reports that it knows', () => {
    const { collector, connect } = gossiping();
    for (const id of ids.slice(0, 10)) collector.take({ id, life: 1, number: 1, vector: new Map() });
    assert.equal(reports(connect(ids[0]!)).length, 10);
    for (const id of ids) collector.take({ id, life: 1, number: 1, vector: new Map() });
    const some = reports(connect(ids[1]!)).map((report) => 'id' in report && report.id);
    assert.equal(new Set(some).size, 16);
  });
});
