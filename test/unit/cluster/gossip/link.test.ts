import assert from 'node:assert/strict';
import { Link } from '../../../../src/cluster/gossip/link.ts';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import { encode } from '../../../../src/store/gossip/frames.ts';
import type { Knowledge, Message, Ranges } from '../../../../src/store/gossip/messages.ts';
import { MemoryDisk, MemoryStore } from '../../../../src/store/memory.ts';

const [A, B, C] = ['a', 'b', 'c'].map((one) => one.repeat(32)) as [string, string, string];

function store(id: string): MemoryStore {
  return new MemoryStore({ disk: new MemoryDisk(id), classes: CLUSTER_CLASSES, durability: 'manual' });
}

/** Records with values of so many bytes. */
function fill(of: MemoryStore, count: number, bytes: number): void {
  for (let i = 0; i < count; i++)
    of.write([{ key: `host/${of.origin}/${i}`, value: `${i}`.padEnd(bytes, 'é~') }], () => {});
  of.sync();
}

/** A link from one store to another that knows nothing, and what it has sent. */
function linked(from: MemoryStore): { link: Link; sent: Message[]; wire: { waiting: number } } {
  const sent: Message[] = [];
  const wire = { waiting: 0, send: (message: Message) => void sent.push(message) };
  const link = new Link(B, from, wire, () => Number.POSITIVE_INFINITY);
  link.take({ kind: 'vector', vector: new Map() });
  return { link, sent, wire };
}

function rangesIn(sent: readonly Message[]) {
  return sent.flatMap((message) => (message.kind === 'ranges' ? [message] : []));
}

describe('a link', () => {
  it('sends large values in messages that fit into frames, and counts as had only what was sent', () => {
    const [a, b, c] = [store(A), store(B), store(C)];
    fill(a, 80, 40_000);
    fill(c, 40, 40_000);
    while (a.known(C) < c.known(C)) a.merge([c.range(C, a.known(C))]);
    a.sync();
    const { link, sent } = linked(a);
    while (link.isBehind) link.flush();
    const messages = rangesIn(sent);
    assert.ok(messages.length > 3, 'one is not enough');
    for (const message of messages) encode(message, A);
    for (const { ranges } of messages) assert.ok(b.merge(ranges), 'without holes');
    b.sync();
    assert.deepEqual([...b.vector], [...a.vector]);
    assert.equal(b.all('host').length, a.all('host').length);
  });

  it('asks for nothing while the disk refuses, and for all when there is room', () => {
    const [a, b] = [store(A), store(B)];
    fill(a, 3, 10);
    const { link, sent } = linked(b);
    const told = { kind: 'ranges', ranges: [a.range(A, 0)] } as const;
    b.disk.failure = new Error('no space left on device');
    link.take(told);
    b.sync();
    sent.length = 0;
    const { merged } = b.counts;
    link.take(told);
    link.take({ kind: 'ranges', ranges: [a.range(A, 2)] });
    link.take({ kind: 'probe', hash: '00'.repeat(8) });
    link.take({ kind: 'vector', vector: a.vector });
    b.sync();
    assert.equal(b.counts.merged, merged);
    assert.deepEqual(sent, []);
    b.probe();
    b.sync();
    link.take({ kind: 'probe', hash: '00'.repeat(8) });
    assert.deepEqual(sent, [{ kind: 'vector', vector: new Map(b.vector) }]);
    link.take(told);
    b.sync();
    assert.equal(b.known(A), 3);
  });

  it('sends small ones by the thousand', () => {
    const a = store(A);
    fill(a, 2500, 10);
    const { link, sent } = linked(a);
    while (link.isBehind) link.flush();
    assert.deepEqual(
      rangesIn(sent).map(({ ranges }) => ranges[0]!.records.length),
      [1000, 1000, 500],
    );
  });

  it('ends an exchange in which neither tells all that it knows', () => {
    const [a, b] = [store(A), store(B)];
    fill(a, 3, 10);
    fill(b, 3, 10);
    const way: { to: Link; message: Message }[] = [];
    const end = (from: MemoryStore, to: () => Link) =>
      new Link('x', from, { waiting: 0, send: (message) => void way.push({ to: to(), message }) }, () => 0);
    const ofA: Link = end(a, () => ofB);
    const ofB: Link = end(b, () => ofA);
    for (const one of [ofA, ofB]) one.tell();
    for (const one of [ofA, ofB]) one.probe();
    let count = 0;
    for (let next = way.shift(); next; next = way.shift()) {
      next.to.take(next.message as Knowledge);
      assert.ok(++count < 20, 'it goes on for ever');
    }
  });

  it('sends nothing to a peer that has much to read', () => {
    const a = store(A);
    const { link, sent, wire } = linked(a);
    fill(a, 1, 10);
    wire.waiting = 2 * 1024 * 1024;
    link.flush();
    assert.equal(rangesIn(sent).length, 0);
    wire.waiting = 0;
    link.flush();
    assert.equal(rangesIn(sent).length, 1);
  });

  it('sends nothing that is asked for either to a peer that has much to read, and sends it later', () => {
    const a = store(A);
    const sent: Message[] = [];
    const wire = { waiting: 0, send: (message: Message) => void sent.push(message) };
    const offTree = new Link(
      B,
      a,
      wire,
      () => Number.POSITIVE_INFINITY,
      () => false,
    );
    fill(a, 2, 10);
    offTree.take({ kind: 'vector', vector: new Map() });
    fill(a, 2, 10);
    offTree.flush();
    assert.deepEqual([rangesIn(sent).length, sent.at(-1)?.kind], [1, 'word']);
    wire.waiting = 2 * 1024 * 1024;
    for (let again = 0; again < 3; again++) offTree.take({ kind: 'want', lacking: new Map([[A, 3]]) });
    offTree.flush();
    assert.equal(rangesIn(sent).length, 1);
    assert.ok(offTree.isBehind, 'it was given word only');
    wire.waiting = 0;
    offTree.flush();
    const ranges = rangesIn(sent).flatMap((one) => one.ranges);
    assert.deepEqual([ranges.length, ranges[1]!.from, ranges[1]!.to], [2, 3, 4]);
    assert.ok(!offTree.isBehind);
  });

  it('sends the very same message as another one to a peer that lacks the same', () => {
    const a = store(A);
    const [one, other, ahead] = [linked(a), linked(a), linked(a)];
    fill(a, 2, 10);
    ahead.link.take({ kind: 'vector', vector: new Map([[A, 1]]) });
    const made = new Map<string, Ranges>();
    for (const { link } of [one, other, ahead]) link.flush(made);
    assert.equal(rangesIn(one.sent)[0], rangesIn(other.sent)[0]);
    assert.deepEqual(
      [one, other, ahead].map(({ sent }) =>
        rangesIn(sent).flatMap(({ ranges }) => ranges[0]!.records.length),
      ),
      [[2], [2], [1]],
    );
    for (const { link } of [one, other, ahead]) assert.ok(!link.isBehind);
  });
});
