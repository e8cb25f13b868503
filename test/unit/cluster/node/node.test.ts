import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { systemClock } from '../../../../src/clock.ts';
import { ClusterNode, placeOf } from '../../../../src/cluster/node/node.ts';
import { sharedTrust } from '../../../../src/cluster/node/trust.ts';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import { MemoryDisk, MemoryStore } from '../../../../src/store/memory.ts';
import { SqliteBacking } from '../../../../src/store/sqlite.ts';
import { createIdentity } from '../../../../src/store/trust/identity.ts';
import { drawSecret } from '../../../../src/store/trust/secret.ts';
import { HERE, Machine, until } from '../machine.ts';

describe('a member', () => {
  const { write } = SqliteBacking.prototype;
  afterEach(() => {
    SqliteBacking.prototype.write = write;
  });

  it('starts on a full disk, and tells of itself when there is room', async () => {
    const a = await new Machine('a').start();
    try {
      await a.it.init();
      await a.stop();
      SqliteBacking.prototype.write = () => {
        throw new Error('database or disk is full');
      };
      await a.start();
      assert.equal(a.it.describe().state, 'member');
      const codes = () => a.it.describe().member!.problems.map(({ code }) => code);
      assert.ok(codes().includes('NR_STORE_FAILED'));
      const key = () => (a.it.replica.get(`host/${a.it.id}`)!.value as { probeKey?: string }).probeKey;
      assert.notEqual(key(), a.it.node!.probes.key);
      SqliteBacking.prototype.write = write;
      await until(() => key() === a.it.node!.probes.key);
      await until(() => codes().length === 0);
      const tries = a.log.filter(({ text }) => text.startsWith('could not tell the others of this host'));
      assert.equal(tries.length, 1, 'logged once, however often it is tried');
    } finally {
      await a.stop();
      rmSync(a.folder, { recursive: true });
    }
  });

  it('is looked for only where one can be', async () => {
    const store = new MemoryStore({ classes: CLUSTER_CLASSES });
    const key = `host/${store.origin}`;
    const at = async (value: object) => {
      await store.commit([{ key, value: value as never }]);
      return placeOf(store, store.origin);
    };
    const good = { address: '192.0.2.1', addressV6: '2001:db8::1', port: 65_535 };
    assert.deepEqual(await at(good), { address: '192.0.2.1', port: 65_535 });
    for (const port of [70_000, 65_536, 0, -1, 0.5, 1e300, '1'])
      assert.equal(await at({ ...good, port }), undefined, `port ${port}`);
    for (const address of ['example.org', 'localhost', '', '999.0.2.1', '::1%lo', '192.0.2.0/24', '\u0000'])
      assert.equal(await at({ ...good, address }), undefined, `address ${address}`);
    assert.equal(await at({ ...good, addressV6: 'example.org' }), undefined);
  });

  it('that cannot start leaves nothing behind', async () => {
    const pending = new Set<object>();
    const clock = {
      now: systemClock.now,
      after: (ms: number, call: () => void) => {
        const timer = {};
        pending.add(timer);
        const cancel = systemClock.after(ms, () => {
          pending.delete(timer);
          call();
        });
        return () => {
          pending.delete(timer);
          cancel();
        };
      },
    };
    const identity = createIdentity();
    const replica = new MemoryStore({ disk: new MemoryDisk(identity.id), classes: CLUSTER_CLASSES });
    const observe = replica.observe.bind(replica);
    let isReached = false;
    // The last part that is begun.
    replica.observe = (namespace, call) => {
      if (namespace !== 'promise') return observe(namespace, call);
      isReached = true;
      throw new Error('doomed');
    };
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const start = ClusterNode.start({
      identity,
      name: 'a',
      trust: sharedTrust(identity, [drawSecret(randomUUID())]),
      replica,
      clock,
      random: Math.random,
      log,
      listen: { address: HERE, port: 0 },
      seeds: [],
      methods: new Map(),
      rules: { restMs: 60_000, isUsed: () => true },
    });
    await assert.rejects(start, /doomed/);
    assert.ok(isReached);
    assert.equal(pending.size, 0, 'timers');
  });
});
