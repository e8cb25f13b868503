import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type OpenStore, openStore } from '../../../src/adapters.ts';
import { systemClock } from '../../../src/clock.ts';
import { Membership } from '../../../src/cluster/membership/membership.ts';
import { begin } from '../../../src/cluster/node/begin.ts';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import { loadSettings } from '../../../src/config/load.ts';
import { Driver } from '../../../src/driver/driver.ts';
import { PoolSpaces } from '../../../src/driver/spaces.ts';
import { takeOver } from '../../../src/driver/takeover.ts';
import { NAMESPACES } from '../../../src/plan/namespaces.ts';
import { State } from '../../../src/plan/state.ts';
import type { Json } from '../../../src/ports/store.ts';
import { JournalStore } from '../../../src/store/journal.ts';
import { APPLICATION_ID, MIGRATIONS } from '../../../src/store/schema.ts';
import { TrustFolder } from '../../../src/store/trust/folder.ts';
import { clusterOf, contextOf } from './world.ts';

const NOW = 1_000_000;
const POOL = {
  id: 'default:10.1.0.0/16',
  tenant: 'default',
  prefix: '10.1.0.0/16',
  range: '10.1.2.0/24',
  gateway: '10.1.0.1',
  gatewayGiven: true,
  automatic: false,
  createdAt: 5,
};
const POOL6 = {
  id: 'default:fd00:9::/64',
  tenant: 'default',
  prefix: 'fd00:9::/64',
  gateway: 'fe80::7',
  gatewayGiven: false,
  automatic: true,
  createdAt: 6,
};
const NETWORK = {
  id: 'n1',
  tenant: 'default',
  encap: 'none',
  internal: false,
  pools: [POOL.id, POOL6.id],
  createdAt: 7,
};
const ENDPOINT = {
  id: 'e1',
  network: 'n1',
  address: '10.1.2.5',
  addressV6: 'fd00:9::5',
  mac: '02:42:0a:01:02:05',
  aliases: ['10.1.9.9'],
  anycast: false,
  phase: 'joined',
  sandbox: '/s',
  incarnation: 'this boot',
  ports: [],
  createdAt: 8,
};

