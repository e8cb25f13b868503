import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { placeOf } from '../../../../src/cluster/node/node.ts';
import { CodedError } from '../../../../src/errors.ts';
import { issue } from '../../../../src/store/trust/authority.ts';
import { TrustFolder } from '../../../../src/store/trust/folder.ts';
import { HERE, HOUR_MS, Machine, until } from '../machine.ts';
import { SPACE } from '../world.ts';

const coded = (code: string) => (error: unknown) => error instanceof CodedError && error.code === code;

describe('membership', () => {
  let machines: Machine[];

  beforeEach(() => {
    machines = [];
  });
  afterEach(async () => {
    for (const machine of machines) {
      await machine.stop();
      rmSync(machine.folder, { recursive: true });
    }
  });

  async function machine(name: string): Promise<Machine> {
    const made = await new Machine(name).start();
    machines.push(made);
    return made;
  }

  async function cluster(...names: string[]): Promise<Machine[]> {
    const [first, ...others] = await Promise.all(names.map(machine));
    await first!.it.init();
    for (const other of others) await other.it.join(first!.place, await first!.it.token(HOUR_MS));
    return [first!, ...others];
  }

  it('begins with one host, which is complete at once and stays it over restarts', async () => {
    const a = await machine('a');
    assert.equal(a.it.node, undefined);
    await assert.rejects(a.it.token(HOUR_MS), coded('NR_CLUSTER_NONE'));
    const uuid = await a.it.init();
    assert.match(uuid, /^[0-9a-f-]{36}$/);
    assert.deepEqual(a.states(), ['a present']);
    await assert.rejects(a.it.init(), coded('NR_CLUSTER_EXISTS'));
    a.it.node!.cluster.standing.mayGive();
    const { id } = a.it;
    await a.stop();
    await a.start();
    assert.equal(a.it.id, id);
    assert.deepEqual(a.states(), ['a present']);
  });

  it('lets hosts in by tokens, and each sees the others', async () => {
    const all = await cluster('a', 'b', 'c');
    for (const one of all) await until(() => one.states().length === 3);
    for (const one of all) await until(() => one.states().join() === 'a present,b present,c present');
    const [a, b] = all as [Machine, Machine];
    await until(() => b.it.hosts().every(({ port }) => port !== undefined));
    const seen = b.it.hosts().find(({ name }) => name === 'a')!;
    assert.deepEqual([seen.id, seen.address, seen.port], [a.it.id, HERE, a.place.port]);
    assert.ok(Math.abs(seen.clockOffsetMs!) < 60_000 && seen.heardAt! > 0);
    b.it.node!.cluster.standing.mayGive();
  });

  it('seals what it wrote alone, and believes nothing that is not sealed', async () => {
    const a = await machine('a');
    await a.it.replica.commit([{ key: 'chunk/s/1', value: { owner: a.it.id } }]);
    assert.equal(a.it.replica.version('chunk/s/1')?.seal, undefined);
    await a.it.init();
    const before = a.it.replica.version('chunk/s/1');
    assert.equal(before?.seal?.length, 96);
    const b = await machine('b');
    await b.it.join(a.place, await a.it.token(HOUR_MS));
    await until(() => b.it.replica.version('chunk/s/1')?.seal !== undefined);
    const there = b.it.replica.version('chunk/s/1')?.seal ?? Buffer.alloc(0);
    assert.equal(Buffer.compare(there, before.seal), 0, 'others have the same');
    // A member that keeps no rule.
    b.it.replica.sealer = undefined;
    await b.it.replica.commit([{ key: 'chunk/s/1', value: { owner: b.it.id } }]);
    await until(() => (a.it.describe().member?.refused.get('forged') ?? 0) > 0);
    assert.deepEqual(a.it.replica.version('chunk/s/1'), before);
    await until(() => a.log.some(({ text }) => text === 'a member tells what is not true'));
  });

  it('refuses a store with records of others that have no seals', async () => {
    const [a] = (await cluster('a', 'b')) as [Machine];
    const value = { number: 3, key: 'k', complete: true };
    const version = { key: 'member/x', class: 'shared', text: JSON.stringify(value), rank: 9 } as const;
    const { replica } = a.it;
    replica.sealer = undefined;
    const origin = a.it.hosts().find(({ name }) => name === 'b')!.id;
    const from = replica.known(origin);
    replica.merge([{ origin, from, to: from + 1, records: [{ ...version, origin, sequence: from + 1 }] }]);
    await replica.commit([]);
    await a.stop();
    await assert.rejects(a.start(), coded('NR_STORE_UNSEALED'));
  });

  it('redirects who asks another member than the one that admits', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    // The second holder of the key takes the certificate's part, the first one decides.
    await a.it.share('b');
    const c = await machine('c');
    await c.it.join(b.place, await b.it.token(HOUR_MS));
    await until(() => c.states().join() === 'a present,b present,c present');
  });

  it('has nothing to share with itself, and tells of no trouble with itself', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await a.it.share('a');
    assert.equal(a.it.hosts().find(({ isSelf }) => isSelf)?.trouble, undefined);
    await assert.rejects(b.it.share('b'), coded('NR_CLUSTER_KEY'));
    await a.it.share('b');
    assert.ok(b.it.hosts().every(({ holdsKey }) => holdsKey));
  });

  it('goes on with a host that was killed between its certificate and its admission', async () => {
    const [a] = (await cluster('a')) as [Machine];
    const token = await a.it.token(HOUR_MS);
    const b = await machine('b');
    const { place } = a;
    const joining = b.it.join(place, token).then(
      () => 'joined',
      () => 'ended',
    );
    await until(() => b.it.node !== undefined);
    await b.stop();
    await b.start();
    await until(() => b.states().includes('b present'));
    await Promise.race([joining, setTimeout(0)]);
  });

  it('keeps a host out that has networks, is in a cluster, or has a used token', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await assert.rejects(b.it.join(a.place, await a.it.token(HOUR_MS)), coded('NR_CLUSTER_EXISTS'));
    const c = await machine('c');
    const token = await a.it.token(HOUR_MS);
    await c.it.replica.commit([{ key: `network/${c.it.id}/n`, value: {} }]);
    await assert.rejects(c.it.join(a.place, token), coded('NR_JOIN_IN_USE'));
    await c.it.replica.commit([{ key: `network/${c.it.id}/n` }]);
    await c.it.join(a.place, token);
    const d = await machine('d');
    await assert.rejects(d.it.join(a.place, token), coded('NR_TOKEN_REFUSED'));
    await assert.rejects(d.it.join(a.place, 'nrj1_x'), coded('NR_TOKEN_INVALID'));
    assert.equal(d.it.node, undefined);
  });

  it('lets a host leave, which is a new one afterwards, and hands over what only it has', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await a.it.replica.commit([{ key: 'space/s', value: SPACE }]);
    const before = a.it.id;
    await a.it.leave();
    assert.equal(a.it.node, undefined);
    assert.notEqual(a.it.id, before);
    assert.deepEqual(
      a.it.replica.all('member').map(({ key }) => key),
      [`member/${a.it.id}`],
      'alone',
    );
    assert.deepEqual(b.states(), ['b present', 'a left']);
    assert.equal(b.it.node!.cluster.ownership.treasury('default'), b.it.id);
    // And back, let in by the one that has the key now.
    await a.it.join(b.place, await b.it.token(HOUR_MS));
    assert.deepEqual(b.states().toSorted(), ['a left', 'a present', 'b present']);
  });

  it('ends with the last one that leaves, which is alone with all that it has, and can make another one', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    const before = a.it.id;
    const uuid = a.it.node!.uuid;
    await a.it.replica.commit([
      { key: `network/${before}/n`, value: { of: 'a' } },
      { key: 'space/s', value: SPACE },
    ]);
    a.keeps = ['network'];
    await assert.rejects(a.it.leave(), coded('NR_MEMBER_IN_USE'));
    await b.it.leave();
    a.events = [];
    await a.it.leave();
    assert.deepEqual(a.events, ['detach', 'empty', 'open', 'attach']);
    assert.deepEqual([a.it.node, a.it.describe().state], [undefined, 'alone']);
    assert.notEqual(a.it.id, before);
    const records = (namespace: string) => a.it.replica.all(namespace).map(({ key, value }) => [key, value]);
    assert.deepEqual(records('network'), [[`network/${a.it.id}/n`, { of: 'a' }]]);
    assert.deepEqual(
      records('member').map(([key]) => key),
      [`member/${a.it.id}`],
    );
    for (const namespace of ['gone', 'space', 'chunk']) assert.deepEqual(records(namespace), []);
    assert.equal(new TrustFolder(a.folder).authority(), undefined);
    // And over a restart.
    await a.stop();
    await a.start();
    assert.notEqual(await a.it.init(), uuid);
    await b.it.join(a.place, await a.it.token(HOUR_MS));
    await until(() => b.it.replica.get(`network/${a.it.id}/n`) !== undefined);
    assert.deepEqual(a.states(), ['a present', 'b present']);
  });

  it('ends with one that was about to leave when the last other one was forgotten', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    await until(() => b.states().join() === 'a present,b present,c present');
    for (const one of [a, c]) await one.stop();
    void b.it.leave().catch(() => {});
    await until(() => b.it.describe().state === 'leaving');
    await b.it.replica.commit(
      [a, c].map(({ folder }) => {
        const { id } = new TrustFolder(folder).identity();
        return {
          key: `gone/${id}`,
          value: { seal: 9999, how: 'forgotten', by: b.it.id, heir: b.it.id, last: 3 },
        };
      }),
    );
    await until(() => b.it.describe().state === 'alone');
  });

  it('forgets a host by its name, tells it when it comes back, and lets it join anew', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    await until(() => b.states().length === 3);
    await c.stop();
    await assert.rejects(a.it.forget(['nobody']), coded('NR_MEMBER_UNKNOWN'));
    await a.it.forget(['c'], { ban: true });
    await until(() => b.states().includes('c forgotten'));
    await c.start();
    const before = c.it.id;
    await until(() => c.it.node!.cluster.standing.halted === 'gone');
    await c.it.join(a.place, await a.it.token(HOUR_MS));
    assert.notEqual(c.it.id, before);
    await until(
      () =>
        b
          .states()
          .filter((one) => one.startsWith('c'))
          .join() === 'c present,c forgotten',
    );
  });

  it('does not forget a host that runs, unless it is told to all the same', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    await until(() => b.states().length === 3);
    await assert.rejects(a.it.forget(['c'], { ban: true }), {
      code: 'NR_FORGET_ALIVE',
      what: 'host c runs, and has just answered this host',
    });
    assert.deepEqual(
      a.it.hosts().map(({ state, isBanned }) => [state, isBanned]),
      Array(3).fill(['present', false]),
    );
    c.it.node!.cluster.standing.mayGive();
    // By the word of another one, where this host does not find it.
    const { connections } = a.it.node!;
    const { ask } = connections;
    connections.ask = (member, ...request) =>
      ask.call(connections, member === c.it.id ? 'f'.repeat(32) : member, ...request);
    await assert.rejects(a.it.forget(['c']), {
      code: 'NR_FORGET_ALIVE',
      what: 'host c runs, and has just answered host b',
    });
    connections.ask = ask;
    await a.it.forget(['c'], { force: true });
    await until(() => b.states().includes('c forgotten'));
  });

  it('does not forget who alone holds the key, says when nobody does, and holds it by the file of one that did', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    const facts = (one: Machine) => one.it.describe().member!;
    const lost = (one: Machine) => facts(one).problems.find(({ code }) => code === 'NR_KEY_LOST');
    for (const one of [a, b, c]) await until(() => facts(one).keyHolders?.join() === 'a');
    await assert.rejects(c.it.token(HOUR_MS), {
      code: 'NR_CLUSTER_KEY',
      what: 'this host does not hold the key of the cluster, which is held by a',
      remedy: 'do it on a, or have it held here too: net-routed share, on a',
    });
    await a.stop();
    b.aheadMs = 30_000;
    const [silent] = facts(b).problems;
    assert.match(silent!.what, / tokens and new certificates, as one of them holds the key of the cluster/);
    await assert.rejects(b.it.forget(['a'], { ban: true }), {
      code: 'NR_FORGET_KEY',
      what: 'nobody but host a holds the key of the cluster',
    });
    assert.deepEqual([b.states().includes('a present'), lost(b)], [true, undefined]);
    await b.it.forget(['a'], { force: true });
    for (const one of [b, c]) await until(() => lost(one) !== undefined);
    assert.match(lost(b)!.what, /^no member holds .* the certificate of this one ends on 20\d\d-\d\d-\d\d$/);
    assert.deepEqual(facts(b).keyHolders, []);
    await assert.rejects(b.it.token(HOUR_MS), coded('NR_KEY_LOST'));
    // A backup of its folder.
    await b.stop();
    cpSync(join(a.folder, 'cluster.key'), join(b.folder, 'cluster.key'));
    await b.start();
    for (const one of [b, c]) await until(() => facts(one).keyHolders?.join() === 'b');
    assert.equal(lost(c), undefined);
    await b.it.share('c');
    const d = await machine('d');
    await d.it.join(c.place, await c.it.token(HOUR_MS));
  });

  it('stamps with the time of the others where its own clock is far ahead', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    b.aheadMs = HOUR_MS;
    await b.stop();
    await b.start();
    await until(() => b.it.hosts().some(({ isLinked }) => isLinked));
    await b.it.replica.commit([{ key: 'policy/x', value: 'ahead' }]);
    await until(() => a.it.replica.get('policy/x') !== undefined);
    await a.it.replica.commit([{ key: 'policy/x', value: 'later' }]);
    const { rank } = a.it.replica.version('policy/x')!;
    const wallMs = rank / 4096 + Date.UTC(2020, 0, 1);
    assert.ok(wallMs < Date.now() + HOUR_MS / 2, `${new Date(wallMs).toISOString()}`);
  });

  it('makes and joins no cluster with a clock that is wrong for sure, and goes on in one with that', async () => {
    const [a] = (await cluster('a')) as [Machine];
    const token = await a.it.token(HOUR_MS);
    const b = await machine('b');
    for (const at of [Date.UTC(2106, 0), Date.UTC(2000, 0)]) {
      b.aheadMs = at - Date.now();
      await assert.rejects(b.it.init(), { code: 'NR_HOST_CLOCK' });
      await assert.rejects(b.it.join(a.place, token), { code: 'NR_HOST_CLOCK' });
      assert.equal(b.it.node, undefined);
    }
    b.aheadMs = 0;
    await b.it.join(a.place, token);
    const wrong = () => a.it.describe().member!.problems.some(({ code }) => code === 'NR_HOST_CLOCK');
    assert.equal(wrong(), false);
    a.aheadMs = Date.UTC(2106, 0) - Date.now();
    assert.ok(wrong());
    await a.it.replica.commit([{ key: 'policy/x', value: 'ahead' }]);
    await until(() => b.it.replica.get('policy/x') !== undefined);
  });

  it('keeps its store when it makes a cluster, and what stands on it begins anew', async () => {
    const a = await machine('a');
    await a.it.replica.commit([{ key: `network/${a.it.id}/n`, value: {} }]);
    a.events = [];
    const { id } = a.it;
    await a.it.init();
    assert.deepEqual([a.it.id, a.events], [id, ['detach', 'open', 'attach']]);
    assert.ok(a.it.replica.get(`network/${id}/n`));
    assert.equal(a.it.hosts()[0]!.holdsKey, true);
  });

  it('changes nothing when its port is taken, or while it changes already', async () => {
    const a = await machine('a');
    const server = createServer().listen(0, HERE);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await a.stop();
    a.listen = { address: HERE, port };
    await a.start();
    a.events = [];
    await assert.rejects(a.it.init(), coded('NR_CLUSTER_LISTEN'));
    await assert.rejects(
      a.it.join({ address: HERE, port: 1 }, await tokenOfAnother()),
      coded('NR_CLUSTER_LISTEN'),
    );
    server.close();
    await once(server, 'close');
    const [one, other] = await Promise.allSettled([a.it.init(), a.it.init()]);
    assert.deepEqual([one.status, other.status], ['fulfilled', 'rejected']);
    assert.ok(coded('NR_CLUSTER_BUSY')((other as PromiseRejectedResult).reason));
    assert.deepEqual(a.events, ['detach', 'open', 'attach']);
  });

  async function tokenOfAnother(): Promise<string> {
    const [other] = await cluster('other');
    return other!.it.token(HOUR_MS);
  }

  it('serves Docker although another program has its port, says so, and listens when it is free', async function () {
    this.timeout(30_000);
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await b.stop();
    const server = createServer().listen(0, HERE);
    await once(server, 'listening');
    b.listen = { address: HERE, port: (server.address() as AddressInfo).port };
    await b.start();
    const problems = () => b.it.describe().member?.problems.map(({ code }) => code);
    await until(() => problems()?.includes('NR_MEMBER_STARTING') === false);
    assert.deepEqual(problems(), ['NR_CLUSTER_LISTEN']);
    await until(() => b.it.hosts().some(({ isLinked }) => isLinked));
    server.close();
    await until(() => b.it.describe().member?.problems.length === 0);
    await until(() => a.it.hosts().find(({ name }) => name === 'b')?.port === b.listen.port);
  });

  it('tries again when what stands on the store cannot begin', async () => {
    const a = await machine('a');
    a.doom = 'attach';
    await assert.rejects(a.it.init(), /doomed/);
    await assert.rejects(a.it.init(), coded('NR_CLUSTER_BUSY'));
    a.doom = undefined;
    await until(() => a.it.node !== undefined && a.events.at(-1) === 'attach' && a.events.length > 6);
    await until(() => a.states().join() === 'a present');
    await a.it.token(HOUR_MS);
  });

  it('does not leave with networks, and stays when it is told so', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await b.it.replica.commit([{ key: `network/${b.it.id}/n`, value: {} }]);
    await assert.rejects(b.it.leave(), coded('NR_MEMBER_IN_USE'));
    await b.it.replica.commit([{ key: `network/${b.it.id}/n` }]);
    await a.stop();
    const stays =
      /^NR_MEMBER_LEAVING: this host stays after all; nothing, as net-routed stay has asked for it/;
    const leaving = assert.rejects(b.it.leave(), { message: stays });
    await until(() => b.it.describe().state === 'leaving');
    assert.equal(b.it.change?.what, 'leave');
    await b.it.stay();
    await leaving;
    assert.equal(b.it.describe().state, 'member');
  });

  it('leaves when all of its networks were such as go by themselves, which it then has none of', async () => {
    const [, b] = (await cluster('a', 'b')) as [Machine, Machine];
    const networks = ['copy', 'own'].map((id) => ({ key: `network/${b.it.id}/${id}`, value: {} }));
    await b.it.replica.commit(networks);
    b.copies = ['copy'];
    b.events = [];
    await assert.rejects(b.it.leave(), coded('NR_MEMBER_IN_USE'));
    assert.deepEqual(b.events, ['vacate', 'back']);
    b.copies = ['copy', 'own'];
    b.meanwhile.vacate = () => b.it.stay();
    await assert.rejects(b.it.leave(), coded('NR_MEMBER_LEAVING'));
    assert.deepEqual([b.events.slice(2), b.it.describe().state], [['vacate', 'back'], 'member']);
    b.meanwhile = {};
    await b.it.leave();
    assert.deepEqual(b.events.slice(4), ['vacate', 'detach', 'empty', 'open', 'attach', 'back']);
    assert.equal(b.it.describe().state, 'alone');
  });

  it('goes on to leave when it was started again in the middle of it', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await a.stop();
    void b.it.leave().catch(() => {});
    await until(() => b.it.describe().state === 'leaving');
    await b.stop();
    await b.start();
    await a.start();
    await until(() => b.it.describe().state === 'alone');
    assert.ok(a.states().includes('b left'), a.states().join());
  });

  it('renews its certificate in time: of its own key, or by a member that holds it', async function () {
    this.timeout(30_000);
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    const authority = new TrustFolder(a.folder).authority()!;
    const now = Date.now();
    for (const one of [a, b]) {
      await one.stop();
      const folder = new TrustFolder(one.folder);
      const certificate = await issue(authority, folder.identity().publicKey, now - 62 * 24 * HOUR_MS);
      folder.keepMembership({ certificate, authority: authority.certificate });
    }
    for (const one of [a, b]) await one.start();
    for (const one of [a, b])
      await until(() => one.it.describe().member!.certifiedUntil! > now + 89 * 24 * HOUR_MS);
    const folder = new TrustFolder(b.folder);
    assert.equal(folder.authority(), undefined, 'the key was not needed');
    assert.equal(
      folder.membership()!.certificate.validToDate.getTime(),
      b.it.describe().member!.certifiedUntil,
    );
    await until(() => b.it.hosts().some(({ isLinked }) => isLinked));
  });

  it('hears of members by others, and says which of them it does not hear', async function () {
    this.timeout(60_000);
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await until(() => a.it.hosts().every(({ isSelf, heardAt }) => isSelf || heardAt !== undefined));
    assert.deepEqual(a.it.describe().member?.problems, []);
    await b.stop();
    a.aheadMs = 30_000;
    const [problem] = a.it.describe().member!.problems;
    assert.equal(problem?.code, 'NR_MEMBER_UNREACHABLE');
    assert.match(problem!.what, /^host b was not heard for \d+ s/);
    assert.doesNotMatch(problem!.what, /new networks/, 'a decides on those itself');
  });

  it('says in one line that it hears nobody, and where to look then', async function () {
    this.timeout(60_000);
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    await until(() => b.it.hosts().filter(({ heardAt }) => heardAt !== undefined).length === 2);
    await a.it.share('b');
    await until(() => b.it.describe().member?.keyHolders?.length === 2);
    for (const one of [a, c]) await one.stop();
    b.aheadMs = 30_000;
    const [problem, ...others] = b.it.describe().member!.problems;
    assert.match(problem!.what, /^this host has heard none of the 2 others for \d+ s\b.*; that blocks /);
    assert.match(
      problem!.what,
      /new networks and hosts, as one of them decides on them, and further addresses/,
    );
    assert.doesNotMatch(problem!.what, /tokens/);
    assert.match(problem!.remedy, /^look at the network of this host first, with TCP and UDP port \d+; /);
    assert.deepEqual(others, []);
  });

  it('calls a host that it cannot reach by its name', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    await until(() => b.states().length === 2);
    await assert.rejects(b.it.share('a'), coded('NR_CLUSTER_KEY'));
    await b.stop();
    await assert.rejects(a.it.share('b'), /NR_MEMBER_UNREACHABLE: host b cannot be reached/);
    await b.start();
    await until(() => !b.it.node!.cluster.standing.starting);
    await a.stop();
    const error = await new Promise<CodedError | undefined>((done) =>
      b.it.node!.cluster.names.create({ domain: 'tenant/x', records: [{ key: 'policy/x', value: 1 }] }, done),
    );
    assert.equal(error?.code, 'NR_MEMBER_UNREACHABLE');
    assert.match(error!.what, /^host a /);
  });

  it('logs who joins, leaves and is forgotten, and counts and logs who is refused', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    const said = (machine: Machine, text: string) =>
      machine.log.filter((one) => one.text === text).map(({ name }) => name);
    await until(() => said(a, 'a host has joined').length === 2);
    assert.deepEqual(said(a, 'a host joins'), ['b', 'c']);
    await b.it.leave();
    await until(() => said(c, 'a host has left').join() === 'b');
    await c.stop();
    // One of two: by force.
    await a.it.forget(['c'], { force: true });
    assert.deepEqual(said(a, 'a host is forgotten'), ['c']);

    const [other] = (await cluster('other')) as [Machine];
    const token = await other.it.token(HOUR_MS);
    await assert.rejects(b.it.join(a.place, token), coded('NR_JOIN_UNTRUSTED'));
    const expired = await a.it.token(60_000);
    a.aheadMs = 130_000;
    await assert.rejects(b.it.join(a.place, expired), coded('NR_TOKEN_REFUSED'));
    const reasons = () => [...a.it.describe().member!.refused.keys()];
    await until(() => reasons().includes('token-expired'));
    const logged = () => a.log.flatMap(({ text, reason }) => (/^refused/.test(text) ? [reason] : []));
    await until(() => logged().includes('token-expired'));
    // Once only, however often it is tried.
    await assert.rejects(b.it.join(a.place, expired), coded('NR_TOKEN_REFUSED'));
    await until(() => a.it.describe().member!.refused.get('token-expired') === 2);
    assert.equal(logged().filter((reason) => reason === 'token-expired').length, 1);
  });

  it('tells others its addresses, and which of them a host with IPv6 only is to take', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    // Listening on one address it has no other.
    a.it.node!.advertise({ address: '192.0.2.1' });
    assert.equal(a.place.address, HERE);
    const { port } = a.place;
    for (const one of [a, b]) {
      await one.stop();
      one.listen = { ...one.listen, address: undefined };
      await one.start();
    }
    a.it.node!.advertise({ address: HERE, addressV6: '::1' });
    const seen = (wanted: string) => placeOf(b.it.replica, a.it.id)?.address === wanted;
    b.it.node!.advertise({ address: HERE });
    await until(() => seen(HERE));
    b.it.node!.advertise({ addressV6: '::1' });
    await until(() => seen('::1'));
    await until(() => placeOf(a.it.replica, b.it.id)?.address === '::1');
    a.it.node!.advertise({ address: HERE });
    await until(() => seen(HERE));
    assert.deepEqual(a.place, { address: HERE, port });
  });
});
