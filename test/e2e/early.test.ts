import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { clusterView, endpointsView, poolsView, statusView } from '../../src/api/views.ts';
import { APPLICATION_ID, MIGRATIONS } from '../../src/store/schema.ts';
import { createNetwork, docker, dockerFails, eventually, reaches, run, show, useLab } from './support.ts';
import { ping } from './traffic.ts';

const SUBNETS = ['10.1.0.0/16', 'fd00:9::/64'];
/** Asked for by number, far from the others, and one that the user has set apart. */
const NUMBERED = '10.1.44.4';
const APART = '10.1.55.5';

type Value = Record<string, unknown>;
interface Stored {
  readonly space: string;
  readonly id: string;
  readonly value: Value;
}

/** The records of one kind that a state folder has of its host's own or of all, without their namespace. */
function stored(database: DatabaseSync, namespace: string): Stored[] {
  const text =
    "SELECT key, value FROM record WHERE key GLOB ? || '/*' AND value IS NOT NULL ORDER BY sequence";
  return database
    .prepare(text)
    .all(namespace)
    .map(({ key, value }) => {
      const [, space = '', ...rest] = String(key).split('/');
      return { space, id: rest.join('/'), value: JSON.parse(String(value)) as Value };
    });
}

/**
 * Makes of a state folder what the first release would have there: records of one host, keyed by what Docker calls them;
 * addresses by themselves, those set apart among them; pools without a space. No key, and no certificate.
 */
function makeEarly(folder: string): void {
  const file = join(folder, 'store.db');
  const late = new DatabaseSync(file);
  const records = new Map<string, Value>();
  for (const kind of ['network', 'endpoint'])
    for (const { id, value } of stored(late, kind)) records.set(`${kind}/${id}`, value);
  for (const { value } of stored(late, 'pool')) {
    const { space, auxiliary: _auxiliary, ...pool } = value;
    const used = stored(late, 'pool-use').find((one) => one.value.pool === pool.id);
    assert.ok(space && used, 'it is of the present release, and used');
    const { range } = used.value;
    records.set(`pool/${pool.id}`, { ...pool, ...(range !== undefined && { range }) });
  }
  for (const { value } of stored(late, 'allocation'))
    records.set(`allocation/${value.pool}/${value.address}`, value);
  assert.ok([...records.values()].some(({ use }) => use === 'auxiliary'));
  late.close();
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  const early = new DatabaseSync(file);
  early.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0]}`);
  early.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1`);
  const put = early.prepare('INSERT INTO record VALUES (?, ?, ?)');
  let at = 0;
  for (const [key, value] of records) put.run(key, JSON.stringify(value), ++at);
  early.prepare("UPDATE meta SET value = ? WHERE name = 'sequence'").run(at);
  early.close();
}

describe('a daemon on the state folder of the first release', function () {
  this.timeout(240_000);
  // Each begins with what the one before has left.
  this.bail(true);
  const lab = useLab('e2eearly', { hosts: 2, link: 'shared' });
  let [h1, h2] = [] as unknown as [Host, Host];
  const addresses = new Map<string, string>();

  before(async () => {
    [h1, h2] = lab().hosts as [Host, Host];
    await createNetwork(h1, 'mine', SUBNETS, '--aux-address', `keep=${APART}`);
    for (const name of ['one', 'two']) await run(h1, name, '--network', 'mine');
    await run(h1, 'numbered', '--network', 'mine', '--ip', NUMBERED);
    for (const name of ['one', 'two', 'numbered']) addresses.set(name, await addressOf(h1, name));
  });

  const addressOf = (host: Host, container: string) =>
    docker(host, 'inspect', '-f', '{{.NetworkSettings.Networks.mine.IPAddress}}', container);
  const attention = async (at: Host) =>
    statusView.parse(await show(at, 'status')).attention.map(({ what }) => what);

  /** All containers have what they had, by Docker and by the daemon, and every one is reached. */
  async function hasAll(): Promise<void> {
    const { endpoints } = endpointsView.parse(await show(h1, 'endpoints'));
    const shown = endpoints.map(({ container, address, state }) => [container?.name, address, state]);
    assert.deepEqual(shown.sort(), [...addresses].map(([name, address]) => [name, address, 'up']).sort());
    for (const [name, address] of addresses) {
      assert.equal(await addressOf(h1, name), address);
      await reaches(h1, undefined, address);
    }
  }

  it('takes over what is there, and loses no packet', async () => {
    await h1.stopDaemon();
    makeEarly(join(h1.disk, '/var/lib/net-routed'));
    const pings = await Promise.all([...addresses.values()].map((address) => ping(h1, address)));
    await h1.startDaemon();
    await eventually('all is well', async () => (await attention(h1)).length === 0);
    await hasAll();
    for (const one of pings) {
      const { sent, received } = await one.end();
      assert.equal(received, sent);
    }
    const { pools } = poolsView.parse(await show(h1, 'pools'));
    assert.deepEqual(
      pools.map(({ prefix, here }) => [prefix, here]),
      [
        // With the one that is set apart.
        [SUBNETS[0], '4'],
        [SUBNETS[1], '3'],
      ],
    );
  });

  it('makes a cluster of it, whose other hosts give none of these addresses', async () => {
    const pings = await Promise.all([...addresses.values()].map((address) => ping(h1, address)));
    await h1.must(['net-routed', 'init']);
    assert.equal(clusterView.parse(await show(h1, 'cluster')).state, 'member');
    await hasAll();
    const token = (await h1.must(['net-routed', 'token'])).trim();
    const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
    await h2.must(argv, { input: token, timeoutMs: 120_000 });
    await createNetwork(h2, 'mine', SUBNETS);
    for (const address of [...addresses.values(), APART]) {
      const argv = ['run', '--rm', '--network', 'mine', '--ip', address, 'busybox:local', 'true'];
      const code = address === APART ? /NR_ADDRESS_RESERVED/ : /NR_ADDRESS_IN_USE: .* on host h1/;
      assert.match(await dockerFails(h2, ...argv), code, address);
    }
    const taken = new Set(addresses.values());
    for (const host of [h1, h2])
      for (const name of ['new1', 'new2', 'new3']) {
        await run(host, name, '--network', 'mine');
        const address = await addressOf(host, name);
        assert.ok(!taken.has(address), `${address} of ${host.name} ${name} is somebody's`);
        taken.add(address);
        if (host === h1) addresses.set(name, address);
      }
    await hasAll();
    await reaches(h2, 'new1', NUMBERED);
    for (const one of pings) {
      const { sent, received } = await one.end();
      assert.equal(received, sent);
    }
  });

  it('frees an address that it took over when its container goes', async () => {
    await docker(h1, 'rm', '-f', 'numbered');
    addresses.delete('numbered');
    await eventually(
      'it is free',
      async () => {
        const argv = ['docker', 'run', '-d', '--name', 'next', '--stop-signal', 'KILL', '--network', 'mine'];
        const { status } = await h2.exec([...argv, '--ip', NUMBERED, 'busybox:local', 'sleep', '3600']);
        if (status !== 0) await h2.exec(['docker', 'rm', '-f', 'next']);
        return status === 0;
      },
      120_000,
    );
    await reaches(h1, 'one', NUMBERED);
    await hasAll();
  });
});
