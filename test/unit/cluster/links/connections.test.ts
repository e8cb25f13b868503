import assert from 'node:assert/strict';
import { ownedBy } from '../../../../src/cluster/protocol/ownership.ts';
import type { Hello, Message } from '../../../../src/store/gossip/messages.ts';
import type { Connection } from '../../../../src/store/gossip/transport.ts';
import { TRANSFERS } from '../../../../src/store/transfers.ts';
import {
  areAlike,
  asked,
  CLUSTER,
  type MemoryConnection,
  MemoryNetwork,
  type NodeOptions,
  type Wired,
  Wiring,
} from '../wiring.ts';
import { SPACE } from '../world.ts';

const IDS = [...'0123456789abcdef'].map((digit) => digit.repeat(32));
const [A, B, C, D] = IDS as [string, string, string, string];

describe('connections', () => {
  let network: MemoryNetwork;
  let wiring: Wiring;

  beforeEach(() => {
    network = new MemoryNetwork();
    wiring = new Wiring();
  });
  afterEach(() => wiring.end());

  const portOf = (id: string) => 7000 + IDS.indexOf(id);
  const start = (id: string, options?: NodeOptions): Promise<Wired> => {
    wiring.places.set(id, { address: 'memory', port: portOf(id) });
    return wiring.node(network.transport(id, portOf(id)), options);
  };

  /** So many members that know of each other. */
  async function cluster(count: number): Promise<Wired[]> {
    const ids = IDS.slice(0, count);
    const nodes: Wired[] = [];
    for (const id of ids) nodes.push(await start(id));
    const founder = nodes[0]!;
    await founder.store.commit([...wiring.members(ids), { key: 'space/s', value: SPACE }]);
    for (const node of nodes.slice(1)) node.store.merge([founder.store.range(founder.id, 0)]);
    await wiring.until(() => areAlike(nodes));
    return nodes;
  }

  const linksOf = (node: Wired) => [...node.connections.peers.values()].filter((one) => one.isLinked).length;
  const write = (node: Wired, key: string) => node.store.commit([{ key, value: node.id }]);

  /** A stranger on the network that says what it likes. */
  function stranger(id: string, to: Wired) {
    const [here, far] = network.pair(id, to.id);
    const heard: Message[] = [];
    here.onMessage((message) => void heard.push(message));
    network.connect(to.id, far);
    return { here, heard };
  }
  const hello = (id: string, more: Partial<Hello> = {}): Hello => ({
    kind: 'hello',
    protocol: 1,
    cluster: CLUSTER,
    id,
    boot: 'theirs',
    bootSequence: 1,
    purpose: 'call',
    wallMs: 1_800_000_000_000,
    ...more,
  });
  const codesIn = (heard: readonly Message[]) =>
    heard.flatMap((message) => (message.kind === 'goodbye' ? [message.code] : []));

  it('bring what one writes to all others', async () => {
    const nodes = await cluster(5);
    for (const node of nodes) await write(node, `policy/${node.id}`);
    await wiring.until(() => areAlike(nodes), 2000);
    for (const node of nodes) assert.equal([...node.store.all('policy')].length, 5);
  });

  it('keep three links that each has opened, and no two to the same', async () => {
    const nodes = await cluster(8);
    await wiring.until(() => nodes.every((node) => linksOf(node) >= 3));
    await wiring.pass(5000);
    for (const { gossip } of nodes) assert.equal(new Set(gossip.peers).size, gossip.peers.length);
  });

  it('are tried first with those that seem to be there, and with the others all the same', async () => {
    const ids = IDS.slice(0, 6);
    const a = await start(A, { isAway: (id) => id === B || id === C });
    for (const id of ids.slice(1)) await start(id);
    // Nobody answers, so that it goes on to try. The first attempt after its start may be at anybody.
    const { promise, resolve } = Promise.withResolvers<void>();
    network.hold = promise;
    await wiring.pass(1000);
    await a.store.commit(wiring.members(ids));
    await wiring.until(() => network.dials.length === 5);
    const [first, rest] = [network.dials.slice(0, 3), network.dials.slice(3)];
    assert.deepEqual(
      [first.toSorted(), rest.toSorted()],
      [
        ['0>3', '0>4', '0>5'],
        ['0>1', '0>2'],
      ],
    );
    resolve();
  });

  it('keep one link when two dial each other at once', async () => {
    const [a, b] = await cluster(2);
    network.cut(() => false);
    await wiring.until(() => linksOf(a!) + linksOf(b!) === 0);
    const { promise, resolve } = Promise.withResolvers<void>();
    network.dials.length = 0;
    network.hold = promise;
    network.cut(() => true);
    await wiring.until(() => network.dials.includes('0>1') && network.dials.includes('1>0'));
    resolve();
    await wiring.until(() => network.connections.filter(({ sent }) => sent.includes('vector')).length >= 4);
    await wiring.pass(100);
    assert.deepEqual([linksOf(a!), linksOf(b!)], [1, 1]);
    assert.deepEqual([a!.gossip.peers, b!.gossip.peers], [[B], [A]]);
    for (const [from, to] of [[a!, B] as const, [b!, A] as const])
      assert.equal(await settle(asked(from, to, 'stored', { id: A })), '{"stored":true}');
    const kept = network.connections.filter(({ reason }) => reason === undefined);
    assert.deepEqual(
      kept.map(({ self, dialed }) => [self, dialed]),
      [
        [A, true],
        [B, false],
      ],
    );
  });

  it('keep the newer of two that the same host has opened', async () => {
    const a = await start(A);
    await a.store.commit(wiring.members([A, B]));
    const opened = [];
    for (let count = 0; count < 2; count++) {
      const { here } = stranger(B, a);
      here.send(hello(B, { purpose: 'link' }));
      opened.push(here);
      await wiring.pass(50);
    }
    assert.equal(linksOf(a), 1);
    assert.deepEqual(
      opened.map(({ reason }) => reason === undefined),
      [false, true],
    );
  });

  it('are tried with others now and then, and not more of them are kept', async () => {
    const nodes = await cluster(16);
    await wiring.pass(10_000);
    network.dials.length = 0;
    await wiring.pass(40_000);
    assert.deepEqual(new Set(network.dials.map(([from]) => from)).size, 16, 'everybody has tried');
    for (const { id } of nodes) {
      const opened = network.connections.filter(
        ({ self, dialed, reason }) => self === id && dialed && reason === undefined,
      );
      assert.ok(opened.length <= 4, `${opened.length} of ${id[0]}`);
    }
  });

  /** What a promise ends with, while time passes. */
  async function settle<T>(promise: Promise<T>, ms = 20_000): Promise<T> {
    let ended = false;
    void promise.finally(() => {
      ended = true;
    });
    await wiring.until(() => ended, ms);
    return promise;
  }

  it('carry wants, claims and names', async () => {
    const [a, b, c] = await cluster(3);
    const space = () => b!.cluster.spaces.get('s')!;
    const ended = (call: (done: (error?: Error) => void) => void) =>
      settle(new Promise<string>((resolve) => call((error) => resolve(error?.message ?? 'done'))));
    assert.equal(await ended((done) => b!.cluster.wants.want(space(), done)), 'done');
    assert.equal(b!.cluster.ownership.of(B).length, 1);
    const use = (node: Wired) => () => [{ key: `allocation/${node.id}/s/60`, value: { state: 'held' } }];
    assert.equal(await ended((done) => c!.cluster.claims.claim(space(), 60n, use(c!), done)), 'done');
    assert.match(
      await ended((done) => b!.cluster.claims.claim(space(), 60n, use(b!), done)),
      /NR_ADDRESS_IN_USE/,
    );
    assert.ok(a!.store.get(`lent/${A}/s/60`));
  });

  it('answer a request with an error of the other host, and one that takes too long with unreachable', async () => {
    const [a] = await cluster(2);
    assert.match(await settle(asked(a!, B, 'no-such', {})), /NR_METHOD_UNKNOWN/);
    network.cut(() => false);
    assert.match(await settle(asked(a!, B, 'stored', { id: A })), /NR_MEMBER_UNREACHABLE/);
    assert.match(
      await settle(asked(a!, C, 'stored', { id: A })),
      /NR_MEMBER_UNREACHABLE/,
      'no place is known',
    );
  });

  it('take answers only from who was asked, and once', async () => {
    const [a] = await cluster(3);
    await wiring.until(() => linksOf(a!) === 2);
    const toB = network.connections.find(({ self, peer, reason }) => self === B && peer === A && !reason)!;
    const toC = network.connections.find(({ self, peer, reason }) => self === C && peer === A && !reason)!;
    // B does not answer this one at all.
    const answer = asked(a!, B, 'stored', { id: A });
    toB.sendBytes = () => {};
    for (let id = 0; id < 100; id++) toC.send({ kind: 'reply', id, body: 'forged' });
    assert.match(await settle(answer), /NR_MEMBER_UNREACHABLE/);
  });

  it('ask again on another connection when the one asked on ends', async () => {
    const [a] = await cluster(2);
    await wiring.until(() => linksOf(a!) === 1);
    const dead = network.connections.filter(({ reason }) => reason === undefined);
    for (const one of dead) one.isDead = true;
    assert.match(await settle(asked(a!, B, 'stored', { id: A }, 500)), /NR_MEMBER_UNREACHABLE/);
    assert.equal(await settle(asked(a!, B, 'stored', { id: A }, 500)), '{"stored":true}', 'on a new one');
  });

  it('end a request when the connection ends, and not with its deadline', async () => {
    const [a] = await cluster(2);
    await wiring.until(() => linksOf(a!) === 1);
    const toA = network.connections.find(({ self, reason }) => self === B && !reason)!;
    toA.sendBytes = () => {};
    const answer = asked(a!, B, 'stored', { id: A }, 60_000);
    await wiring.pass(100);
    toA.close('cut');
    assert.match(await settle(answer, 1000), /NR_MEMBER_UNREACHABLE/);
  });

  it('pose a request again on another connection when one ends', async () => {
    const [a, b] = await cluster(2);
    await wiring.until(() => linksOf(a!) === 1);
    const toA = network.connections.find(({ self, reason }) => self === B && !reason)!;
    const { here, heard } = stranger(B, a!);
    here.send(hello(B, { boot: b!.boot }));
    await wiring.pass(50);
    toA.sendBytes = () => {};
    const answer = asked(a!, B, 'stored', { id: A }, 60_000);
    await wiring.pass(50);
    toA.close('cut');
    await wiring.until(() => heard.some(({ kind }) => kind === 'request'), 1000);
    const { id } = heard.find(({ kind }) => kind === 'request') as { id: number };
    here.send({ kind: 'reply', id, body: 'here' });
    assert.equal(await settle(answer, 1000), '"here"');
  });

  it('go on with a host that was killed and started again', async () => {
    const nodes = await cluster(3);
    const c = nodes[2]!;
    await write(c, 'policy/before');
    await wiring.until(() => areAlike(nodes));
    const { disk } = c.store;
    await c.stop();
    await write(nodes[0]!, 'policy/meanwhile');
    await wiring.pass(20_000);
    const again = await start(C, { disk, boot: 'second' });
    await wiring.until(() => areAlike([nodes[0]!, nodes[1]!, again]), 15_000);
    assert.ok(again.store.get('policy/meanwhile'));
    assert.equal(again.cluster.standing.halted, undefined);
  });

  it('are made again after a cut, soon but not in a storm', async () => {
    const nodes = await cluster(2);
    network.cut(() => false);
    network.dials.length = 0;
    await wiring.pass(60_000);
    assert.ok(network.dials.length > 8 && network.dials.length < 60, `${network.dials.length} dials`);
    await write(nodes[0]!, 'policy/apart');
    network.cut(() => true);
    await wiring.until(() => areAlike(nodes), 15_000);
  });

  it('join halves that have kept as many links as they want among themselves', async () => {
    const nodes = await cluster(16);
    const side = (id: string) => IDS.indexOf(id) < 8;
    network.cut((from, to) => side(from) === side(to));
    await wiring.pass(60_000);
    await write(nodes[0]!, 'policy/left');
    await write(nodes[15]!, 'policy/right');
    await wiring.pass(1000);
    assert.ok(!areAlike(nodes));
    network.cut(() => true);
    await wiring.until(() => areAlike(nodes), 15_000);
  });

  it('tell a host that is gone so, whoever of the two has dialled, and end what is open', async () => {
    const nodes = await cluster(3);
    const [a, , c] = nodes;
    await wiring.until(() => [...a!.connections.peers.keys()].includes(C));
    const seal = a!.store.known(C);
    await a!.store.commit([{ key: `gone/${C}`, value: { seal, how: 'forgotten', by: A, heir: A, last: 3 } }]);
    await wiring.until(() => c!.cluster.standing.halted === 'gone', 1000);
    await wiring.until(() => ![...a!.connections.peers.keys()].includes(C), 1000);
    const { disk } = c!.store;
    await c!.stop();
    const again = await start(C, { disk, boot: 'second' });
    await wiring.until(() => again.cluster.standing.halted === 'gone', 15_000);
    assert.ok(![...a!.connections.peers.keys()].includes(C));
  });

  it('close the link of a host that is frozen, and take none from it, but answer it', async () => {
    const [a, b] = await cluster(2);
    await wiring.until(() => linksOf(a!) === 1);
    const promise = { to: [{ coordinator: C, attempt: 1 }], limit: a!.store.known(B) };
    await a!.store.commit([{ key: `promise/${B}`, value: promise }]);
    await wiring.until(() => linksOf(a!) === 0 && linksOf(b!) === 0, 1000);
    await wiring.pass(20_000);
    assert.deepEqual([linksOf(a!), linksOf(b!)], [0, 0]);
    assert.equal(b!.cluster.standing.halted, undefined);
    assert.equal(await settle(asked(b!, A, 'stored', { id: B })), '{"stored":true}');
    await a!.store.commit([{ key: `promise/${B}` }]);
    await wiring.until(() => linksOf(a!) === 1, 30_000);
  });

  it('tell a copy of a host so', async () => {
    const [a, b] = await cluster(2);
    await wiring.until(() => linksOf(a!) === 1);
    const copy = stranger(B, a!);
    copy.here.send(hello(B, { boot: 'copy', bootSequence: b!.store.known(B) }));
    await wiring.until(() => codesIn(copy.heard).length > 0, 1000);
    assert.deepEqual(codesIn(copy.heard), ['NR_MEMBER_CLONED']);
    await wiring.until(() => copy.here.reason !== undefined, 1000);
  });

  for (const [what, said, code] of [
    ['of another cluster', { cluster: CLUSTER.replace('0', '1') }, 'NR_MEMBER_REFUSED'],
    ['under another id', { id: B }, 'NR_MEMBER_REFUSED'],
    ['of no protocol', { protocol: 0 }, 'NR_MEMBER_REFUSED'],
  ] as const) {
    it(`refuse a hello ${what}`, async () => {
      const [a] = await cluster(2);
      const { here, heard } = stranger(C, a!);
      here.send({ ...hello(C), ...said });
      await wiring.until(() => here.reason !== undefined, 1000);
      assert.deepEqual(codesIn(heard), [code]);
      assert.ok(!a!.connections.peers.has(C));
      assert.equal(a!.cluster.standing.halted, undefined);
    });
  }

  it('tell a host nothing that is not known as a member, and take from it only what members wrote', async () => {
    const [a, b] = await cluster(2);
    const { here, heard } = stranger(C, a!);
    here.send(hello(C, { purpose: 'link' }));
    here.send({ kind: 'vector', vector: new Map() });
    const version = { key: `host/${C}`, class: 'owned', text: '1', origin: C, sequence: 1, rank: 1 } as const;
    const own = { origin: C, from: 0, to: 1, records: [version] };
    // It was away, and the other one has changed since.
    network.cut((from, to) => from === C || to === C);
    await write(b!, 'policy/new');
    await wiring.pass(1000);
    here.send({ kind: 'ranges', ranges: [own, b!.store.range(B, a!.store.known(B))] });
    here.send({ kind: 'report', id: C, life: 1, number: 1, vector: new Map([[C, 1]]) });
    await wiring.until(() => a!.store.get('policy/new') !== undefined, 1000);
    await wiring.pass(5000);
    assert.equal(a!.store.known(C), 0);
    assert.equal(a!.store.version(`host/${C}`), undefined);
    assert.ok(![...a!.cluster.collector.all()].some(({ id }) => id === C));
    assert.ok(!heard.some(({ kind }) => kind === 'ranges'));
    // It is let in: what it knows is asked for at once, and what it does not know is told.
    heard.length = 0;
    const member = { number: 3, key: 'k', complete: false };
    await a!.store.commit([{ key: `member/${C}`, value: member }]);
    await wiring.until(() => heard.some(({ kind }) => kind === 'vector'), 100);
    here.send({ kind: 'ranges', ranges: [own] });
    await wiring.until(() => a!.store.known(C) === 1, 100);
    here.send({ kind: 'vector', vector: new Map() });
    await wiring.until(() => heard.some(({ kind }) => kind === 'ranges'), 100);
  });

  it('tell a host so that was not asked when another one was forgotten', async () => {
    const [a, b] = await cluster(2);
    const value = { seal: b!.store.known(B), how: 'forgotten', by: A, heir: A, last: 2 };
    await a!.store.commit([{ key: `gone/${B}`, value }]);
    const { here, heard } = stranger(C, a!);
    here.send(hello(C, { purpose: 'link' }));
    here.send({ kind: 'vector', vector: new Map([[B, value.seal]]) });
    await wiring.pass(100);
    assert.deepEqual(codesIn(heard), []);
    here.send({ kind: 'vector', vector: new Map([[B, value.seal + 1]]) });
    await wiring.until(() => here.reason !== undefined, 1000);
    assert.deepEqual(codesIn(heard), ['NR_MEMBER_PASSED']);
    assert.ok(!a!.connections.peers.has(C));
  });

  it('halt a host that is told to have been passed over', async () => {
    const [a] = await cluster(2);
    const { here } = stranger(C, a!);
    here.send(hello(C));
    here.send({ kind: 'goodbye', code: 'NR_MEMBER_PASSED', what: 'so it is' });
    await wiring.until(() => a!.cluster.standing.halted === 'passed', 1000);
  });

  it('let nobody take a member out of sight', async () => {
    const [a] = await cluster(2);
    const before = a!.store.counts.refused;
    const values = [undefined, '5', '{"number":"x"}'];
    for (const text of values) {
      for (const key of [`member/${A}`, `gone/${A}`]) {
        const from = a!.store.known(B);
        const dot = { origin: B, sequence: from + 1 };
        const rank = a!.store.version(`member/${A}`)!.rank + 1_000_000;
        const records = [{ key, class: 'shared' as const, text, ...dot, rank }];
        a!.store.merge([{ origin: B, from, to: from + 1, records }]);
        await a!.store.commit([]);
      }
    }
    assert.equal(a!.store.counts.refused - before, 2 * values.length);
    assert.equal(a!.cluster.members.get(A)?.number, 1);
    assert.equal(a!.cluster.members.isPresent(A), true);
  });

  it('do not believe one that was sent away', async () => {
    const [a, b] = await cluster(2);
    await a!.store.commit([
      { key: `gone/${C}`, value: { seal: 0, how: 'forgotten', by: A, heir: A, last: 2 } },
    ]);
    await wiring.until(() => b!.cluster.members.gone(C) !== undefined);
    for (const node of [a!, b!]) {
      const { here } = stranger(C, node);
      here.send({ kind: 'goodbye', code: 'NR_MEMBER_GONE', what: 'so it is' });
      await wiring.until(() => here.reason !== undefined, 1000);
      assert.equal(node.cluster.standing.halted, undefined);
    }
    assert.equal(wiring.refused.get('gone'), 2);
  });

  it('count whom they do not let in, by why', async () => {
    const [a, b] = await cluster(2);
    const end = async (...said: Message[]) => {
      const { here } = stranger(C, a!);
      for (const one of said) here.send(one);
      await wiring.until(() => here.reason !== undefined, 10_000);
    };
    await end(hello(C, { cluster: CLUSTER.replace('0f', '1f') }));
    await end(hello(b!.id));
    await end(hello(C, { protocol: 0 }));
    await end({ kind: 'probe', hash: '0'.repeat(16) });
    await end(hello(C, { founder: C }));
    await end(hello(C), hello(C));
    await end();
    const counts = {
      cluster: 1,
      identity: 1,
      protocol: 1,
      'no-hello': 1,
      founder: 1,
      'second-hello': 1,
      speechless: 1,
    };
    assert.deepEqual(Object.fromEntries(wiring.refused), counts);
    // Of the founder that it knows nothing has to be said.
    const { here } = stranger(C, a!);
    here.send(hello(C));
    await wiring.pass(100);
    assert.equal(here.reason, undefined);
  });

  it('write nothing for all on a host that has not been let in', async () => {
    const a = await start(A);
    await assert.rejects(write(a, 'policy/early'), /NR_MEMBER_INCOMPLETE/);
    assert.equal(a.store.get('policy/early'), undefined);
    await a.store.commit([{ key: `host/${A}`, value: {} }]);
    await a.store.commit([...wiring.members([A]), { key: 'policy/founders', value: 1 }]);
    await write(a, 'policy/late');
  });

  it('end when no hello comes, or something else before it', async () => {
    const [a] = await cluster(2);
    const silent = stranger(C, a!);
    const rash = stranger(C, a!);
    rash.here.send({ kind: 'request', id: 1, method: 'stored', body: { id: A } });
    await wiring.until(() => rash.here.reason !== undefined, 1000);
    assert.deepEqual(rash.heard, []);
    assert.equal(silent.here.reason, undefined);
    await wiring.until(() => silent.here.reason !== undefined, 6000);
  });

  it('do not take a seed that is this very host for a copy', async () => {
    const seeds = [{ address: 'memory', port: portOf(A) }];
    const a = await start(A, { seeds });
    await a.store.commit(wiring.members([A]));
    await wiring.pass(20_000);
    assert.ok(network.dials.includes('0>0'));
    assert.equal(a.cluster.standing.halted, undefined);
    assert.equal(a.connections.peers.size, 0);
  });

  it('find a copy of this very host', async () => {
    const [a] = await cluster(2);
    const { here, heard } = stranger(A, a!);
    here.send(hello(A));
    await wiring.until(() => here.reason !== undefined, 1000);
    assert.deepEqual(codesIn(heard), ['NR_MEMBER_CLONED']);
    assert.equal(a!.cluster.standing.halted, 'clone');
  });

  it('find members by a seed while none is known', async () => {
    const [a, b] = await cluster(2);
    const c = await start(C, { seeds: [{ address: 'memory', port: portOf(B) }] });
    await wiring.pass(10_000);
    assert.equal(c.store.get(`member/${A}`), undefined, 'nobody has let it in');
    const [, , member] = wiring.members([A, B, C]);
    await a!.store.commit([member!]);
    await wiring.until(() => areAlike([a!, b!, c]), 20_000);
    assert.ok(c.store.get(`member/${A}`));
  });

  it('find by a seed also those that nobody linked knows the place of', async () => {
    const isHere = (id: string) => id === A || id === B;
    network.cut((from, to) => isHere(from) === isHere(to));
    const nodes: Wired[] = [];
    for (const id of [A, B, C, D])
      nodes.push(await start(id, id === D ? { seeds: [{ address: 'memory', port: portOf(B) }] } : {}));
    const [founder, ...others] = nodes as [Wired, ...Wired[]];
    await founder.store.commit(wiring.members([A, B, C, D]));
    for (const node of others) node.store.merge([founder.store.range(A, 0)]);
    await wiring.until(() => nodes.every((node) => linksOf(node) === 1));
    wiring.places.clear();
    network.cut(() => true);
    await write(founder, 'policy/x');
    await wiring.until(() => areAlike(nodes), 60_000);
  });

  it('outlive poison: bytes that are no frame, answers to nothing, a second hello', async () => {
    const nodes = await cluster(3);
    const [a] = nodes;
    await wiring.until(() => linksOf(a!) === 2);
    const ofB = () =>
      network.connections.find(({ self, peer, reason }) => self === B && peer === A && !reason);
    ofB()!.sendBytes(Uint8Array.of(0, 0, 0, 3, 1, 4, 0xff));
    await wiring.until(() => linksOf(a!) === 1, 1000);
    await wiring.until(() => ofB() !== undefined && linksOf(a!) === 2);
    ofB()!.send({ kind: 'reply', id: 77, body: { a: 1 } });
    ofB()!.send({ kind: 'request', id: 1, method: 'claim', body: 'nonsense' });
    ofB()!.send(hello(B));
    await wiring.until(() => linksOf(a!) === 1, 1000);
    await write(nodes[1]!, 'policy/after');
    await wiring.until(() => areAlike(nodes));
    const codes = wiring.warnings.map((what) => (what as { err?: { code: string } }).err?.code);
    assert.deepEqual(codes, ['NR_REQUEST_INVALID'], 'what it asked for is logged');
  });

  it('tell who asks too much, and go on', async () => {
    const [a] = await cluster(2);
    const body = { id: 'x'.repeat(5 * 1024 * 1024) };
    assert.match(
      await settle(asked(a!, B, 'stored', body)),
      /NR_MEMBER_UNREACHABLE.*cannot be asked so much/,
    );
    assert.equal(await settle(asked(a!, B, 'stored', { id: A })), '{"stored":true}');
  });

  describe('that were made with a secret on its way out', () => {
    /** Those that were there before so many, at both ends. */
    const outdated = (nodes: readonly Wired[], isOld: (connection: Connection) => boolean) =>
      nodes.flatMap((node) => node.connections.peersOf(isOld));
    const amongFirst = (count: number) => (connection: Connection) =>
      network.connections.indexOf(connection as MemoryConnection) < count;

    it('go on until another one has taken their place, however often that fails', async () => {
      const nodes = await cluster(2);
      const isOld = amongFirst(network.connections.length);
      network.reaches = () => false;
      const dials = network.dials.length;
      for (const { connections } of nodes) connections.renew(isOld);
      await wiring.until(() => network.dials.length > dials);
      await wiring.pass(1000);
      assert.deepEqual(nodes.map(linksOf), [1, 1]);
      network.reaches = () => true;
      await wiring.until(() => outdated(nodes, isOld).length === 0);
      assert.deepEqual(nodes.map(linksOf), [1, 1]);
    });

    it('are replaced although they were still being made when it was', async () => {
      const nodes = [await start(A), await start(B)];
      const { promise, resolve } = Promise.withResolvers<void>();
      network.hold = promise;
      await nodes[0]!.store.commit(wiring.members([A, B]));
      await wiring.until(() => network.dials.length > 0);
      let isOld: (connection: Connection) => boolean = () => true;
      for (const { connections } of nodes) connections.renew((connection) => isOld(connection));
      resolve();
      await wiring.until(() => linksOf(nodes[0]!) === 1);
      isOld = amongFirst(network.connections.length);
      await wiring.until(() => outdated(nodes, isOld).length === 0 && linksOf(nodes[0]!) === 1);
    });

    it('are not made anew all the time while the other side takes no other secret', async () => {
      const nodes = await cluster(2);
      const dials = network.dials.length;
      for (const { connections } of nodes) connections.renew(() => true);
      await wiring.pass(20_000);
      const made = network.dials.length - dials;
      assert.ok(made >= 2 && made <= 5, `${made}`);
    });
  });

  it('close those for requests when they are not used', async () => {
    const [a, b] = await cluster(2);
    const promise = { to: [{ coordinator: C, attempt: 1 }], limit: 0 };
    await a!.store.commit([{ key: `promise/${B}`, value: promise }]);
    assert.equal(await settle(asked(b!, A, 'stored', { id: B })), '{"stored":true}');
    await wiring.until(() => b!.connections.peers.size === 1, 1000);
    await wiring.until(() => b!.connections.peers.size === 0, 90_000);
  });

  it('carry what one of two lacks without knowing it', async () => {
    const [a, b] = await cluster(2);
    await a!.store.commit([{ key: 'policy/p', value: 'kept' }]);
    await wiring.until(() => areAlike([a!, b!]) && b!.store.get('policy/p') !== undefined);
    b!.store.drop([b!.store.version('policy/p')!]);
    await wiring.until(() => b!.store.get('policy/p') !== undefined, 300_000);
    assert.deepEqual(b!.store.get('policy/p')?.value, 'kept');
    assert.equal(b!.cluster.repair.counts.repaired, 1);
  });

  it('know when a member was heard, and how far its clock is ahead', async () => {
    const a = await start(A);
    const b = await start(B, { aheadMs: 90_000 });
    await a.store.commit(wiring.members([A, B]));
    b.store.merge([a.store.range(A, 0)]);
    await wiring.until(() => areAlike([a, b]) && linksOf(a) === 1);
    const { at, offsetMs } = a.connections.heard(B)!;
    assert.ok(Math.abs(offsetMs - 90_000) < 1000, `${offsetMs}`);
    assert.ok(Math.abs(b.connections.heard(A)!.offsetMs + 90_000) < 1000);
    await wiring.pass(5000);
    assert.ok(a.connections.heard(B)!.at > at);
  });

  it('notice that a clock is set, on both sides, and go on as before', async () => {
    const a = await start(A);
    const clock = { setMs: 0 };
    const b = await start(B, { setMs: () => clock.setMs });
    await a.store.commit(wiring.members([A, B]));
    b.store.merge([a.store.range(A, 0)]);
    await wiring.until(() => areAlike([a, b]) && linksOf(a) === 1);
    for (const setMs of [3_600_000, -3_600_000, 0]) {
      const heard = b.connections.heard(A)!.at;
      clock.setMs = setMs;
      assert.ok(Math.abs(b.connections.heard(A)!.offsetMs + setMs) < 1000);
      assert.equal(b.connections.heard(A)!.at, heard);
      await wiring.until(() => Math.abs(a.connections.heard(B)!.offsetMs - setMs) < 1000);
      assert.equal(linksOf(a), 1);
    }
  });

  it('say why a member cannot be reached', async () => {
    const [a] = await cluster(2);
    network.cut(() => false);
    await wiring.until(() => a!.connections.trouble(B)?.includes('nobody is there') ?? false);
    network.cut(() => true);
    await wiring.until(() => linksOf(a!) === 1);
    await wiring.until(() => a!.connections.trouble(B) === undefined);
  });

  it('leave nothing running when they stop', async () => {
    const nodes = await cluster(2);
    await wiring.until(() => linksOf(nodes[0]!) === 1);
    const answer = asked(nodes[0]!, B, 'stored', { id: A });
    void answer;
    await nodes[0]!.stop();
    await wiring.until(() => linksOf(nodes[1]!) === 0, 1000);
  });

  it('end with a member that tells what is not sealed, and say why', async () => {
    const a = await start(A, { isSealed: true });
    await a.store.commit(wiring.members([A, B]));
    const b = await start(B);
    b.store.merge([a.store.range(A, 0)]);
    await wiring.until(() => linksOf(a) > 0);
    assert.deepEqual(wiring.warnings, []);
    await b.store.commit([{ key: 'member/x', value: {} }]);
    await wiring.until(() => linksOf(a) === 0);
    assert.match(JSON.stringify(wiring.warnings[0]), /NR_RECORD_FORGED.*it has no seal/);
    const dials = network.dials.length;
    await wiring.pass(50_000);
    assert.equal(wiring.warnings.length, 1, 'no link with it for a minute');
    assert.equal(a.connections.peers.get(B)?.isLinked ?? false, false);
    assert.ok(network.dials.length - dials < 40, `${network.dials.length - dials} dials`);
    await wiring.until(() => wiring.warnings.length > 1);
    assert.equal(a.store.get('member/x'), undefined);
    assert.ok(a.cluster.doubts.counts.get('forged')! > 0);
  });

  it('bring all to who was away while something changed hands more often than its seal tells', async () => {
    const ids = IDS.slice(1, 5);
    const nodes: Wired[] = [];
    for (const id of ids) nodes.push(await start(id, { isSealed: true }));
    const [founder, other, , late] = nodes as [Wired, Wired, Wired, Wired];
    const members = wiring
      .members(ids)
      .map(({ key, value }, at) => ({ key, value: { ...value, key: ids[at]! } }));
    await founder.store.commit([...members, ownedBy('chunk/s/1', founder.id)]);
    for (const node of nodes.slice(1)) node.store.merge([founder.store.range(founder.id, 0)]);
    await wiring.until(() => areAlike(nodes));
    network.cut((from, to) => from !== late.id && to !== late.id);
    for (let turn = 0; turn < 80; turn++) {
      const [by, to] = turn % 2 === 0 ? [founder, other] : [other, founder];
      await by.store.commit([ownedBy('chunk/s/1', to.id)]);
      await wiring.until(() => to.cluster.ownership.owner('chunk/s/1') === to.id);
    }
    assert.equal(late.store.version('chunk/s/1')?.rank, 1);
    network.cut(() => true);
    await wiring.until(() => areAlike(nodes));
    assert.equal(late.store.version('chunk/s/1')?.rank, 81);
    // When it has said so, the others need not keep what they have shown it.
    await wiring.until(() => nodes.every(({ store }) => [...store.list(TRANSFERS)].length === 0));
    assert.deepEqual(wiring.warnings, []);
  });
});
