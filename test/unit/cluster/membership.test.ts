import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../../src/clock.ts';
import type { Place } from '../../../src/cluster/connections.ts';
import { Membership } from '../../../src/cluster/membership.ts';
import { CLUSTER_CLASSES } from '../../../src/cluster/namespaces.ts';
import { CodedError } from '../../../src/errors.ts';
import { removeStore } from '../../../src/store/files.ts';
import { JournalStore } from '../../../src/store/journal.ts';
import { TrustFolder } from '../../../src/store/trust/folder.ts';
import { SPACE } from './world.ts';

const HERE = '127.0.0.1';
const HOUR_MS = 3_600_000;
const CLASSES = new Map([...CLUSTER_CLASSES, ['network', 'owned' as const]]);

/** A machine: its disk and its folder stay when what runs on it ends. */
class Machine {
  readonly name: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'net-routed-member-'));
  aheadMs = 0;
  #membership: Membership | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get it(): Membership {
    return this.#membership!;
  }

  get place(): Place {
    return this.it.node!.place;
  }

  async start(): Promise<this> {
    this.#membership = new Membership({
      folder: new TrustFolder(this.folder),
      open: (id, { isEmpty, wallMs }) => {
        const file = join(this.folder, 'store.db');
        if (isEmpty) removeStore(file);
        return new JournalStore({ file, origin: id, classes: CLASSES, wallMs });
      },
      clock: { now: () => Date.now() + this.aheadMs, after: systemClock.after },
      random: Math.random,
      log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
      name: this.name,
      listen: { address: HERE, port: 0 },
      seeds: [],
      restMs: 60_000,
      isUsed: () => true,
    });
    await this.#membership.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.#membership?.stop();
    this.#membership = undefined;
  }

  states(): string[] {
    return this.it.hosts().map(({ name, state }) => `${name} ${state}`);
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${condition}`);
    await setTimeout(5);
  }
}

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

  it('redirects who asks another member than the one that admits', async () => {
    const [a, b] = (await cluster('a', 'b')) as [Machine, Machine];
    // The second holder of the key takes the certificate's part, the first one decides.
    await a.it.share('b');
    const c = await machine('c');
    await c.it.join(b.place, await b.it.token(HOUR_MS));
    await until(() => c.states().join() === 'a present,b present,c present');
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
    assert.deepEqual(a.it.replica.all('member'), []);
    assert.deepEqual(b.states(), ['b present', 'a left']);
    assert.equal(b.it.node!.cluster.ownership.treasury('default'), b.it.id);
    // And back, let in by the one that has the key now.
    await a.it.join(b.place, await b.it.token(HOUR_MS));
    assert.deepEqual(b.states().toSorted(), ['a left', 'a present', 'b present']);
  });

  it('does not let the last one leave', async () => {
    const [a] = (await cluster('a')) as [Machine];
    await assert.rejects(a.it.leave(), coded('NR_MEMBER_ALONE'));
    assert.deepEqual(a.states(), ['a present']);
  });

  it('forgets a host by its name, tells it when it comes back, and lets it join anew', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    await until(() => b.states().length === 3);
    await c.stop();
    await assert.rejects(a.it.forget(['nobody']), coded('NR_MEMBER_UNKNOWN'));
    await a.it.forget(['c']);
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
});
