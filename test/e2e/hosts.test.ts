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

/** The addresses of both families that end in a number, and the flags that ask for them. */
const own = (last: number) => [`10.1.0.${last}`, `fd00:9::${last}`] as const;
const asked = (last: number) => ['--network', 'mine', '--ip', own(last)[0], '--ip6', own(last)[1]];

/** A ping of so many bytes on the wire that no one may fragment, from the network of a container. */
async function whole(
  from: Host,
  container: string | undefined,
  to: string,
  bytes: number,
): Promise<{ passes: boolean; said: string }> {
  const size = String(bytes - (to.includes(':') ? 48 : 28));
  const ping = ['ping', '-M', 'do', '-c', '2', '-i', '0.2', '-W', '2', '-s', size, to];
  const pid = container && (await docker(from, 'inspect', '-f', '{{.State.Pid}}', container));
  const { status, stdout, stderr } = await from.exec(pid ? ['nsenter', '-t', pid, '-n', ...ping] : ping);
  return { passes: status === 0, said: stdout + stderr };
}

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

  /** Waits until the other host knows both addresses, or neither. */
  async function known(host: Host, last: number, there = true): Promise<void> {
    for (const address of own(last)) await routed(host, address, there);
  }

  /** Waits until a container reaches the plain host by both families. */
  async function reachesOut(host: Host, container: string): Promise<void> {
    for (const address of [OUTSIDE[0], OUTSIDE_V6[0]]) await reaches(host, container, address);
  }

  async function pair(): Promise<void> {
    await run(h1, 'aa', ...asked(2));
    await run(h2, 'bb', ...asked(3));
    await known(h1, 3);
    await known(h2, 2);
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

  it('take packets of 1,400 bytes and of the full MTU, unfragmented, and none that is larger', async () => {
    await pair();
    const ways: [Host, string | undefined, readonly string[]][] = [
      [h1, 'aa', own(3)],
      [h2, 'bb', own(2)],
      [h1, 'aa', [OUTSIDE[0], OUTSIDE_V6[0]]],
      [lab().out, undefined, own(2)],
    ];
    for (const [host, container, addresses] of ways) {
      for (const address of addresses) {
        const what = `${container ?? host.name} to ${address}`;
        await reaches(host, container, address);
        for (const bytes of [1400, 1500]) {
          const { passes, said } = await whole(host, container, address, bytes);
          assert.ok(passes, `${bytes} bytes from ${what}: ${said}`);
        }
        const { passes, said } = await whole(host, container, address, 1501);
        assert.ok(!passes, `1501 bytes from ${what} passed, so the others may have been fragmented`);
        assert.match(said, /message too long/i, what);
      }
    }
  });

  it('live in three networks at once', async () => {
    for (const host of [h1, h2]) {
      await createNetwork(host, 'two', ['10.2.0.0/16', 'fd00:a::/64']);
      await createNetwork(host, 'three', ['10.3.0.0/24', 'fd00:b::/64']);
    }
    await run(h1, 'aa', ...asked(2));
    await docker(h1, 'network', 'connect', '--ip', '10.2.0.2', '--ip6', 'fd00:a::2', 'two', 'aa');
    await docker(h1, 'network', 'connect', '--ip', '10.3.0.2', '--ip6', 'fd00:b::2', 'three', 'aa');
    await run(h2, 'bb', ...asked(3));
    for (const address of [...own(2), '10.2.0.2', 'fd00:a::2', '10.3.0.2', 'fd00:b::2']) {
      await routed(h2, address);
      await reaches(h2, 'bb', address);
    }
    for (const [family, on] of [
      ['-4', /^(169\.254\.\S+) dev/gm],
      ['-6', /^(fe80::\S+) dev/gm],
    ] as const) {
      const routes = await inside(h1, 'aa', `ip ${family} route`);
      const gateways = [...routes.matchAll(on)].map(([, one]) => one).filter((one) => !one?.includes('/'));
      assert.equal(new Set(gateways).size, 3, `three gateways: ${routes}`);
    }
    await docker(h1, 'network', 'disconnect', 'two', 'aa');
    for (const address of ['10.2.0.2', 'fd00:a::2']) await routed(h2, address, false);
    for (const address of [...own(2), '10.3.0.2', 'fd00:b::2']) await reaches(h2, undefined, address);
    await docker(h1, 'rm', '-f', 'aa');
    for (const host of [h1, h2]) await docker(host, 'network', 'rm', 'two', 'three');
  });

  it('are connected and disconnected while they run', async () => {
    await run(h1, 'aa', '--network', 'none');
    await docker(h1, 'network', 'disconnect', 'none', 'aa');
    for (let round = 0; round < 3; round++) {
      await docker(h1, 'network', 'connect', '--ip', own(2)[0], '--ip6', own(2)[1], 'mine', 'aa');
      await known(h2, 2);
      await reachesOut(h1, 'aa');
      await docker(h1, 'network', 'disconnect', 'mine', 'aa');
      await known(h2, 2, false);
      assert.deepEqual(await ourLinks(h1), []);
    }
  });

  it('have the MAC address asked for, or one made from the address', async () => {
    await run(h1, 'aa', ...asked(2), '--mac-address', '02:11:22:33:44:55');
    await run(h1, 'bb', ...asked(3));
    assert.equal(await inside(h1, 'aa', 'cat /sys/class/net/eth0/address'), '02:11:22:33:44:55');
    assert.equal(await inside(h1, 'bb', 'cat /sys/class/net/eth0/address'), '02:42:0a:01:00:03');
    for (const address of own(3)) await reaches(h1, 'aa', address);
    await reachesOut(h1, 'aa');
  });

  it('get the same address again right after it was released', async () => {
    for (let round = 0; round < 5; round++) {
      await run(h1, 'aa', ...asked(2));
      await reachesOut(h1, 'aa');
      await docker(h1, 'rm', '-f', 'aa');
    }
    // And on another host, once the routes have gone.
    await known(h2, 2, false);
    await run(h2, 'aa', ...asked(2));
    await reachesOut(h2, 'aa');
    await known(h1, 2);
  });

  it('come through restart, kill and pause', async () => {
    await run(h1, 'aa', ...asked(2));
    await known(h2, 2);
    await docker(h1, 'restart', '-t', '0', 'aa');
    await known(h2, 2);
    await reachesOut(h1, 'aa');
    await docker(h1, 'pause', 'aa');
    await known(h2, 2);
    await docker(h1, 'unpause', 'aa');
    await reachesOut(h1, 'aa');
    await docker(h1, 'kill', 'aa');
    await known(h2, 2, false);
    assert.deepEqual(await ourLinks(h1), []);
    await docker(h1, 'start', 'aa');
    await known(h2, 2);
    await reachesOut(h1, 'aa');
    for (const address of own(2)) await reaches(h2, undefined, address);
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

  /** The option of --network that asks for an address. */
  const ask = (address: string) => `name=mine,ip${address.includes(':') ? '6' : ''}=${address}`;

  for (const address of own(2)) {
    const family = address.includes(':') ? 'ipv6' : 'ip';
    it(`cannot have an ${family} address that another host announces, unless both share it`, async () => {
      const anycast = `${ask(address)},driver-opt=anycast=true`;
      const refused = (network: string) =>
        dockerFails(h2, 'run', '-d', '--network', network, 'busybox:local', 'sleep', '9');
      await run(h1, 'aa', '--network', ask(address));
      await routed(h2, address);
      assert.match(
        await refused(ask(address)),
        new RegExp(`NR_ADDRESS_ANNOUNCED: ${address} is announced by 192\\.168\\.1\\.2, which has it`),
      );
      assert.match(
        await refused(anycast),
        new RegExp(`NR_ADDRESS_ANNOUNCED: ${address} is announced by 192\\.168\\.1\\.2.*anycast`),
      );
      assert.deepEqual(await list(h2, 'endpoints'), [], 'nothing is left of the attempts');
      await docker(h1, 'rm', '-f', 'aa');
      await routed(h2, address, false);

      await run(h1, 'aa', '--network', anycast);
      await routed(h2, address);
      await run(h2, 'bb', '--network', anycast);
      const nextHops = async (): Promise<number> => {
        const prefix = `${address}/${address.includes(':') ? 128 : 32}`;
        const text = await lab().tor.must(['vtysh', '-c', `show ${family} route ${prefix} json`]);
        const routes = JSON.parse(text) as Record<string, { nexthops: unknown[] }[]>;
        return routes[prefix]?.[0]?.nexthops.length ?? 0;
      };
      await eventually('the router knows both', async () => (await nextHops()) === 2);
      await reaches(lab().out, undefined, address);
      await docker(h1, 'rm', '-f', 'aa');
      await eventually('the router knows the one that is left', async () => (await nextHops()) === 1);
      await reaches(lab().out, undefined, address);
    });
  }
});
