import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { troubleOf } from '../../../../src/cluster/membership/rejoining.ts';
import { CodedError } from '../../../../src/errors.ts';
import { TrustFolder } from '../../../../src/store/trust/folder.ts';
import { HOUR_MS, Machine, until } from '../machine.ts';

const coded = (code: string) => (error: unknown) => error instanceof CodedError && error.code === code;

describe('a host that was forgotten and is there again', function () {
  this.timeout(60_000);
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

  async function machine(name: string, folder?: string): Promise<Machine> {
    const made = new Machine(name, folder);
    machines.push(made);
    await made.start();
    return made;
  }

  async function cluster(...names: string[]): Promise<Machine[]> {
    const all = await Promise.all(names.map((name) => machine(name)));
    const [first, ...others] = all as [Machine, ...Machine[]];
    await first.it.init();
    for (const other of others) await other.it.join(first.place, await first.it.token(HOUR_MS));
    for (const one of all) await until(() => one.states().length === names.length);
    return all;
  }

  const problems = (one: Machine) => one.it.describe().member?.problems.map(({ code }) => code) ?? [];
  /** What a host sees of the hosts of one name. */
  const seen = (at: Machine, name: string) => at.states().filter((one) => one.startsWith(`${name} `));

  it('comes back by itself under another id, with what it has of its own', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    const before = c.it.id;
    await c.it.replica.commit([
      { key: `network/${before}/n`, value: { of: 'c' } },
      { key: 'policy/p', value: 'shared' },
    ]);
    c.keeps = ['network'];
    await c.stop();
    await a.it.forget(['c']);
    await c.start();
    await until(() => seen(b, 'c').join() === 'c present,c forgotten');
    await until(() => c.it.describe().state === 'member' && !c.it.node!.cluster.standing.starting);
    assert.notEqual(c.it.id, before);
    c.it.node!.cluster.standing.mayGive();
    assert.deepEqual(c.it.replica.get(`network/${c.it.id}/n`)?.value, { of: 'c' });
    assert.equal(c.it.replica.get(`network/${before}/n`), undefined);
    await until(() => b.it.replica.get(`network/${c.it.id}/n`) !== undefined);
    const old = b.it.hosts().find(({ id }) => id === before)!;
    assert.deepEqual([old.returnedAs, old.isBanned], [c.it.id, false]);
    // And over a restart.
    await c.stop();
    await c.start();
    await until(() => !c.it.node!.cluster.standing.starting);
    assert.equal(c.it.describe().state, 'member');
  });

  it('comes back without a restart, as soon as it hears of it', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    const before = c.it.id;
    const heard: (string | undefined)[] = [];
    const { standing } = c.it.node!.cluster;
    standing.onHalt(() => heard.push(standing.halted));
    await a.it.forget(['c'], { force: true });
    await until(() => c.it.id !== before && seen(b, 'c').includes('c present'));
    assert.equal(heard[0], 'gone');
    await until(() => c.log.some(({ text, what }) => text === 'membership has changed' && what === 'return'));
  });

  it('is kept out while it is banned, says so, and comes back when that is lifted', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    const before = c.it.id;
    await c.stop();
    await a.it.forget(['c'], { ban: true });
    await c.start();
    await until(() => problems(c).includes('NR_RETURN_BANNED'));
    // That it hears nobody is no fault of others.
    c.aheadMs = 60_000;
    assert.deepEqual(problems(c), ['NR_RETURN_BANNED', 'NR_MEMBER_HALTED']);
    assert.doesNotMatch(c.it.describe().member!.problems[1]!.remedy, /status/);
    c.aheadMs = 0;
    assert.deepEqual([c.it.id, c.it.describe().state], [before, 'halted']);
    await until(() => b.it.hosts().some(({ id, isBanned }) => id === before && isBanned));
    await assert.rejects(b.it.unban(['b']), coded('NR_MEMBER_UNKNOWN'));
    await b.it.unban(['c']);
    await until(() => seen(b, 'c').join() === 'c present,c forgotten');
  });

  it('may be banned after it was forgotten; a forget that fails bans nobody', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    for (const one of [b, c]) await one.stop();
    await assert.rejects(a.it.forget(['b', 'c'], { ban: true }), coded('NR_FORGET_MAJORITY'));
    assert.ok(a.it.hosts().every(({ isBanned }) => !isBanned));
    await b.start();
    await until(() => !b.it.node!.cluster.standing.starting);
    await a.it.forget(['c']);
    await until(() => seen(b, 'c').join() === 'c forgotten');
    await b.it.forget(['c'], { ban: true });
    await c.start();
    await until(() => problems(c).includes('NR_RETURN_BANNED'));
  });

  it('makes its certificate by itself, where it alone has the key of the cluster, and goes on to hold it', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    const before = a.it.id;
    await a.stop();
    await b.it.forget(['a'], { force: true });
    await a.start();
    await until(() => seen(c, 'a').join() === 'a present,a forgotten');
    assert.notEqual(a.it.id, before);
    await until(() =>
      c.it.hosts().some(({ name, holdsKey, state }) => name === 'a' && state === 'present' && holdsKey),
    );
    const d = await machine('d');
    await d.it.join(a.place, await a.it.token(HOUR_MS));
  });

  it('waits for a member that holds the key', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    await b.it.forget(['c'], { force: true });
    await until(() => seen(b, 'c').includes('c present'));
    const before = c.it.id;
    await c.stop();
    await b.it.forget(['c']);
    await a.stop();
    await c.start();
    await until(() => problems(c).includes('NR_RETURN_UNREACHABLE'));
    assert.equal(c.it.id, before);
    await a.start();
    await until(() => c.it.id !== before && c.it.describe().state === 'member');
  });

  it('does not come back when its disk was set back, until a person has another one forget it', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    const before = c.it.id;
    await c.stop();
    const copy = mkdtempSync(join(tmpdir(), 'net-routed-older-'));
    cpSync(c.folder, copy, { recursive: true });
    await c.start();
    await until(() => !c.it.node!.cluster.standing.starting);
    await c.it.replica.commit([{ key: `network/${before}/later`, value: {} }]);
    await until(() => b.it.replica.get(`network/${before}/later`) !== undefined);
    await c.stop();
    const older = await machine('c', copy);
    await until(() => problems(older).includes('NR_RETURN_WAITS'));
    for (const other of [a, b]) await until(() => problems(other).includes('NR_MEMBER_STOPPED'));
    assert.equal(older.it.id, before);
    // It runs, and has stopped.
    await a.it.forget(['c']);
    await until(() => older.it.id !== before && older.it.describe().state === 'member');
    // The later disk is a copy from now on: of two, one comes back.
    await c.start();
    await until(() => problems(c).includes('NR_RETURN_REFUSED'));
    assert.equal(c.it.id, before);
  });

  it('asks with the same key again after a crash, and ends as one', async () => {
    const [a, b, c] = (await cluster('a', 'b', 'c')) as [Machine, Machine, Machine];
    await c.stop();
    await a.it.forget(['c']);
    const anew = new TrustFolder(c.folder).anew();
    assert.equal(new TrustFolder(c.folder).anew().id, anew.id);
    await c.start();
    await until(() => c.it.id === anew.id);
    await until(() => seen(b, 'c').join() === 'c present,c forgotten');
    assert.notEqual(new TrustFolder(c.folder).anew().id, anew.id, 'the next time it is another one');
  });
});

describe('why a host has not come back', () => {
  it('is what counts most of what was answered', () => {
    for (const [reasons, code] of [
      [['unreachable', 'no-authority', 'banned'], 'NR_RETURN_BANNED'],
      [['unreachable', 'returned'], 'NR_RETURN_REFUSED'],
      [['member', 'unreachable'], 'NR_RETURN_WAITS'],
      [['no-authority', 'expired'], 'NR_RETURN_UNREACHABLE'],
      [['unreachable', 'expired'], 'NR_RETURN_REFUSED'],
      [['left'], 'NR_RETURN_REFUSED'],
      [['unreachable'], 'NR_RETURN_UNREACHABLE'],
      [[], 'NR_RETURN_UNREACHABLE'],
    ] as const)
      assert.equal(troubleOf(reasons).code, code, reasons.join());
  });
});
