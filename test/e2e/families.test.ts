import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Context } from 'mocha';
import type { Host } from '../../lab/host.ts';
import {
  ask,
  clean,
  connectFrom,
  createNetwork,
  docker,
  dockerFails,
  eventually,
  inside,
  list,
  OUTSIDE,
  OUTSIDE_V6,
  reaches,
  routed,
  run,
  useLab,
  within,
} from './support.ts';

/** Addresses of the first host that the fabric knows. */
const HOST = { 4: '192.168.1.2', 6: 'fd00:168:1::2' } as const;

describe('address families, pools and ports', function () {
  this.timeout(60_000);
  const lab = useLab('e2efam', { hosts: 2 });
  let h1: Host;
  let h2: Host;
  let out: Host;
  let version: string;
  let major: number;
  before(async () => {
    [h1, h2, out] = [lab().host('h1'), lab().host('h2'), lab().out];
    version = await docker(h1, 'version', '-f', '{{.Server.Version}}');
    major = Number(version.split('.')[0]);
  });
  afterEach(() => clean(lab()));

  function needsDocker(test: Context, least: number, what: string): void {
    if (major >= least) return;
    process.stdout.write(`      skipped: Docker ${version} has no ${what}\n`);
    test.skip();
  }

  const addressesOf = async (host: Host, container: string): Promise<string[]> => {
    const template = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}';
    return (await docker(host, 'inspect', '-f', template, container))
      .split(/\s+/)
      .filter((text) => /^[0-9a-f]/.test(text));
  };

  /** A container on each host that reach each other and the plain host, and are reached by it. */
  async function reachAll(families: readonly number[]): Promise<void> {
    await run(h1, 'aa', '--network', 'mine');
    await run(h2, 'bb', '--network', 'mine');
    const [a, b] = [await addressesOf(h1, 'aa'), await addressesOf(h2, 'bb')];
    assert.deepEqual(
      [a, b].map((some) => some.map((one) => (one.includes(':') ? 6 : 4))),
      [families, families],
    );
    for (const address of a) {
      await routed(h2, address);
      await reaches(h2, 'bb', address);
      await reaches(out, undefined, address);
    }
    for (const address of b) {
      await routed(h1, address);
      await reaches(h1, 'aa', address);
    }
    if (families.includes(4)) await reaches(h1, 'aa', OUTSIDE[0]);
    if (families.includes(6)) await reaches(h1, 'aa', OUTSIDE_V6[0]);
  }

  const combinations: [string, number[], string[], string[]][] = [
    ['IPv4 only', [4], ['10.1.0.0/16'], []],
    ['IPv4 and IPv6', [4, 6], ['10.1.0.0/16', 'fd00:9::/64'], []],
    ['IPv6 only', [6], ['fd00:9::/64'], ['--ipv4=false']],
  ];
  for (const [what, families, subnets, flags] of combinations) {
    it(`of a network: ${what}`, async function () {
      if (!families.includes(4)) needsDocker(this, 28, 'networks without IPv4');
      for (const host of [h1, h2]) await createNetwork(host, 'mine', subnets, ...flags);
      await reachAll(families);
      const family = await inside(h1, 'aa', 'ip -4 addr show dev eth0');
      assert.equal(family.includes('inet '), families.includes(4));
      assert.equal((await inside(h1, 'aa', 'ls /sys/class/net')).split(/\s+/).length, 2, 'lo and eth0');
    });
  }

  it('of pools that nobody named: each host has its own', async () => {
    // Docker has IPv6 pools of its own choice since version 27; the network has none before.
    const flags = major >= 27 ? ['--ipv6'] : [];
    for (const host of [h1, h2]) await createNetwork(host, 'mine', [], ...flags);
    await reachAll(flags.length > 0 ? [4, 6] : [4]);
    const prefixes = await Promise.all([h1, h2].map((host) => list<{ prefix: string }>(host, 'pools')));
    const all = prefixes.flat().map(({ prefix }) => prefix);
    assert.equal(new Set(all).size, all.length, all.join(' '));
    assert.deepEqual(
      all.map((prefix) => prefix.split('/')[1]),
      [0, 1].flatMap(() => (flags.length > 0 ? ['24', '64'] : ['24'])),
    );
  });

  it('of Docker that asks whether gateways need addresses', async function () {
    needsDocker(this, 28, 'GwAllocCheck');
    await createNetwork(h1, 'mine', ['10.1.0.0/16']);
    assert.match(
      readFileSync(h1.log('net-routed'), 'utf8'),
      /"NetworkDriver\.GwAllocCheck"[^\n]*"code":"OK"/,
    );
    const [pool] = await list<{ prefix: string; gateway: string }>(h1, 'pools');
    assert.match(pool?.gateway ?? '', /^169\.254\./);
  });

  it('take addresses from --ip-range, but neither --aux-address nor --gateway', async () => {
    const range = ['--ip-range', '10.3.5.0/30', '--gateway', '10.3.5.2'];
    const apart = ['--aux-address', 'one=10.3.5.0', '--aux-address', 'two=10.3.5.1'];
    await createNetwork(h1, 'mine', ['10.3.0.0/16'], ...range, ...apart);
    await run(h1, 'aa', '--network', 'mine');
    assert.deepEqual(await addressesOf(h1, 'aa'), ['10.3.5.3'], 'the only one that is left of the range');
    assert.match(await inside(h1, 'aa', 'ip route'), /^default via 10\.3\.5\.2 dev eth0/m);
    await reaches(h1, 'aa', OUTSIDE[0]);
    await reaches(h1, 'aa', '10.3.5.2');
    const another = (...more: string[]) =>
      dockerFails(h1, 'run', '--rm', '--network', 'mine', ...more, 'busybox:local', 'true');
    assert.match(await another(), /NR_POOL_FULL/);
    for (const address of ['10.3.5.0', '10.3.5.1', '10.3.5.2'])
      assert.match(await another('--ip', address), /NR_ADDRESS_RESERVED/, address);
    await run(h1, 'bb', '--network', 'mine', '--ip', '10.3.6.1');
    await reaches(h1, 'bb', '10.3.5.3');
  });

  it('take IPv6 addresses from --ip-range, and the gateway that is given', async () => {
    const gateway = ['--gateway', '10.3.0.1', '--gateway', 'fd00:c::1'];
    const range = ['--ip-range', 'fd00:c::5:0/126'];
    await createNetwork(h1, 'mine', ['10.3.0.0/16', 'fd00:c::/64'], ...range, ...gateway);
    for (const name of ['aa', 'bb', 'cc', 'dd']) await run(h1, name, '--network', 'mine');
    const given = (await Promise.all(['aa', 'bb', 'cc', 'dd'].map((name) => addressesOf(h1, name)))).map(
      ([, v6]) => v6,
    );
    assert.deepEqual(given.toSorted(), ['fd00:c::5:0', 'fd00:c::5:1', 'fd00:c::5:2', 'fd00:c::5:3']);
    assert.match(await inside(h1, 'aa', 'ip -6 route'), /^default via fd00:c::1 dev eth0/m);
    await reaches(h1, 'aa', OUTSIDE_V6[0]);
    await reaches(h1, 'aa', 'fd00:c::5:1');
  });

  describe('published ports', () => {
    /** Answers every connection to port 5000 of a container with its name, until the container ends. */
    async function serve(host: Host, container: string): Promise<void> {
      const script = `require('node:net').createServer((one) => one.end('${container}')).listen(5000, '::')`;
      host.spawn(await within(host, container, script), 'ignore');
      await eventually(`${container} listens`, async () =>
        (await inside(host, container, 'netstat -ltn')).includes(':5000'),
      );
    }

    beforeEach(async () => {
      for (const host of [h1, h2]) await createNetwork(host, 'mine', ['10.1.0.0/16', 'fd00:9::/64']);
      await run(
        h1,
        'web',
        '--network',
        'mine',
        '--ip',
        '10.1.0.2',
        '-p',
        '8080:5000',
        '-p',
        '127.0.0.1:8081:5000',
      );
      await serve(h1, 'web');
    });

    it('are reached from the plain host, and refuse when the container is gone', async () => {
      const four = () => connectFrom(out, OUTSIDE[0], HOST[4], 8080);
      const six = () => connectFrom(out, OUTSIDE_V6[0], HOST[6], 8080);
      assert.equal(await four(), 'web');
      assert.equal(await six(), 'web');
      assert.equal(
        await connectFrom(out, OUTSIDE[0], HOST[4], 8081),
        'ECONNREFUSED',
        '8081 is for the host alone',
      );
      await docker(h1, 'rm', '-f', 'web');
      assert.equal(await four(), 'ECONNREFUSED');
      assert.equal(await six(), 'ECONNREFUSED');
    });

    it('are reached from the host itself, by its addresses and by 127.0.0.1', async () => {
      assert.equal(await connectFrom(h1, HOST[4], HOST[4], 8080), 'web');
      assert.equal(await connectFrom(h1, HOST[6], HOST[6], 8080), 'web');
      assert.equal(await connectFrom(h1, '127.0.0.1', '127.0.0.1', 8080), 'web');
      assert.equal(await connectFrom(h1, '127.0.0.1', '127.0.0.1', 8081), 'web');
      assert.equal(await connectFrom(h1, HOST[4], HOST[4], 8081), 'ECONNREFUSED');
      await docker(h1, 'rm', '-f', 'web');
      assert.equal(await connectFrom(h1, '127.0.0.1', '127.0.0.1', 8080), 'ECONNREFUSED');
    });

    it('are refused where a program of the host listens, as Docker refuses its own', async () => {
      /** A program that waits for connections at an address and port of the host. */
      const listen = async (address: string, port: number) => {
        const script = `require('node:net').createServer().listen(${port}, '${address}', () => console.log('up'))`;
        const program = h1.spawn([process.execPath, '-e', script]);
        await once(program.process.stdout!, 'data');
        return program;
      };
      const refused = async (...flags: string[]) => {
        const before = (await list(h1, 'endpoints')).length;
        const said = await dockerFails(h1, 'run', '--network', 'mine', ...flags, 'busybox:local', 'true');
        assert.equal((await list(h1, 'endpoints')).length, before, 'nothing is left of it');
        return said;
      };
      const ports = async (name: string) => {
        const shown = await ask<{ endpoints: { ports: { hostPort: number }[] }[] }>(
          h1,
          'endpoints',
          'show',
          name,
        );
        return shown.endpoints.flatMap((one) => one.ports.map(({ hostPort }) => hostPort));
      };
      const programs = await Promise.all([listen('127.0.0.1', 8090), listen('0.0.0.0', 32768)]);
      assert.match(
        await refused('-p', '8090:5000'),
        /NR_PORT_IN_USE: port 8090\/tcp of the host is in use: \S+ \(process \d+\) listens on 127\.0\.0\.1/,
      );
      // Where the program does not listen the port is free, and so is one of the user's range or any.
      const free = [
        '-p',
        `${HOST[4]}:8090:5000`,
        '-p',
        '8090:5000/udp',
        '-p',
        '8090-8095:5001',
        '-p',
        '5002',
      ];
      await run(h1, 'free', '--network', 'mine', ...free);
      assert.deepEqual((await ports('free')).toSorted(), [32769, 8090, 8090, 8091].toSorted());
      await run(h1, 'bridged', '-p', '8099:5000');
      assert.match(await refused('-p', '8099:5000'), /NR_PORT_IN_USE.*docker-proxy/);
      assert.match(await refused('-p', '8080:5000'), /NR_PORT_IN_USE.*published already by endpoint/);
      for (const program of programs) program.kill();
      await Promise.all(programs.map(({ done }) => done));
      await docker(h1, 'rm', '-f', 'bridged');
      await run(h1, 'later', '--network', 'mine', '-p', '8099:5000', '-p', '127.0.0.1:8090:5000');
      assert.deepEqual((await ports('later')).toSorted(), [8090, 8099]);
    });

    it('of UDP are reached by clients that never stop sending, whoever has the port by now', async () => {
      /** From one port of the plain host, all the time, to the same port of the host; who answered last. */
      const client = (from: string, to: string) => {
        const script = `
          const [from, to] = process.argv.slice(1);
          const socket = require('node:dgram').createSocket(from.includes(':') ? 'udp6' : 'udp4');
          socket.on('message', (name) => console.log(String(name)));
          socket.on('error', () => {});
          socket.bind(4444, from, () => setInterval(() => socket.send('who', 8053, to), 50));
        `;
        const running = out.spawn([process.execPath, '-e', script, from, to]);
        let last = '';
        running.process.stdout?.on('data', (part: Buffer) => {
          last = part.toString().trim().split('\n').at(-1) ?? '';
        });
        return { running, last: () => last };
      };
      /** Runs a container that answers each packet with its name. */
      const answering = async (name: string, number: number) => {
        const addresses = ['--ip', `10.1.0.${number}`, '--ip6', `fd00:9::${number}`];
        await run(h1, name, '--network', 'mine', ...addresses, '-p', '8053:5000/udp');
        const script = `
          const socket = require('node:dgram').createSocket('udp6');
          socket.on('message', (_, { port, address }) => socket.send('${name}', port, address));
          socket.bind(5000, '::');
        `;
        h1.spawn(await within(h1, name, script), 'ignore');
      };
      // They send before there is anybody, and while there is nobody.
      const clients = [client(OUTSIDE[0], HOST[4]), client(OUTSIDE_V6[0], HOST[6])];
      const heard = (name: string) =>
        Promise.all(
          clients.map(({ last }, index) =>
            eventually(`${name} answers client ${index}`, () => last() === name),
          ),
        );
      await eventually('the host has heard of both', async () => {
        const flows = await h1.must(['conntrack', '-L', '-p', 'udp', '--orig-port-dst', '8053']);
        return flows.trim().split('\n').length === 2;
      });
      await answering('one', 11);
      await heard('one');
      await docker(h1, 'rm', '-f', 'one');
      await answering('two', 12);
      await heard('two');
      for (const { running } of clients) running.kill();
      await Promise.all(clients.map(({ running }) => running.done));
      assert.deepEqual((await ask<{ failures: unknown[] }>(h1, 'status')).failures, []);
    });

    it('are reached from containers: of the host, of another, and the published one', async () => {
      await run(h1, 'near', '--network', 'mine', '--ip', '10.1.0.3');
      await run(h2, 'far', '--network', 'mine', '--ip', '10.1.0.4');
      await routed(h1, '10.1.0.4');
      for (const [host, container] of [
        [h1, 'near'],
        [h2, 'far'],
        [h1, 'web'],
      ] as const) {
        for (const address of Object.values(HOST)) {
          const said = await inside(host, container, `nc -w 5 ${address} 8080 < /dev/null`);
          assert.equal(said, 'web', `${container} by ${address}`);
        }
      }
    });

    it('are reached in both families where a container has them from two networks', async function () {
      needsDocker(this, 28, 'networks without IPv4');
      await createNetwork(h1, 'four', ['10.4.0.0/16']);
      await createNetwork(h1, 'six', ['fd00:c::/64'], '--ipv4=false');
      await run(h1, 'two', '--network', 'four', '--network', 'six', '-p', '8090:5000');
      await serve(h1, 'two');
      assert.equal(await connectFrom(out, OUTSIDE[0], HOST[4], 8090), 'two');
      assert.equal(await connectFrom(out, OUTSIDE_V6[0], HOST[6], 8090), 'two');
      await docker(h1, 'network', 'disconnect', 'six', 'two');
      assert.equal(await connectFrom(out, OUTSIDE[0], HOST[4], 8090), 'two');
      assert.equal(await connectFrom(out, OUTSIDE_V6[0], HOST[6], 8090), 'ECONNREFUSED');
    });
  });

  it('let a container send from its own addresses only', async () => {
    for (const host of [h1, h2]) await createNetwork(host, 'mine', ['10.1.0.0/16', 'fd00:9::/64']);
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--ip6', 'fd00:9::2');
    await run(h2, 'bb', '--network', 'mine', '--ip', '10.1.0.3', '--ip6', 'fd00:9::3');
    await routed(lab().tor, '10.1.0.2');
    await reaches(h1, 'aa', OUTSIDE[0]);
    await reaches(h1, 'aa', OUTSIDE_V6[0]);
    const own = ['10.1.0.2', 'fd00:9::2'];
    // Nobody's, another container's, and the host's.
    const others = ['192.0.2.77', '10.1.0.3', HOST[4], '2001:db8::77', 'fd00:9::3', HOST[6]];
    const rules = [...own, ...others].map((one) => {
      const family = one.includes(':') ? 'ip6' : 'ip';
      return `add rule inet seen c ${family} saddr ${one} counter`;
    });
    const hook = 'add chain inet seen c { type filter hook prerouting priority 0; }';
    await out.must(['nft', ['add table inet seen', hook, ...rules].join('; ')]);
    const pid = await docker(h1, 'inspect', '-f', '{{.State.Pid}}', 'aa');
    const enter = ['nsenter', '-t', pid, '-n'];
    const send = async (address: string) => {
      const v6 = address.includes(':');
      const [flag, length, to] = v6 ? ['-6', '128', OUTSIDE_V6[0]] : ['-4', '32', OUTSIDE[0]];
      // As a container with NET_ADMIN can; by the host's ip, which need not wait for duplicates.
      if (others.includes(address))
        await h1.must([...enter, 'ip', flag, 'addr', 'add', `${address}/${length}`, 'dev', 'eth0', 'nodad']);
      const ping = `ping ${flag} -c 2 -W 1 -I ${address} ${to}`;
      const { status } = await h1.exec(['docker', 'exec', 'aa', 'sh', '-c', ping]);
      assert.equal(status === 0, own.includes(address), `${ping}: ${status}`);
    };
    await Promise.all([...own, ...others].map(send));
    const text = await out.must(['nft', 'list', 'table', 'inet', 'seen']);
    const seen = Object.fromEntries(
      [...text.matchAll(/saddr (\S+) counter packets (\d+)/g)].map(([, address, count]) => [
        address,
        Number(count),
      ]),
    );
    for (const address of own) assert.ok((seen[address] ?? 0) >= 2, `${address}: ${text}`);
    for (const address of others) assert.equal(seen[address], 0, `${address}: ${text}`);
    await out.must(['nft', 'delete', 'table', 'inet', 'seen']);
  });
});
