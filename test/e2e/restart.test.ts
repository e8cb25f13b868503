import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import {
  ask,
  clean,
  createNetwork,
  docker,
  dockerFails,
  eventually,
  inside,
  list,
  OUTSIDE,
  ourLinks,
  reaches,
  routed,
  run,
  useLab,
} from './support.ts';
import { ping, watchRemovals } from './traffic.ts';

const SUBNETS = ['10.1.0.0/16', 'fd00:9::/64'];
/** A further address of the container, which is announced only once it is inside. */
const ALIAS = '10.1.7.7';

/** Waits until the daemon says that nothing is in the way and its peer is up. */
async function wellOn(host: Host): Promise<void> {
  await eventually(`all is well on ${host.name}`, async () => {
    const { failures, peers } = await ask<{ failures: unknown[]; peers: { established: number } }>(
      host,
      'status',
    );
    return failures.length === 0 && peers.established > 0;
  });
}

describe('restarts', function () {
  this.timeout(180_000);
  const lab = useLab('e2erest', { hosts: 2 });
  let h1: Host;
  let h2: Host;
  before(async () => {
    [h1, h2] = [lab().host('h1'), lab().host('h2')];
    await Promise.all([h1, h2].map((host) => createNetwork(host, 'mine', SUBNETS)));
    await run(h2, 'far', '--network', 'mine', '--ip', '10.1.0.3');
  });
  beforeEach(async () => {
    const network = `name=mine,ip=10.1.0.2,driver-opt=ip-aliases=${ALIAS}`;
    await run(h1, 'near', '--network', network, '-p', '8080:80', '--restart', 'always');
    await routed(h2, '10.1.0.2');
    await routed(h2, ALIAS);
    await routed(h1, '10.1.0.3');
  });
  afterEach(async () => {
    await docker(h1, 'rm', '-f', 'near');
    await routed(h2, '10.1.0.2', false);
    assert.deepEqual(await ourLinks(h1), []);
  });

  it('of the daemon lose no packet and no route, whether it was asked to end or killed', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const removals = await Promise.all([watchRemovals(h1), watchRemovals(lab().tor)]);
      const to = ['10.1.0.2', ALIAS].map((address) => ping(lab().out, address));
      const pings = await Promise.all([...to, ping(h1, '10.1.0.3')]);
      await h1.stopDaemon(signal);
      await h1.startDaemon();
      await wellOn(h1);
      for (const one of pings) {
        const { sent, received } = await one.end();
        assert.equal(received, sent, `${signal}: ${sent - received} of ${sent} packets lost`);
      }
      for (const one of removals) assert.deepEqual(await one.end(), [], signal);
    }
  });

  it('of the daemon and its engine before the host has an address are made up for when it has one', async () => {
    const { host4, host6, tor4, tor6 } = underlay('h1');
    const ip = (...words: string[]) => h1.must(['ip', ...words]);
    await h1.stopDaemon();
    await h1.must(['kill', '-9', (await h1.must(['pgrep', '-x', 'gobgpd'])).trim()]);
    await ip('addr', 'flush', 'dev', 'eth0', 'scope', 'global');
    try {
      await h1.startDaemon();
      await run(h1, 'early', '--network', 'mine', '--ip', '10.1.0.8');
      const { attention, host } = await ask<{ attention: { what: string }[]; host: object }>(h1, 'status');
      assert.match(attention[0]?.what ?? '', /^the routing engine is not started/);
      assert.deepEqual(host, { uplink: 'eth0', mtu: 1500 });
      assert.notEqual((await h1.exec(['pgrep', '-x', 'gobgpd'])).status, 0);
    } finally {
      await ip('addr', 'add', `${host4}/24`, 'dev', 'eth0');
      await ip('addr', 'add', `${host6}/64`, 'dev', 'eth0', 'nodad');
      await ip('route', 'replace', 'default', 'via', tor4);
      await ip('-6', 'route', 'replace', 'default', 'via', tor6);
    }
    await wellOn(h1);
    for (const address of ['10.1.0.2', '10.1.0.8']) await routed(h2, address);
    await docker(h1, 'rm', '-f', 'early');
    await routed(h2, '10.1.0.8', false);
    const { host } = await ask<{ host: object }>(h1, 'status');
    const { as } = host as { as: number };
    assert.deepEqual(host, {
      address: host4,
      addressV6: host6,
      uplink: 'eth0',
      mtu: 1500,
      routerId: host4,
      as,
    });
  });

  it('of the engine lose no packet and no route, and the router hears the routes again', async () => {
    const removals = await Promise.all([watchRemovals(h1), watchRemovals(lab().tor), watchRemovals(h2)]);
    const pings = await Promise.all([ping(lab().out, '10.1.0.2'), ping(h1, '10.1.0.3')]);
    const pid = (await h1.must(['pgrep', '-x', 'gobgpd'])).trim();
    await h1.must(['kill', '-9', pid]);
    await eventually('another engine runs', async () => {
      const now = (await h1.exec(['pgrep', '-x', 'gobgpd'])).stdout.trim();
      return now !== '' && now !== pid;
    });
    await wellOn(h1);
    await eventually(
      'the router has the route from the new session',
      async () => {
        const text = await lab().tor.must(['vtysh', '-c', 'show bgp ipv4 unicast 10.1.0.2/32 json']);
        const { paths = [] } = JSON.parse(text) as { paths?: { stale?: boolean }[] };
        return paths.length > 0 && paths.every(({ stale }) => !stale);
      },
      5000,
    );
    for (const one of pings) {
      const { sent, received } = await one.end();
      assert.equal(received, sent, `${sent - received} of ${sent} packets lost`);
    }
    for (const one of removals) assert.deepEqual(await one.end(), []);
    // The new engine announces and withdraws as the old one did.
    await run(h1, 'late', '--network', 'mine', '--ip', '10.1.0.9');
    await routed(h2, '10.1.0.9');
    await docker(h1, 'rm', '-f', 'late');
    await routed(h2, '10.1.0.9', false);
  });

  it('of dockerd bring containers back with their address', async () => {
    await h1.stopDocker();
    await routed(h2, '10.1.0.2', false);
    await h1.startDocker();
    await routed(h2, '10.1.0.2');
    await reaches(h1, 'near', OUTSIDE[0]);
    assert.equal((await ourLinks(h1)).length, 1);
  });

  it('of dockerd after SIGKILL do so too', async () => {
    await h1.stopDocker('SIGKILL');
    await h1.startDocker();
    await eventually(
      'the container runs',
      async () => (await docker(h1, 'ps', '-q', '-f', 'name=near')) !== '',
    );
    await routed(h2, '10.1.0.2');
    await reaches(h1, 'near', OUTSIDE[0]);
    assert.equal((await ourLinks(h1)).length, 1);
  });

  it('of dockerd in the middle of a start leave the address of that start to the next', async () => {
    const network = await docker(h1, 'network', 'inspect', '-f', '{{.Id}}', 'mine');
    const call = (method: string, body: object) =>
      h1.must([
        ...['curl', '-sS', '-X', 'POST', '-d', JSON.stringify(body)],
        ...['--unix-socket', '/run/docker/plugins/net-routed.sock', `http://plugin/${method}`],
      ]);
    const Address = '10.1.0.8';
    await call('IpamDriver.RequestAddress', { PoolID: 'default:10.1.0.0/16', Address, Options: {} });
    const made = await call('NetworkDriver.CreateEndpoint', {
      NetworkID: network,
      EndpointID: 'ab'.repeat(32),
      Interface: { Address: `${Address}/32` },
      Options: {},
    });
    assert.match(made, /MacAddress/);
    const second = ['run', '--rm', '--network', 'mine', '--ip', Address, 'busybox:local', 'true'];
    assert.match(await dockerFails(h1, ...second), /NR_ADDRESS_IN_USE/);
    await h1.stopDocker('SIGKILL');
    await h1.startDocker();
    await run(h1, 'second', '--network', 'mine', '--ip', Address);
    await routed(h2, Address);
    await docker(h1, 'rm', '-f', 'second');
    await routed(h2, Address, false);
  });

  it('of dockerd while the daemon is down are got over when it comes', async () => {
    await h1.stopDocker();
    await h1.stopDaemon();
    const started = h1.startDocker();
    await h1.startDaemon();
    await started;
    await eventually(
      'the container runs',
      async () => {
        // Docker gives up on a container whose network failed at its boot; the user starts it then.
        await h1.exec(['docker', 'start', 'near']);
        return (await docker(h1, 'ps', '-q', '-f', 'name=near')) !== '';
      },
      90_000,
    );
    await routed(h2, '10.1.0.2');
    await reaches(h1, 'near', OUTSIDE[0]);
  });

  it('of dockerd and the daemon, killed together, lose nothing of what was acknowledged', async () => {
    await Promise.all([h1.stopDocker('SIGKILL'), h1.stopDaemon('SIGKILL')]);
    await h1.startDaemon();
    await h1.startDocker();
    await eventually(
      'the container runs',
      async () => (await docker(h1, 'ps', '-q', '-f', 'name=near')) !== '',
    );
    await routed(h2, '10.1.0.2');
    const networks = await list<unknown>(h1, 'networks');
    assert.equal(networks.length, 1);
  });

  it('of the whole host bring networks and containers back', async () => {
    await h1.reboot();
    await eventually(
      'the container runs',
      async () => (await h1.exec(['docker', 'ps', '-q', '-f', 'name=near'])).stdout.trim() !== '',
      60_000,
    );
    await routed(h2, '10.1.0.2');
    await reaches(h1, 'near', OUTSIDE[0]);
    assert.equal((await ourLinks(h1)).length, 1);
    await eventually('only the living endpoint is left', async () => {
      const endpoints = await list<{ state: string }>(h1, 'endpoints');
      return endpoints.filter(({ state }) => state === 'up').length === 1;
    });
    await inside(h1, 'near', 'true');
  });
});

describe('restarts of dockerd with live-restore', function () {
  this.timeout(120_000);
  const lab = useLab('e2elive', { hosts: 1, dockerArgs: ['--live-restore'] });

  it('lose no packet, and the container can be stopped afterwards', async () => {
    const h1 = lab().host('h1');
    await createNetwork(h1, 'mine', SUBNETS);
    await run(h1, 'near', '--network', 'mine', '--ip', '10.1.0.2');
    await routed(lab().tor, '10.1.0.2');
    const running = await ping(lab().out, '10.1.0.2');
    await h1.stopDocker();
    await h1.startDocker();
    await eventually('dockerd has the container', async () => (await docker(h1, 'ps', '-q')) !== '');
    const { sent, received } = await running.end();
    assert.equal(received, sent, `${sent - received} of ${sent} packets lost`);
    await docker(h1, 'rm', '-f', 'near');
    await routed(lab().tor, '10.1.0.2', false);
    assert.deepEqual(await ourLinks(h1), []);
    await run(h1, 'near', '--network', 'mine', '--ip', '10.1.0.2');
    await routed(lab().tor, '10.1.0.2');
    await clean(lab());
  });
});
