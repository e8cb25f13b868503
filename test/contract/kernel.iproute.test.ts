import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Line } from '../../src/kernel/arguments.ts';
import { Coprocess } from '../../src/kernel/coprocess.ts';
import { IprouteKernel } from '../../src/kernel/iproute.ts';
import { parseLink } from '../../src/kernel/parse.ts';
import { SCRATCH_GROUP } from '../../src/kernel/scratch.ts';
import { kernelKey, METRIC_LEARNED, type Route } from '../../src/ports/kernel.ts';
import {
  address,
  codes,
  endpoint,
  holds,
  inSandbox,
  listen,
  nameOf,
  objects,
  put,
  remove,
  route,
  succeed,
  sysctlsOf,
  UPLINK,
  until,
  veth,
} from './kernel.bench.ts';
import { insideNamespace, ip, ipBatch } from './kernel.inside.ts';
import { openReal, ownChildren } from './kernel.real.ts';
import { kernelSuite } from './kernel.suite.ts';

insideNamespace(import.meta.filename, 'kernel by iproute2', () => {
  describe('as every kernel', () => kernelSuite(openReal));

  describe('beside what every kernel does', () => {
    let bench: Awaited<ReturnType<typeof openReal>>;
    let kernel: IprouteKernel;

    beforeEach(async () => {
      bench = await openReal();
      kernel = bench.kernel;
    });
    afterEach(() => bench.close());

    it('puts, changes and removes 2,000 routes', async () => {
      const routes = Array.from({ length: 2_000 }, (_, i) => route(`10.4.${i >> 8}.${i & 255}/32`));
      const moved: Route[] = routes.map((one) => ({ ...one, nextHops: [{ via: '192.0.2.9', dev: UPLINK }] }));
      await succeed(
        kernel,
        routes.map((one) => put(one)),
      );
      await succeed(
        kernel,
        moved.map((one, i) => put(one, routes[i])),
      );
      await holds(kernel, moved);
      await succeed(kernel, moved.map(remove));
      await holds(kernel, []);
    });

    it('never leaves a changing route out, by what the kernel tells', async () => {
      for (const [prefix, via] of [
        ['10.2.0.0/16', '192.0.2.9'],
        ['fd00:2::/48', '2001:db8::9'],
      ] as const) {
        const before = route(prefix);
        const after = route(prefix, { nextHops: [{ via, dev: UPLINK }] });
        await succeed(kernel, [put(before)]);
        const { events, heard, stop } = await listen(kernel);
        await succeed(kernel, [put(after, before), put(route('10.9.9.9/32'))]);
        await heard({ kind: 'route', prefix: '10.9.9.9/32', gone: false });
        stop();
        let there = 1;
        for (const event of events) {
          if (event.kind !== 'route' || event.prefix !== prefix) continue;
          there += event.gone ? -1 : 1;
          assert.ok(there > 0, JSON.stringify(events));
        }
        assert.equal(there, 1);
        await succeed(kernel, [remove(route('10.9.9.9/32'))]);
      }
    });

    it('leaves next hops that others have added to our IPv6 routes', async () => {
      const ours = route('fd00:2::/48', { nextHops: [{ via: '2001:db8::9', dev: UPLINK }] });
      const theirs = `via 2001:db8::7 dev ${UPLINK} proto static metric 158 pref medium`;
      const left = () => ip('-6 route show fd00:2::/48').trim();
      await succeed(kernel, [put(ours)]);
      ip('-6 route append fd00:2::/48 via 2001:db8::7 proto static metric 158');
      await succeed(kernel, [remove(ours)]);
      assert.equal(left(), `fd00:2::/48 ${theirs}`);
      await succeed(kernel, [remove(ours)]);
      assert.equal(left(), `fd00:2::/48 ${theirs}`);
      assert.deepEqual(codes(await kernel.apply([put(ours)])), { [kernelKey(ours)]: 'NR_FOREIGN_OBJECT' });
      assert.equal(left(), `fd00:2::/48 ${theirs}`);
    });

    it('leaves an IPv4 route that others have appended to ours', async () => {
      const ours = route('10.2.0.0/16');
      await succeed(kernel, [put(ours)]);
      ip('route append 10.2.0.0/16 via 192.0.2.7 proto static metric 158');
      const changed = route('10.2.0.0/16', { nextHops: [{ via: '192.0.2.9', dev: UPLINK }] });
      // Ours is not put in front of theirs again, which would be the only way to change it.
      const outcome = codes(await kernel.apply([put(changed, ours)]));
      assert.deepEqual(outcome, { [kernelKey(ours)]: 'NR_FOREIGN_OBJECT' });
      await succeed(kernel, [remove(ours)]);
      assert.equal(
        ip('route show 10.2.0.0/16').trim(),
        `10.2.0.0/16 via 192.0.2.7 dev ${UPLINK} proto static metric 158`,
      );
    });

    it('takes what an earlier change has left behind', async () => {
      const ours = route('10.2.0.0/16');
      await succeed(kernel, [put(ours), put({ ...ours, metric: ours.metric + 1 })]);
      const changed: Route = { ...ours, src: '192.0.2.1' };
      await succeed(kernel, [put(changed, ours)]);
      await holds(kernel, [changed]);
    });

    it('finishes a link that was only half made', async () => {
      ip(`link add name ${nameOf(1)} mtu 1400 group 158 type veth peer name ${nameOf(1)}c`);
      await holds(kernel, [veth(1, { mtu: 0, alias: '' })]);
      await succeed(kernel, [put(veth(1))]);
      await holds(kernel, [veth(1)]);
      assert.match(ip(`-d link show dev ${nameOf(1)}`), /addrgenmode none/);
      assert.match(ip(`link show dev ${nameOf(1)}c`), /mtu 1450/);
    });

    it('reads a link that is down as such, and mends it', async () => {
      await succeed(
        kernel,
        endpoint(1).map((one) => put(one)),
      );
      ip(`link set dev ${nameOf(1)} down`);
      const read = await objects(kernel);
      assert.deepEqual(
        read.find(({ kind }) => kind === 'link'),
        veth(1, { mtu: 0 }),
      );
      await succeed(
        kernel,
        endpoint(1).map((one) => put(one)),
      );
      await holds(kernel, endpoint(1));
    });

    it('puts back what an earlier removal has left in the scratch group', async () => {
      const links = [1, 2, 3].map((number) => veth(number));
      await succeed(
        kernel,
        links.map((one) => put(one)),
      );
      ip(`link set dev ${nameOf(3)} group ${SCRATCH_GROUP}`);
      await holds(kernel, links);
      await succeed(kernel, links.slice(0, 2).map(remove));
      await holds(kernel, [veth(3)]);
      assert.match(ip(`link show dev ${nameOf(3)}`), / group 158 /);
    });

    it('deletes one by one when others use the scratch group', async () => {
      await bench.plantLink('other0');
      ip(`link set dev other0 group ${SCRATCH_GROUP}`);
      const before = await bench.planted();
      const links = [1, 2, 3].map((number) => veth(number));
      await succeed(
        kernel,
        links.map((one) => put(one)),
      );
      await succeed(kernel, links.map(remove));
      await holds(kernel, []);
      assert.equal(await bench.planted(), before);
    });

    it('finds a device that was made again under its name', async () => {
      const via = route('10.5.0.1/32', { nextHops: [{ dev: 'up1' }] });
      for (let round = 0; round < 3; round++) {
        await bench.plantLink('up1');
        await succeed(kernel, [put(via)]);
        await holds(kernel, [via]);
        ip('link del dev up1');
      }
    });

    it('survives the death of its process, in the middle of a batch', async () => {
      const routes = Array.from({ length: 2_000 }, (_, i) => route(`10.4.${i >> 8}.${i & 255}/32`));
      const applying = kernel.apply(routes.map((one) => put(one)));
      const killed = new Set<number>();
      const count = () => ip('route show proto 158').split('\n').length;
      await until(() => count() > 100, 'the first routes');
      for (let i = 0; i < 3; i++) {
        const { ip: pid } = kernel.pids;
        if (pid !== undefined && !killed.has(pid)) process.kill(pid, 'SIGKILL');
        if (pid !== undefined) killed.add(pid);
        await setImmediate();
      }
      assert.deepEqual(codes(await applying), {});
      assert.ok(killed.size > 0);
      await holds(kernel, routes);
    });

    it('survives the death of its process between two calls', async () => {
      await succeed(kernel, [put(veth(1))]);
      process.kill(kernel.pids.ip!, 'SIGKILL');
      await succeed(kernel, [put(veth(2))]);
      await holds(kernel, [veth(1), veth(2)]);
    });

    it('does not wait for ever for a process that is stuck', async () => {
      const patient = new IprouteKernel({ timeout: 300 });
      await succeed(patient, [put(veth(1))]);
      process.kill(patient.pids.ip!, 'SIGSTOP');
      await succeed(patient, [put(veth(2))]);
      await patient.close();
      await holds(kernel, [veth(1), veth(2)]);
    });

    it('says that there is no iproute2', async () => {
      const without = new IprouteKernel({ program: '/nonexistent/ip' });
      assert.deepEqual(
        codes(await without.apply([put(veth(1)), remove(veth(2)), put(route('10.1.0.2/32'))])),
        {
          [kernelKey(veth(1))]: 'NR_KERNEL_UNAVAILABLE',
          [kernelKey(veth(2))]: 'NR_KERNEL_UNAVAILABLE',
          [kernelKey(route('10.1.0.2/32'))]: 'NR_KERNEL_UNAVAILABLE',
        },
      );
      await assert.rejects(without.read(), { code: 'NR_KERNEL_UNAVAILABLE' });
      await assert.rejects(without.readLinks([nameOf(1)]), { code: 'NR_KERNEL_UNAVAILABLE' });
      await assert.rejects(without.facts(), { code: 'NR_KERNEL_UNAVAILABLE' });
      await without.close();
    });

    it('says that iproute2 does not work', async () => {
      const broken = new IprouteKernel({ program: 'false' });
      await assert.rejects(broken.read(), { code: 'NR_KERNEL_REFUSED' });
      await assert.rejects(broken.facts(), { code: 'NR_KERNEL_UNAVAILABLE' });
      const outcomes = await broken.apply([put(veth(1)), put(route('10.1.0.2/32'))]);
      assert.ok(outcomes.every(({ error }) => error));
      await broken.close();
    });

    it('ends all of its processes with close, and takes no calls afterwards', async () => {
      const another = new IprouteKernel();
      const { stop } = await listen(another);
      const before = ownChildren().length;
      await another.close();
      await until(() => ownChildren().length === before - 3, 'the end of three processes');
      assert.deepEqual(codes(await another.apply([put(route('10.1.0.2/32'))])), {
        [kernelKey(route('10.1.0.2/32'))]: 'NR_KERNEL_UNAVAILABLE',
      });
      stop();
    });

    describe('with a sandbox that hangs', () => {
      const path = process.env.PATH;
      let folder: string;
      beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), 'net-routed-hang-'));
        writeFileSync(join(folder, 'nsenter'), '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 });
      });
      afterEach(() => {
        process.env.PATH = path;
        rmSync(folder, { recursive: true });
      });

      it('goes on with others meanwhile, and does not wait for it at its end', async () => {
        await succeed(kernel, [put(veth(1)), put(veth(2))]);
        const sandboxes = [await bench.openSandbox(), await bench.openSandbox()];
        for (const [i, sandbox] of sandboxes.entries()) await bench.moveInto(sandbox, nameOf(i + 1));
        const [hanging, other] = sandboxes.map((sandbox, i) => inSandbox(i + 1, sandbox, '10.1.0.3/32'));
        const stuck = () => ownChildren().filter((line) => line.startsWith('sleep'));
        process.env.PATH = `${folder}:${path}`;
        const outcome = kernel.apply([put(hanging!)]);
        await until(() => stuck().length > 0, 'the process that hangs');
        process.env.PATH = path;
        await succeed(kernel, [put(other!), put(veth(3))]);
        await kernel.close();
        assert.deepEqual(stuck(), []);
        assert.deepEqual(codes(await outcome), { [kernelKey(hanging!)]: 'NR_KERNEL_UNAVAILABLE' });
      });
    });

    it('follows events again when the monitor dies, and says that some may be lost', async () => {
      const { events, heard, stop } = await listen(kernel);
      const first = kernel.pids.monitor!;
      process.kill(first, 'SIGKILL');
      await heard({ kind: 'overrun' });
      assert.notEqual(kernel.pids.monitor, first);
      events.length = 0;
      await succeed(kernel, [put(veth(1))]);
      await heard({ kind: 'link', name: nameOf(1), gone: false });
      stop();
    });

    it('tells of default routes, by which the uplink may have changed', async () => {
      const { heard, stop } = await listen(kernel);
      ip(`route add default via 192.0.2.9 dev ${UPLINK}`);
      await heard({ kind: 'route', prefix: '0.0.0.0/0', gone: false });
      ip(`-6 route add default via 2001:db8::9 dev ${UPLINK}`);
      await heard({ kind: 'route', prefix: '::/0', gone: false });
      ip('-6 route del default');
      await heard({ kind: 'route', prefix: '::/0', gone: true });
      stop();
    });

    it('tells of routes of others, by which a next hop may be elsewhere, and not of the host itself', async () => {
      const { events, heard, stop } = await listen(kernel);
      ip(`route add 203.0.113.0/24 via 192.0.2.9 dev ${UPLINK}`);
      await heard({ kind: 'foreign-route', prefix: '203.0.113.0/24', gone: false });
      ip(`route replace 203.0.113.0/24 via 192.0.2.10 dev ${UPLINK}`);
      ip('route del 203.0.113.0/24');
      await heard({ kind: 'foreign-route', prefix: '203.0.113.0/24', gone: true });
      assert.equal(events.filter(({ kind }) => kind === 'foreign-route').length, 3);
      ip(`-6 route add 2001:db8:113::/48 via 2001:db8::9 dev ${UPLINK}`);
      await heard({ kind: 'foreign-route', prefix: '2001:db8:113::/48', gone: false });
      ip('-6 route del 2001:db8:113::/48');
      ip(`addr add 198.51.100.1/24 dev ${UPLINK}`);
      await heard({ kind: 'foreign-route', prefix: '198.51.100.0/24', gone: false });
      ip(`addr del 198.51.100.1/24 dev ${UPLINK}`);
      await heard({ kind: 'foreign-route', prefix: '198.51.100.0/24', gone: true });
      assert.ok(!events.some((event) => 'prefix' in event && event.prefix === '198.51.100.1/32'));
      stop();
    });

    it('reads settings and takes those of /proc/sys alone', async () => {
      await succeed(kernel, [put(veth(1)), ...sysctlsOf(1).map((one) => put(one))]);
      for (const { path, value } of sysctlsOf(1)) {
        assert.equal(readFileSync(`/proc/sys/${path}`, 'utf8').trim(), value);
      }
      const root = mkdtempSync(join(tmpdir(), 'net-routed-'));
      mkdirSync(join(root, 'net/ipv4'), { recursive: true });
      const without = new IprouteKernel({ sysctlRoot: root });
      const [four] = sysctlsOf(1);
      const six = sysctlsOf(1).at(-1)!;
      // No IPv6 in this kernel: its settings count as set, and addresses are not generated.
      assert.deepEqual(codes(await without.apply([put(four!), put(six), put(veth(2))])), {
        [kernelKey(four!)]: 'NR_KERNEL_REFUSED',
      });
      assert.deepEqual((await without.read()).get(kernelKey(six)), six);
      await without.close();
      rmSync(root, { recursive: true });
    });

    it('says that /proc/sys is read-only', async () => {
      await succeed(kernel, [put(veth(1))]);
      // In a mount namespace of our own, too.
      execFileSync('mount', ['--bind', '/proc/sys', '/proc/sys']);
      try {
        execFileSync('mount', ['-o', 'remount,bind,ro', '/proc/sys']);
        const outcomes = await kernel.apply(sysctlsOf(1).map((one) => put(one)));
        const messages = outcomes.map(({ error }) => error?.message ?? '');
        assert.ok(messages.some((one) => one.includes('/proc/sys is read-only')));
      } finally {
        execFileSync('umount', ['/proc/sys']);
      }
    });

    it('knows the host', async () => {
      const before = await kernel.facts();
      assert.deepEqual(before.uplink, { name: UPLINK, mtu: 1500 });
      await bench.plantLink('up1', ['198.51.100.1/24']);
      ip('addr add 203.0.113.5/32 dev lo');
      ipBatch(['link set dev up1 mtu 1400', 'route add default via 198.51.100.9']);
      await succeed(
        kernel,
        [...endpoint(1), address(1, 'fd00:9::1/128')].map((one) => put(one)),
      );
      assert.deepEqual(await kernel.facts(), {
        incarnation: before.incarnation,
        uplink: { name: 'up1', mtu: 1400 },
        addresses: [
          { link: 'up1', address: '198.51.100.1/24' },
          { link: UPLINK, address: '192.0.2.1/24' },
          { link: UPLINK, address: '2001:db8::1/64' },
          { link: 'lo', address: '203.0.113.5/32' },
        ],
        routers: ['198.51.100.9'],
      });
      ip('addr del 203.0.113.5/32 dev lo');
    });

    it('knows who waits for packets and connections, and who does not', async () => {
      const tcp = createServer().listen(8080, '127.0.0.1');
      const both = createServer().listen(8080, '::1');
      const udp = createSocket('udp6').bind(8081);
      await Promise.all([tcp, both, udp].map((one) => once(one, 'listening')));
      const client = connect(8080, '127.0.0.1');
      await once(client, 'connect');
      const found = await kernel.listeners();
      assert.deepEqual(
        found.toSorted((a, b) => a.port - b.port || a.family - b.family),
        [
          { protocol: 'tcp', family: 4, address: '127.0.0.1', port: 8080 },
          { protocol: 'tcp', family: 6, address: '::1', port: 8080 },
          { protocol: 'udp', family: 4, port: 8081 },
          { protocol: 'udp', family: 6, port: 8081 },
        ],
      );
      const named = await kernel.listeners(8081);
      assert.deepEqual(
        named.map(({ port, program }) => [port, program?.pid]),
        [
          [8081, process.pid],
          [8081, process.pid],
        ],
      );
      client.destroy();
      udp.close();
      for (const server of [tcp, both]) server.close();
      const without = new IprouteKernel({ socketProgram: '/nonexistent/ss' });
      await assert.rejects(without.listeners(), { code: 'NR_KERNEL_UNAVAILABLE' });
      await without.close();
    });

    it('knows how the host would reach an address', async () => {
      ipBatch([
        'route add 203.0.113.0/24 via 192.0.2.9',
        'route add unreachable 203.0.113.128/25',
        'route add 2001:db8:9::/48 via 2001:db8::9',
      ]);
      await succeed(
        kernel,
        endpoint(1).map((one) => put(one)),
      );
      const asked = ['192.0.2.5', '203.0.113.5', '203.0.113.200', '192.0.2.1', '10.1.0.1', '8.8.8.8'];
      const sixes = ['2001:db8::5', '2001:db8:9::5', '2001:db8::1', 'fd00:9::1', 'fd77::1'];
      assert.deepEqual(Object.fromEntries(await kernel.resolve([...asked, ...sixes, asked[0]!])), {
        '192.0.2.5': { via: '192.0.2.5', dev: UPLINK },
        '203.0.113.5': { via: '192.0.2.9', dev: UPLINK },
        '2001:db8::5': { via: '2001:db8::5', dev: UPLINK },
        '2001:db8:9::5': { via: '2001:db8::9', dev: UPLINK },
      });
      ip('route del unreachable 203.0.113.128/25');
    });

    it('reads many links as it reads few', async () => {
      const numbers = Array.from({ length: 120 }, (_, i) => i + 1);
      const learned = route('10.7.0.0/16', {
        metric: METRIC_LEARNED,
        nextHops: [{ via: '192.0.2.9', dev: UPLINK }],
      });
      await succeed(kernel, [
        put(learned),
        ...numbers.flatMap((number) => [veth(number), address(number, 'fe80::7/64')]).map((one) => put(one)),
      ]);
      const all = await kernel.readLinks(numbers.map(nameOf));
      const parts = await Promise.all(
        [0, 60].map((at) => kernel.readLinks(numbers.slice(at, at + 60).map(nameOf))),
      );
      assert.equal(all.size, 120 * (2 + sysctlsOf(1).length));
      assert.deepEqual(new Map(parts.flatMap((part) => [...part]).sort()), new Map([...all].sort()));
    });
  });

  describe('its process', () => {
    let process: Coprocess;
    beforeEach(() => {
      process = new Coprocess();
    });
    afterEach(() => process.close());
    const lines = (...texts: string[]) => texts as Line[];

    it('tells for each command whether it failed', async () => {
      const errors = await process.run(
        lines(
          'link set dev lo up',
          'link set dev nosuch0 up',
          'route del 10.0.0.0/8 proto 158',
          'link set dev lo up',
        ),
      );
      assert.deepEqual(
        errors.map((error) => error?.what),
        [undefined, 'Cannot find device "nosuch0"', 'No such process', undefined],
      );
      assert.deepEqual(await process.run([]), []);
    });

    it('fails the command that ends it, and no other', async () => {
      const calls = [
        process.run(lines('link set dev lo up', 'addr add nonsense dev lo', 'link set dev lo up')),
        process.run(lines('link set dev nosuch0 up')),
        process.run(lines('frobnicate')),
        process.run(lines('link set dev lo up')),
      ];
      assert.deepEqual(
        (await Promise.all(calls)).map((errors) => errors.map((error) => error?.code)),
        [
          [undefined, 'NR_KERNEL_ARGUMENT', undefined],
          ['NR_KERNEL_REFUSED'],
          ['NR_KERNEL_REFUSED'],
          [undefined],
        ],
      );
    });

    it('reads addresses as often as it is asked to', async () => {
      ipBatch(['link add name two0 type veth peer name two1', 'addr add 192.0.2.77/32 dev two0']);
      for (let i = 0; i < 2; i++) {
        const [element] = await process.read('addr show dev two0' as Line);
        assert.deepEqual(
          parseLink(element)?.addresses.map((one) => one.address),
          ['192.0.2.77/32'],
        );
      }
      await assert.rejects(process.read('addr show dev nosuch0' as Line), { code: 'NR_KERNEL_REFUSED' });
      ip('link del dev two0');
    });

    it('gives up on a command that it gets stuck on', async () => {
      const sleeper = new Coprocess({ command: ['sh', '-c', 'exec sleep 60'], timeout: 50 });
      const errors = await sleeper.run(lines('link set dev lo up'));
      assert.deepEqual(
        errors.map((error) => error?.code),
        ['NR_KERNEL_UNAVAILABLE'],
      );
      await sleeper.close();
    });

    it('finishes what it was given before it closes', async () => {
      const running = process.run(lines(...Array.from({ length: 1_200 }, () => 'link set dev lo up')));
      await process.close();
      assert.ok((await running).every((error) => error === undefined));
    });
  });
});
