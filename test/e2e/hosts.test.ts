import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import {
  createNetwork,
  docker,
  dockerFails,
  eventually,
  inside,
  list,
  OUTSIDE,
  OUTSIDE_V6,
  ourLinks,
  reaches,
  routed,
  run,
  useLab,
  within,
} from './support.ts';

const SUBNETS = ['10.1.0.0/16', 'fd00:9::/64'];

/** Sends datagrams until one comes back. */
async function echoes(host: Host, container: string, to: string): Promise<void> {
  const family = to.includes(':') ? 'udp6' : 'udp4';
  const script = `
    const socket = require('node:dgram').createSocket('${family}');
    socket.on('message', (text) => { process.stdout.write(text); process.exit(); });
    setInterval(() => socket.send('ping', 7000, '${to}'), 100);
    setTimeout(() => process.exit(1), 10000);
  `;
  assert.equal(await host.must(await within(host, container, script)), 'ping', `UDP to ${to}`);
}

/** Answers TCP on port 6000 and echoes UDP on port 7000 until the container ends. */
async function serve(host: Host, container: string): Promise<void> {
  await docker(host, 'exec', '-d', container, 'sh', '-c', 'while true; do echo tcp | nc -l -p 6000; done');
  const script = `
    const socket = require('node:dgram').createSocket('udp6');
    socket.on('message', (text, { port, address }) => socket.send(text, port, address));
    socket.bind(7000);
    setTimeout(() => process.exit(), 60000);
  `;
  host.spawn(await within(host, container, script), 'ignore');
  await eventually(`${container} listens`, async () => {
    const sockets = await inside(host, container, 'netstat -ltun');
    return sockets.includes(':6000') && sockets.includes(':7000');
  });
}

