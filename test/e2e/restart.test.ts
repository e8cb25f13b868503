import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Host, ServiceName } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { vethNames } from '../../src/net/ifname.ts';
import { nothingLeft } from './leftovers.ts';
import { say } from './plugin.ts';
import {
  ask,
  clean,
  createNetwork,
  docker,
  dockerFails,
  eventually,
  inside,
  type Listed,
  list,
  OUTSIDE,
  OUTSIDE_V6,
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

/** What a service writes into its log from now on. */
function logOf(host: Host, service: ServiceName): () => string {
  const file = host.log(service);
  const { size } = statSync(file);
  return () => readFileSync(file).subarray(size).toString();
}

/** A container's addresses, IPv4 first. */
async function addressesOf(host: Host, container: string): Promise<string[]> {
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}';
  return (await docker(host, 'inspect', '-f', format, container)).split(' ');
}

/** Whether all paths of the router to an address are of sessions that are up. */
async function freshOn(router: Host, address: string): Promise<boolean> {
  const [family, length] = address.includes(':') ? ['ipv6', 128] : ['ipv4', 32];
  const text = await router.must(['vtysh', '-c', `show bgp ${family} unicast ${address}/${length} json`]);
  const { paths = [] } = JSON.parse(text) as { paths?: { stale?: boolean }[] };
  return paths.length > 0 && paths.every(({ stale }) => !stale);
}

/** How many connections wait in the listening socket of a path. */
async function waitingIn(host: Host, socket: string): Promise<number> {
  const lines = (await host.must(['ss', '--unix', '--listening', '--no-header', 'src', socket]))
    .trim()
    .split('\n');
  assert.equal(lines.length, 1, lines.join('\n'));
  return Number(lines[0]?.trim().split(/\s+/)[2]);
}

/** Waits until a container runs. */
async function runs(host: Host, container: string, timeoutMs?: number): Promise<void> {
  const argv = ['docker', 'ps', '-q', '-f', `name=${container}`];
  await eventually(
    `${container} runs on ${host.name}`,
    async () => (await host.exec(argv)).stdout.trim() !== '',
    timeoutMs,
  );
}

