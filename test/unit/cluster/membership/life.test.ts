import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Life, type Upper } from '../../../../src/cluster/membership/life.ts';
import { sponsorOf } from '../../../../src/cluster/node/sponsor.ts';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import type { CodedError } from '../../../../src/errors.ts';
import { MemoryDisk, MemoryStore } from '../../../../src/store/memory.ts';
import { TrustFolder } from '../../../../src/store/trust/folder.ts';
import { createIdentity } from '../../../../src/store/trust/identity.ts';
import { ManualClock } from '../../store/manualclock.ts';
import { until } from '../machine.ts';

const CLASSES = new Map([...CLUSTER_CLASSES, ['network', 'owned' as const]]);

describe("the life of a host's store", () => {
  let path: string;
  let folder: TrustFolder;
  let clock: ManualClock;
  /** What happened to what stands on it, in order. */
  let events: string[];
  let errors: string[];
  let disk: MemoryDisk | undefined;
  /** Happens before the store is open, or what stands on it is there. */
  let before: Partial<Record<'open' | 'attach', () => Promise<void> | void>>;
  let life: Life;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'net-routed-life-'));
    folder = new TrustFolder(path);
    clock = new ManualClock(1_800_000_000_000);
    events = [];
    errors = [];
    disk = undefined;
    before = {};
    life = new Life(options(), () => {
      events.push('begun');
      return [() => void events.push('ends')];
    });
  });
  afterEach(async () => {
    await life.stop();
    rmSync(path, { recursive: true });
  });

  const options = () => {
    const upper: Upper = {
      open: async (id, { isEmpty, wallMs }) => {
        events.push(isEmpty ? 'empty' : 'open');
        await before.open?.();
        if (isEmpty || !disk) disk = new MemoryDisk(id);
        const replica = new MemoryStore({ disk, classes: CLASSES, wallMs });
        return { replica, rules: { restMs: 60_000, isUsed: () => true } };
      },
      attach: async () => {
        events.push('attach');
        await before.attach?.();
      },
      detach: async () => void events.push('detach'),
    };
    const log = {
      debug: assert.fail,
      info: () => {},
      warn: assert.fail,
      error: (what: object) => void errors.push((what as { err: CodedError }).err.message),
    };
    const common = { name: 'a', clock, random: () => 0.5, log, listen: { port: 0 }, seeds: [] };
    return { ...common, folder, upper };
  };
  const fail = () => {
    throw new Error('doomed');
  };
  /** Whether a store is open on the disk: two cannot be. */
  const isOpen = () => {
    try {
      disk?.resident();
      disk?.close();
      return false;
    } catch {
      return true;
    }
  };

  it('begins with the store, and ends with it', async () => {
    assert.throws(() => life.replica, /not started/);
    await life.start();
    assert.deepEqual([events, life.isAttached], [['open', 'attach', 'begun'], true]);
    assert.equal(life.replica.origin, folder.identity().id);
    await life.stop();
    assert.deepEqual(events.splice(3), ['ends', 'detach']);
    assert.deepEqual([life.isAttached, life.isStopped, isOpen()], [false, true, false]);
    await life.stop();
    assert.deepEqual(events.splice(3), [], 'once');
  });

  it('does not begin again when it has ended', async () => {
    await life.stop();
    await assert.rejects(life.start(), { code: 'NR_DEADLINE' });
    assert.deepEqual(events, []);
  });

  it('is of no member where there is no cluster', async () => {
    await life.start();
    assert.throws(() => life.member(), { code: 'NR_CLUSTER_NONE' });
    assert.deepEqual([life.node, life.certificates], [undefined, undefined]);
  });

  it('ends what is just starting, wherever that is', async () => {
    for (const at of ['open', 'attach'] as const) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const one = new Life(options(), () => assert.fail('it was begun'));
      before = { [at]: () => promise };
      events = [];
      const start = assert.rejects(one.start(), { code: 'NR_DEADLINE' }, at);
      await until(() => events.includes(at));
      let isOver = false;
      const stop = one.stop().then(() => {
        isOver = true;
      });
      await setImmediate();
      assert.ok(!isOver, 'it waits for that');
      resolve();
      await Promise.all([start, stop]);
      assert.deepEqual(events, at === 'open' ? ['open'] : ['open', 'attach', 'detach']);
      assert.ok(!isOpen(), at);
      disk = undefined;
    }
  });

  it('closes the store when what stands on it cannot begin', async () => {
    before.attach = fail;
    await assert.rejects(life.start(), /doomed/);
    assert.deepEqual([events, life.isAttached, isOpen()], [['open', 'attach'], false, false]);
  });

  it('begins anew as somebody else, with nothing but what stays', async () => {
    await life.start();
    await life.replica.commit([{ key: `network/${life.replica.origin}/n`, value: {} }]);
    const identity = createIdentity();
    const sponsor = { id: 'b'.repeat(32), address: '192.0.2.1', port: 15_800 };
    const keeps = [{ namespace: 'network', id: 'kept', value: { a: 1 } }];
    events = [];
    // As of a host by a secret: nothing of its cluster is on this one, so that it stays alone.
    await life.turn({ identity, keeps, joins: { cluster: '0f3b2c1a-0000-4000-8000-1234567890ab', sponsor } });
    assert.deepEqual(events, ['ends', 'detach', 'empty', 'open', 'attach', 'begun']);
    assert.equal(life.identity.id, identity.id);
    assert.equal(life.replica.origin, identity.id);
    const kept = [...life.replica.list('network')].map(({ key, value }) => [key, value]);
    assert.deepEqual(kept, [[`network/${identity.id}/kept`, { a: 1 }]]);
    assert.deepEqual(sponsorOf(life.replica), sponsor);
    assert.equal(folder.turn(), undefined, 'it is over');
    assert.equal(folder.identity().id, identity.id);
  });

  it('becomes who it was about to be, when it was ended before', async () => {
    const identity = createIdentity();
    folder.keepTurn({ identity });
    life = new Life(options(), () => []);
    assert.equal(life.identity.id, identity.id);
    await life.start();
    assert.deepEqual([events, life.replica.origin], [['empty', 'open', 'attach'], identity.id]);
  });

  it('tries again what cannot begin anew, later each time, until it can', async () => {
    await life.start();
    before.attach = fail;
    await assert.rejects(life.again(), /doomed/);
    let tries = 0;
    for (const pause of [1000, 2000, 4000, 8000, 15_000, 15_000]) {
      assert.equal(clock.nextMs, pause);
      clock.pass(pause);
      await until(() => errors.length > tries);
      tries = errors.length;
    }
    assert.ok(!life.isAttached);
    before.attach = undefined as never;
    clock.pass(15_000);
    await until(() => events.at(-1) === 'begun');
    assert.deepEqual([life.isAttached, tries], [true, 6]);
  });

  it('does not try again when it has ended', async () => {
    await life.start();
    before.attach = fail;
    await assert.rejects(life.again(), /doomed/);
    await life.stop();
    assert.equal(clock.nextMs, undefined);
  });

  it('leaves nothing that changes this host when that is all that ends', async () => {
    await life.start();
    await life.detach();
    await life.detach();
    assert.deepEqual(events, ['open', 'attach', 'begun', 'detach']);
    assert.ok(isOpen(), 'it can be read still');
  });
});