describe('the store of an earlier release', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'net-routed-takeover-'));
    file = join(folder, 'store.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A file as storage version 1 was. */
  function former(): void {
    const database = new DatabaseSync(file);
    database.exec(MIGRATIONS[0]!);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1`);
    const insert = database.prepare('INSERT INTO record VALUES (?, ?, ?)');
    let sequence = 0;
    const put = (key: string, value: Json) => insert.run(key, JSON.stringify(value), ++sequence);
    const allocate = (pool: { id: string }, address: string, use: string, more: object = {}) =>
      put(`allocation/${pool.id}/${address}`, { pool: pool.id, address, use, since: NOW - 9, ...more });
    put(`pool/${POOL.id}`, POOL);
    put(`pool/${POOL6.id}`, POOL6);
    put('pool/poison', 'no pool');
    put('network/n1', NETWORK);
    put('endpoint/e1', ENDPOINT);
    allocate(POOL, '10.1.2.5', 'endpoint', { endpoint: 'e1' });
    allocate(POOL6, 'fd00:9::5', 'endpoint', { endpoint: 'e1' });
    allocate(POOL, '10.1.9.9', 'endpoint', { endpoint: 'e1' });
    allocate(POOL, '10.1.0.1', 'gateway');
    allocate(POOL, '10.1.0.2', 'auxiliary');
    allocate(POOL, '10.1.2.6', 'resting');
    database.exec(`UPDATE meta SET value = ${sequence} WHERE name = 'sequence'`);
    database.close();
  }

  /** A start of the daemon, as far as records are concerned. */
  async function started(origin?: string) {
    const store = new JournalStore({
      file,
      origin,
      classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]),
    });
    const pools = await takeOver(store, NOW);
    await begin(store, 'a key', 'h1');
    const poison: string[] = [];
    const state = new State(store, (key) => poison.push(key));
    const spaces = new PoolSpaces(store, state);
    const cluster = clusterOf(store, spaces);
    const driver = new Driver(contextOf(store, state, cluster, spaces, { now: NOW }).context);
    return { store, pools, state, cluster, driver, poison };
  }

  it('is taken over whole, with what its endpoints have', async () => {
    former();
    const { store, pools, state, cluster, driver, poison } = await started(randomBytes(16).toString('hex'));
    assert.equal(pools, 2);
    const [pool, pool6] = [POOL, POOL6].map(({ id }) => driver.pools.get(id)) as [never, never];
    const { space, ...rest } = pool as { space: string; createdAt: number };
    const { range, ...kept } = POOL;
    assert.deepEqual(rest, { ...kept, auxiliary: ['10.1.0.2'] });
    assert.equal(state.poolUses.get(POOL.id)?.range, range);
    assert.equal(driver.addresses.get(pool, '10.1.2.5')?.endpoint, 'e1');
    assert.equal(driver.addresses.get(pool6, 'fd00:9::5')?.endpoint, 'e1');
    assert.equal(driver.addresses.get(pool, '10.1.0.1')?.use, 'gateway');
    assert.deepEqual([...cluster.spaces.allocator(space)!.ownedChunks()], [0n, 8n, 36n]);
    const usage = await driver.holdings.usage(pool);
    assert.deepEqual([usage.held, usage.resting, usage.outside, usage.here], [1n, 1n, 3n, 4n]);
    assert.equal([...store.list('allocation')].length, 6);
    // All goes on as if it had been so from the beginning.
    const ask = (address?: string) => driver.requestAddress({ pool: POOL.id, address, gateway: false });
    assert.equal((await ask()).address, '10.1.2.0/32');
    await assert.rejects(ask('10.1.9.9'), { code: 'NR_ADDRESS_IN_USE' });
    await assert.rejects(ask('10.1.0.2'), { code: 'NR_ADDRESS_RESERVED' });
    await driver.deleteEndpoint('n1', 'e1');
    assert.equal(driver.addresses.get(pool, '10.1.9.9')?.use, 'resting');
    assert.deepEqual(poison, ['pool/poison']);
    await store.close();
  });

  it('is taken over once, and all or nothing of it', async () => {
    former();
    const id = randomBytes(16).toString('hex');
    // A crash before it is durable: what is staged is lost.
    const crashed = new JournalStore({
      file,
      origin: id,
      classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]),
      schedule: () => {},
    });
    void takeOver(crashed, NOW);
    (crashed as unknown as { abandon(): void }).abandon();
    const first = await started(id);
    assert.equal(first.pools, 2);
    const before = [...first.store.list('allocation')].map(({ key }) => key);
    await first.store.close();
    const second = await started(id);
    assert.equal(second.pools, 0);
    assert.deepEqual(
      [...second.store.list('allocation')].map(({ key }) => key),
      before,
    );
    assert.deepEqual(second.state.pools.get(POOL.id), first.state.pools.get(POOL.id));
    assert.equal([...second.store.list('member')].length, 1);
    await second.store.close();
  });

  it('goes on when the host makes a cluster, with all that it had', async () => {
    former();
    let opened: OpenStore | undefined;
    const settings = loadSettings({ file: '/dev/null', environment: {}, flags: { stateDir: folder } });
    const quiet = () => {};
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const membership = new Membership({
      folder: new TrustFolder(folder),
      upper: {
        open: async (id, { isEmpty, wallMs }) => {
          opened = await openStore(settings, log, { id, isEmpty, now: NOW, wallMs });
          return { replica: opened.store, rules: { restMs: 60_000, ...opened.spaces } };
        },
        attach: async () => {},
        detach: async () => {},
      },
      clock: systemClock,
      random: Math.random,
      log,
      name: 'h1',
      listen: { address: '127.0.0.1', port: 0 },
      seeds: [],
    });
    await membership.start();
    const before = opened!.state.pools.get(POOL.id);
    assert.ok(before);
    await membership.init();
    try {
      assert.deepEqual(opened!.state.pools.get(POOL.id), before);
      assert.ok(opened!.state.networks.get('n1') && opened!.state.endpoints.get('e1'));
      const { spaces } = membership.node!.cluster;
      assert.deepEqual([...spaces.allocator(before.space)!.ownedChunks()], [0n, 8n, 36n]);
      assert.ok(spaces.allocator(before.space)!.held(0x205n), '10.1.2.5');
    } finally {
      await membership.stop();
    }
  });
});
