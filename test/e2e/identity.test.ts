import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { clusterView, endpointsView, hostsView, statusView } from '../../src/api/views.ts';
import { tryCall } from './rawchurn.ts';
import {
  createNetwork,
  docker,
  dockerFails,
  eventually,
  inside,
  reaches,
  run,
  show,
  useLab,
} from './support.ts';
import { ping } from './traffic.ts';

const SUBNETS = ['10.1.0.0/16', 'fd00:9::/64'];
const STATE = '/var/lib/net-routed';
/** An address that was given after the copy was made, as one by number. */
const LATER = '10.1.77.7';
const BACK_MS = 60_000;

describe('a host whose disk is older than it was, or is in two machines', function () {
  this.timeout(240_000);
  // Each begins with what the one before has left.
  this.bail(true);
  // The last one is no member: the copy runs there.
  const lab = useLab('e2eidentity', { hosts: 4, link: 'shared' });
  let [h1, h2, h3, h4] = [] as unknown as [Host, Host, Host, Host];
  /** Folder with what was copied, outside of all hosts. */
  let backup: string;

  before(async function () {
    this.timeout(240_000);
    [h1, h2, h3, h4] = lab().hosts as [Host, Host, Host, Host];
    backup = join(h2.disk, '..', 'backup');
    await h1.must(['net-routed', 'init']);
    for (const one of [h2, h3]) {
      const token = (await h1.must(['net-routed', 'token'])).trim();
      const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
      await one.must(argv, { input: token, timeoutMs: 120_000 });
    }
    // One holder of the key alone is something to look at.
    await h1.must(['net-routed', 'share', 'h3']);
    for (const one of [h1, h2, h3]) await createNetwork(one, 'mine', SUBNETS);
    await Promise.all([h1, h2, h3].map((one) => run(one, 'standing', '--network', 'mine')));
    await seen(h1, 'h1 present, h2 present, h3 present');
  });

  const stateOf = (host: Host) => join(host.disk, STATE);
  async function states(at: Host): Promise<string> {
    const { hosts: all } = hostsView.parse(await show(at, 'hosts?all=yes'));
    return all.map(({ name, state }) => `${name} ${state}`).join(', ');
  }
  const seen = (at: Host, wanted: string) =>
    eventually(`${at.name} sees ${wanted}`, async () => (await states(at)) === wanted, BACK_MS);
  const self = async (at: Host) => clusterView.parse(await show(at, 'cluster'));
  const idOf = async (at: Host) => (await self(at)).id;
  const attention = async (at: Host) =>
    statusView.parse(await show(at, 'status')).attention.map(({ what }) => what);
  const endpoints = async (at: Host) => endpointsView.parse(await show(at, 'endpoints')).endpoints;
  const addressOf = (host: Host, container: string, field = 'IPAddress') =>
    docker(host, 'inspect', '-f', `{{.NetworkSettings.Networks.mine.${field}}}`, container);
  const startedAt = (host: Host, ...containers: string[]) =>
    docker(host, 'inspect', '-f', '{{.State.StartedAt}}', ...containers);

  /** No address is with two endpoints, by what the daemons say and by what the containers have. */
  async function once(...hosts: readonly Host[]): Promise<void> {
    const holders = new Map<string, string>();
    for (const host of hosts) {
      for (const { id, state, addresses } of await endpoints(host)) {
        if (state === 'lost' || state === 'gone') continue;
        for (const { address } of addresses) {
          assert.equal(holders.get(address), undefined, `${address} is on ${host.name} too`);
          holders.set(address, `${host.name} ${id}`);
        }
      }
    }
  }

  /** The daemon has stopped giving, and says so: to operators, and to Docker, also for an address by number. */
  async function halts(host: Host): Promise<void> {
    await eventually(`${host.name} has stopped`, async () => (await self(host)).state === 'halted', BACK_MS);
    const { problems } = await self(host);
    assert.ok(problems.some(({ code, what }) => code === 'NR_MEMBER_HALTED' && /set back|older/.test(what)));
    await eventually(`${host.name} says what to do`, async () =>
      (await attention(host))[0]?.startsWith('NR_RETURN_WAITS: '),
    );
    // It may have the pool still; one that it asks for anew it may be refused as well.
    const pool = { AddressSpace: 'net-routed', Pool: SUBNETS[0], SubPool: '', Options: {}, V6: false };
    const asked = await tryCall(host, 'IpamDriver.RequestPool', pool);
    if (asked.refusal?.includes('NR_MEMBER_HALTED')) return;
    for (const Address of ['', '10.1.88.8']) {
      const body = { PoolID: `default:${SUBNETS[0]}`, Address, Options: {} };
      const { refusal } = await tryCall(host, 'IpamDriver.RequestAddress', body);
      assert.match(String(refusal), /NR_MEMBER_HALTED/);
    }
  }

  /** Others say where it is that has stopped. */
  const isNoticed = (at: Host, stopped: Host) =>
    eventually(
      `${at.name} says that h2 has stopped`,
      async () =>
        (await attention(at)).some((what) =>
          what.startsWith(
            `NR_MEMBER_STOPPED: a machine at ${underlay(stopped.name).host4} has the identity of host h2,`,
          ),
        ),
      BACK_MS,
    );

  async function isBack(host: Host, before: string): Promise<void> {
    await eventually(
      `${host.name} is back`,
      async () => {
        const { id, state } = await self(host).catch(() => ({ id: before, state: '' }));
        return id !== before && state === 'member';
      },
      BACK_MS,
    );
    await eventually(
      `${host.name} has been given all again`,
      async () => (await endpoints(host)).every(({ state }) => state !== 'withheld'),
      BACK_MS,
    );
  }

  it('finds out that it is older than the others know, and gives nothing', async () => {
    await h2.stopDaemon();
    cpSync(stateOf(h2), backup, { recursive: true, preserveTimestamps: true });
    await h2.startDaemon();
    await run(h2, 'later', '--network', 'mine');
    await run(h2, 'numbered', '--network', 'mine', '--ip', LATER);
    await reaches(h1, 'standing', LATER);
    const mine = await addressOf(h2, 'standing');
    const started = await startedAt(h2, 'standing', 'later', 'numbered');
    await h2.stopDaemon();
    rmSync(stateOf(h2), { recursive: true });
    cpSync(backup, stateOf(h2), { recursive: true, preserveTimestamps: true });
    const within = await ping(h2, mine);
    const across = await ping(h1, mine);
    await h2.startDaemon();
    await halts(h2);
    for (const at of [h1, h3]) await isNoticed(at, h2);
    // What was there when the copy was made runs on, for others too: nobody else has its address.
    for (const tally of [await within.end(), await across.end()]) assert.equal(tally.received, tally.sent);
    assert.equal(await startedAt(h2, 'standing', 'later', 'numbered'), started);
    // What came later it does not know.
    for (const name of ['later', 'numbered']) assert.doesNotMatch(await inside(h2, name, 'ip link'), /eth0/);
    const refused = await dockerFails(h2, 'run', '--rm', '--network', 'mine', 'busybox:local', 'true');
    assert.match(refused, /NR_MEMBER_HALTED/);
    // The others keep what it knew to have given, and has forgotten.
    const other = ['run', '--rm', '--network', 'mine', '--ip', LATER, 'busybox:local', 'true'];
    assert.match(await dockerFails(h1, ...other), /NR_ADDRESS_IN_USE: .* on host h2/);
    await once(h1, h2, h3);
  });

  it('comes back under a new identity when another one forgets it', async () => {
    const before = await idOf(h2);
    const mine = await addressOf(h2, 'standing');
    const [later, started] = [await addressOf(h2, 'later'), await startedAt(h2, 'standing')];
    const within = await ping(h2, mine);
    assert.equal(await h1.must(['net-routed', 'forget', 'h2'], { timeoutMs: 120_000 }), 'forgot h2\n');
    await isBack(h2, before);
    for (const at of [h1, h3]) {
      await seen(at, 'h1 present, h3 present, h2 present, h2 forgotten');
      await reaches(at, 'standing', mine);
    }
    const tally = await within.end();
    assert.equal(tally.received, tally.sent);
    assert.equal(await startedAt(h2, 'standing'), started, 'nothing was started again');
    // What it gave, and does not know of, is free by now: it is somebody else's, and nobody's a second time.
    await run(h1, 'other', '--network', 'mine', '--ip', LATER);
    await run(h3, 'another', '--network', 'mine', '--ip', later);
    await reaches(h3, 'another', LATER);
    assert.match(await dockerFails(h2, 'restart', '-t', '0', 'numbered'), /NR_ADDRESS_IN_USE/);
    await docker(h2, 'restart', '-t', '0', 'later');
    await reaches(h1, 'standing', await addressOf(h2, 'later'));
    await run(h2, 'fresh', '--network', 'mine');
    await reaches(h3, 'standing', await addressOf(h2, 'fresh'));
    await once(h1, h2, h3);
    await eventually(
      'all is well',
      async () => (await Promise.all([h1, h2, h3].map(attention))).every((whats) => whats.length === 0),
      BACK_MS * 2,
    );
  });

  it('goes on while a copy of it is started elsewhere, which stops', async () => {
    const mine = await addressOf(h2, 'standing');
    await Promise.all([h2, h4].map((host) => host.stopDaemon()));
    rmSync(stateOf(h4), { recursive: true });
    cpSync(stateOf(h2), stateOf(h4), { recursive: true, preserveTimestamps: true });
    await h2.startDaemon();
    await run(h2, 'first', '--network', 'mine');
    const pings = [await ping(h2, mine), await ping(h1, mine), await ping(h1, await addressOf(h2, 'first'))];
    await h4.startDaemon();
    await halts(h4);
    for (const at of [h1, h3]) await isNoticed(at, h4);
    // It has none of the containers, and takes nothing from who has.
    const giving = await Promise.all([h1, h2, h3].map((host) => run(host, 'beside', '--network', 'mine')));
    assert.equal(giving.length, 3);
    await h2.stopDaemon('SIGKILL');
    await h2.startDaemon();
    await run(h2, 'second', '--network', 'mine');
    for (const one of pings) {
      const { received, sent } = await one.end();
      assert.equal(received, sent);
    }
    for (const name of ['beside', 'second']) await reaches(h3, 'standing', await addressOf(h2, name));
    assert.equal((await self(h2)).state, 'member');
    assert.equal((await self(h4)).state, 'halted');
    const copied = (await endpoints(h4)).map(({ state, addresses }) => [
      state,
      ...addresses.map((one) => one.announced),
    ]);
    for (const one of copied) assert.deepEqual(one, ['gone', false, false]);
    await once(h1, h2, h3, h4);
    assert.notEqual(
      (await h4.exec(['net-routed', 'leave'])).status,
      0,
      'it may not leave for the one that it copies',
    );
  });

  it('is a host of its own without that state, and may join', async () => {
    await h4.stopDaemon();
    rmSync(stateOf(h4), { recursive: true });
    await h4.startDaemon();
    const token = (await h1.must(['net-routed', 'token'])).trim();
    const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
    await h4.must(argv, { input: token, timeoutMs: 120_000 });
    await createNetwork(h4, 'mine', SUBNETS);
    await run(h4, 'standing', '--network', 'mine');
    await reaches(h2, 'standing', await addressOf(h4, 'standing'));
    await seen(h2, 'h1 present, h3 present, h2 present, h4 present, h2 forgotten');
    await once(h1, h2, h3, h4);
  });
});