describe('restarts', function () {
  this.timeout(240_000);
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
    const addresses = await addressesOf(h1, 'near');
    const removals = await Promise.all([watchRemovals(h1), watchRemovals(lab().tor), watchRemovals(h2)]);
    const pings = await Promise.all([ping(lab().out, '10.1.0.2'), ping(h1, '10.1.0.3')]);
    const pid = (await h1.must(['pgrep', '-x', 'gobgpd'])).trim();
    await h1.must(['kill', '-9', pid]);
    await eventually('another engine runs', async () => {
      const now = (await h1.exec(['pgrep', '-x', 'gobgpd'])).stdout.trim();
      return now !== '' && now !== pid;
    });
    const back = performance.now();
    for (const address of addresses) {
      await eventually(
        `the router has ${address} from the new session`,
        () => freshOn(lab().tor, address),
        5000 - (performance.now() - back),
      );
    }
    await wellOn(h1);
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
    await runs(h1, 'near');
    await routed(h2, '10.1.0.2');
    await reaches(h1, 'near', OUTSIDE[0]);
    assert.equal((await ourLinks(h1)).length, 1);
  });

  it('of dockerd in the middle of a start leave the address of that start to the next', async () => {
    const network = await docker(h1, 'network', 'inspect', '-f', '{{.Id}}', 'mine');
    const Address = '10.1.0.8';
    await say(h1, 'IpamDriver.RequestAddress', { PoolID: 'default:10.1.0.0/16', Address, Options: {} });
    const made = await say(h1, 'NetworkDriver.CreateEndpoint', {
      NetworkID: network,
      EndpointID: 'ab'.repeat(32),
      Interface: { Address: `${Address}/32` },
      Options: {},
    });
    assert.match(made.text, /MacAddress/);
    const second = ['run', '--rm', '--network', 'mine', '--ip', Address, 'busybox:local', 'true'];
    assert.match(await dockerFails(h1, ...second), /NR_ADDRESS_IN_USE/);
    await h1.stopDocker('SIGKILL');
    await h1.startDocker();
    await run(h1, 'second', '--network', 'mine', '--ip', Address);
    await routed(h2, Address);
    await docker(h1, 'rm', '-f', 'second');
    await routed(h2, Address, false);
  });

  for (const [signal, sees] of [
    ['SIGTERM', /Unable to locate plugin: (net|ipam)-routed, retrying/],
    [
      'SIGKILL',
      /Unable to connect to plugin: .*(net|ipam)-routed\.sock: connect: connection refused, retrying/,
    ],
  ] as const) {
    it(`of dockerd while the daemon is down since ${signal} are got over when it comes`, async () => {
      await h1.stopDocker();
      await h1.stopDaemon(signal);
      const said = logOf(h1, 'dockerd');
      await Promise.all([
        h1.startDocker(),
        eventually('dockerd has called in vain', () => sees.test(said())).then(() => h1.startDaemon()),
      ]);
      await runs(h1, 'near');
      for (const address of await addressesOf(h1, 'near')) await routed(h2, address);
      await reaches(h1, 'near', OUTSIDE[0]);
      const networks = await list<unknown>(h1, 'networks');
      assert.equal(networks.length, 1);
      await run(h1, 'later', '--network', 'mine', '--ip', '10.1.0.8');
      await routed(h2, '10.1.0.8');
      await docker(h1, 'rm', '-f', 'later');
      await routed(h2, '10.1.0.8', false);
    });
  }

  it('of dockerd before a daemon whose sockets are held for it have the calls wait', async () => {
    const names = ['net-routed', 'ipam-routed'];
    const sockets = names.map((name) => `/run/docker/plugins/${name}.sock`);
    await h1.stopDocker();
    await h1.stopDaemon();
    const said = { dockerd: logOf(h1, 'dockerd'), daemon: logOf(h1, 'net-routed') };
    // Becomes the daemon when somebody writes into the pipe: until then nobody accepts what the sockets hold.
    const gate = '/run/lab/gate';
    await h1.must(['mkfifo', gate]);
    const listen = sockets.flatMap((socket) => ['-l', socket]);
    const activator = ['systemd-socket-activate', ...listen, `--fdname=${names.join(':')}`];
    await h1.launchDaemon([...activator, 'sh', '-c', `read _ < ${gate}; exec "$@"`, 'sh']);
    await eventually('the sockets are there', () => sockets.every((socket) => existsSync(h1.path(socket))));
    const open = async () => {
      await eventually('dockerd waits for an answer', async () => {
        const waiting = await Promise.all(sockets.map((socket) => waitingIn(h1, socket)));
        return waiting.some((count) => count > 0);
      });
      assert.ok(!said.daemon().includes('daemon is up'));
      await h1.must(['sh', '-c', `echo > ${gate}; rm ${gate}`]);
      await h1.startDaemon();
    };
    await Promise.all([h1.startDocker(), open()]);
    await runs(h1, 'near');
    for (const address of await addressesOf(h1, 'near')) await routed(h2, address);
    await reaches(h1, 'near', OUTSIDE[0]);
    assert.deepEqual(
      said.daemon().match(/"fd":\d+/g),
      ['"fd":3', '"fd":4'],
      'it serves the sockets that were held',
    );
    assert.doesNotMatch(said.dockerd(), /Unable to (locate|connect to) plugin/, 'no call was in vain');
    // The other tests have a daemon that makes its sockets itself.
    await h1.stopDaemon();
    await h1.startDaemon();
  });

  it('of dockerd and the daemon, killed together, lose nothing of what was acknowledged', async () => {
    await Promise.all([h1.stopDocker('SIGKILL'), h1.stopDaemon('SIGKILL')]);
    await h1.startDaemon();
    await h1.startDocker();
    await runs(h1, 'near');
    await routed(h2, '10.1.0.2');
    const networks = await list<unknown>(h1, 'networks');
    assert.equal(networks.length, 1);
  });

  it('of the whole host bring networks and containers back, and nothing else of before', async () => {
    await run(h1, 'ended', '--network', 'mine', '--ip', '10.1.0.7');
    await routed(h2, '10.1.0.7');
    const before = await list<Listed>(h1, 'endpoints');
    assert.equal(before.length, 2);
    await h1.reboot();
    await runs(h1, 'near', 60_000);
    const addresses = await addressesOf(h1, 'near');
    assert.equal(addresses[0], '10.1.0.2');
    for (const address of addresses) {
      await routed(h2, address);
      await eventually(`the router has ${address} of the new boot`, () => freshOn(lab().tor, address));
    }
    await reaches(h1, 'near', OUTSIDE[0]);
    await reaches(h1, 'near', OUTSIDE_V6[0]);
    // What Docker does not clear away itself goes a minute after it was made, at the next comparison with Docker.
    const [endpoint] = await eventually(
      'one endpoint is left',
      async () => {
        const endpoints = await list<Listed>(h1, 'endpoints');
        return endpoints.length === 1 && endpoints;
      },
      150_000,
    );
    assert.ok(endpoint && !before.some(({ id }) => id === endpoint.id), 'it is a new one');
    assert.equal(endpoint.state, 'up');
    const own = endpoint.addresses.map(({ address }) => address);
    assert.deepEqual(own, [...addresses, ALIAS]);
    // The other host's container is announced to the router as well.
    const far = await addressesOf(h2, 'far');
    const living = { links: [vethNames(endpoint.id).host], addresses: [...own, ...far] };
    await nothingLeft(h1, lab().tor, SUBNETS, living);
    await inside(h1, 'near', 'true');
    await docker(h1, 'rm', 'ended');
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