describe('containers across hosts', function () {
  this.timeout(120_000);
  const lab = useLab('e2ehosts', { hosts: 2 });
  let h1: Host;
  let h2: Host;
  before(async () => {
    [h1, h2] = [lab().host('h1'), lab().host('h2')];
    await Promise.all([h1, h2].map((host) => createNetwork(host, 'mine', SUBNETS)));
  });
  afterEach(async () => {
    for (const host of [h1, h2])
      await host.must(['sh', '-c', 'ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -f $ids']);
  });

  async function pair(): Promise<void> {
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--ip6', 'fd00:9::2');
    await run(h2, 'bb', '--network', 'mine', '--ip', '10.1.0.3', '--ip6', 'fd00:9::3');
    for (const address of ['10.1.0.3', 'fd00:9::3']) await routed(h1, address);
    for (const address of ['10.1.0.2', 'fd00:9::2']) await routed(h2, address);
  }

  it('reach each other and the plain host, in both families, by TCP and UDP', async () => {
    await pair();
    await serve(h2, 'bb');
    for (const address of ['10.1.0.3', 'fd00:9::3']) {
      await reaches(h1, 'aa', address);
      assert.equal(await inside(h1, 'aa', `nc ${address} 6000 < /dev/null`), 'tcp');
      await echoes(h1, 'aa', address);
    }
    for (const address of [...OUTSIDE, ...OUTSIDE_V6]) await reaches(h1, 'aa', address);
    for (const address of ['10.1.0.2', 'fd00:9::2', '10.1.0.3', 'fd00:9::3'])
      await reaches(lab().out, undefined, address);
  });

  it('take packets of 1,400 bytes and of the full MTU, unfragmented', async () => {
    await pair();
    for (const [address, header] of [
      ['10.1.0.2', 28],
      ['fd00:9::2', 48],
    ] as const) {
      for (const size of [1400 - header, 1500 - header]) {
        await lab().out.must(['ping', '-M', 'do', '-c', '2', '-W', '2', '-s', String(size), address]);
      }
      const tooLarge = await lab().out.exec([
        'ping',
        '-M',
        'do',
        '-c',
        '1',
        '-W',
        '1',
        '-s',
        String(1501 - header),
        address,
      ]);
      assert.notEqual(tooLarge.status, 0, 'a larger one does not pass, so the others were not fragmented');
    }
  });

  it('live in three networks at once', async () => {
    for (const host of [h1, h2]) {
      await createNetwork(host, 'two', ['10.2.0.0/16', 'fd00:a::/64']);
      await createNetwork(host, 'three', ['10.3.0.0/24']);
    }
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--ip6', 'fd00:9::2');
    await docker(h1, 'network', 'connect', '--ip', '10.2.0.2', '--ip6', 'fd00:a::2', 'two', 'aa');
    await docker(h1, 'network', 'connect', '--ip', '10.3.0.2', 'three', 'aa');
    for (const address of ['10.1.0.2', '10.2.0.2', '10.3.0.2', 'fd00:9::2', 'fd00:a::2']) {
      await routed(h2, address);
      await reaches(h2, undefined, address);
    }
    const gateways = [...(await inside(h1, 'aa', 'ip -4 route')).matchAll(/^(169\.254\.\S+) dev/gm)].map(
      ([, one]) => one,
    );
    assert.equal(new Set(gateways).size, 3, `three gateways: ${gateways.join(' ')}`);
    await docker(h1, 'network', 'disconnect', 'two', 'aa');
    await routed(h2, '10.2.0.2', false);
    await reaches(h2, undefined, '10.1.0.2');
    await reaches(h2, undefined, '10.3.0.2');
    await docker(h1, 'rm', '-f', 'aa');
    for (const host of [h1, h2]) await docker(host, 'network', 'rm', 'two', 'three');
  });

  it('are connected and disconnected while they run', async () => {
    await run(h1, 'aa', '--network', 'none');
    await docker(h1, 'network', 'disconnect', 'none', 'aa');
    for (let round = 0; round < 3; round++) {
      await docker(h1, 'network', 'connect', '--ip', '10.1.0.2', 'mine', 'aa');
      await routed(h2, '10.1.0.2');
      await reaches(h1, 'aa', OUTSIDE[0]);
      await docker(h1, 'network', 'disconnect', 'mine', 'aa');
      await routed(h2, '10.1.0.2', false);
      assert.deepEqual(await ourLinks(h1), []);
    }
  });

  it('have the MAC address asked for, or one made from the address', async () => {
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--mac-address', '02:11:22:33:44:55');
    await run(h1, 'bb', '--network', 'mine', '--ip', '10.1.0.3');
    assert.equal(await inside(h1, 'aa', 'cat /sys/class/net/eth0/address'), '02:11:22:33:44:55');
    assert.equal(await inside(h1, 'bb', 'cat /sys/class/net/eth0/address'), '02:42:0a:01:00:03');
    await reaches(h1, 'aa', '10.1.0.3');
  });

  it('get the same address again right after it was released', async () => {
    for (let round = 0; round < 5; round++) {
      await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2');
      await reaches(h1, 'aa', OUTSIDE[0]);
      await docker(h1, 'rm', '-f', 'aa');
    }
    // And on another host, once the route has gone.
    await routed(h2, '10.1.0.2', false);
    await run(h2, 'aa', '--network', 'mine', '--ip', '10.1.0.2');
    await reaches(h2, 'aa', OUTSIDE[0]);
  });

  it('come through restart, kill and pause', async () => {
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2');
    await routed(h2, '10.1.0.2');
    await docker(h1, 'restart', '-t', '0', 'aa');
    await routed(h2, '10.1.0.2');
    await reaches(h1, 'aa', OUTSIDE[0]);
    await docker(h1, 'pause', 'aa');
    await routed(h2, '10.1.0.2');
    await docker(h1, 'unpause', 'aa');
    await reaches(h1, 'aa', OUTSIDE[0]);
    await docker(h1, 'kill', 'aa');
    await routed(h2, '10.1.0.2', false);
    assert.deepEqual(await ourLinks(h1), []);
    await docker(h1, 'start', 'aa');
    await routed(h2, '10.1.0.2');
    await reaches(h1, 'aa', OUTSIDE[0]);
  });

  it('start 30 at once, each with an address of its own', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `p${index}`);
    await Promise.all(names.map((name) => run(h1, name, '--network', 'mine')));
    const template =
      '{{.NetworkSettings.Networks.mine.IPAddress}} {{.NetworkSettings.Networks.mine.GlobalIPv6Address}}';
    const lines = (await docker(h1, 'inspect', '-f', template, ...names)).split('\n');
    const addresses = lines.flatMap((line) => line.split(' '));
    assert.equal(new Set(addresses).size, 60, addresses.join(' '));
    for (const address of addresses) await routed(lab().tor, address);
    for (const address of addresses) await reaches(lab().out, undefined, address);
    await docker(h1, 'rm', '-f', ...names);
    assert.deepEqual(await ourLinks(h1), []);
    for (const address of addresses) await routed(lab().tor, address, false);
  });

  it('cannot have an address that another host announces, unless both share it', async () => {
    const anycast = 'driver-opt=anycast=true';
    await run(h1, 'aa', '--network', 'name=mine,ip=10.1.0.2');
    await routed(h2, '10.1.0.2');
    const refused = await dockerFails(
      h2,
      'run',
      '-d',
      '--network',
      'name=mine,ip=10.1.0.2',
      'busybox:local',
      'sleep',
      '9',
    );
    assert.match(refused, /NR_ADDRESS_ANNOUNCED: 10\.1\.0\.2 is announced by 192\.168\.1\.2/);
    const one = await dockerFails(
      h2,
      'run',
      '-d',
      '--network',
      `name=mine,ip=10.1.0.2,${anycast}`,
      'busybox:local',
      'sleep',
      '9',
    );
    assert.match(one, /NR_ADDRESS_ANNOUNCED.*192\.168\.1\.2.*anycast/);
    assert.deepEqual(await list(h2, 'endpoints'), [], 'nothing is left of the attempts');
    await docker(h1, 'rm', '-f', 'aa');
    await routed(h2, '10.1.0.2', false);

    await run(h1, 'aa', '--network', `name=mine,ip=10.1.0.2,${anycast}`);
    await routed(h2, '10.1.0.2');
    await run(h2, 'bb', '--network', `name=mine,ip=10.1.0.2,${anycast}`);
    await eventually('the router knows both', async () => {
      const text = await lab().tor.must(['vtysh', '-c', 'show ip route 10.1.0.2/32 json']);
      const [route] = (JSON.parse(text) as Record<string, { nexthops: unknown[] }[]>)['10.1.0.2/32'] ?? [];
      return route?.nexthops.length === 2;
    });
    await docker(h1, 'rm', '-f', 'aa');
    await reaches(lab().out, undefined, '10.1.0.2');
  });
});
