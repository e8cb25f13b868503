import assert from 'node:assert/strict';
import {
  type KernelResource,
  kernelKey,
  METRIC_LEARNED,
  METRIC_LOCAL,
  type Route,
} from '../../src/ports/kernel.ts';
import {
  address,
  type Bench,
  codes,
  endpoint,
  holds,
  inSandbox,
  listen,
  nameOf,
  put,
  remove,
  route,
  succeed,
  sysctlsOf,
  UPLINK,
  veth,
} from './kernel.bench.ts';

/** What every kernel adapter has to do. */
export function kernelSuite(open: () => Promise<Bench>): void {
  let bench: Bench;

  beforeEach(async () => {
    bench = await open();
  });
  afterEach(() => bench.close());

  const apply = async (...operations: Parameters<Bench['kernel']['apply']>[0]) =>
    codes(await bench.kernel.apply(operations));

  /** One of each kind and family that reads back. */
  const KINDS: Readonly<Record<string, KernelResource[]>> = {
    'a link': [veth(1)],
    'an IPv4 address': [veth(1), address(1, '169.254.7.7/32')],
    'an IPv6 link-local address': [veth(1), address(1, 'fe80::7/64')],
    'an IPv6 address': [veth(1), address(1, 'fd00:9::1/128')],
    'an IPv4 host route': [veth(1), route('10.1.0.2/32', { nextHops: [{ dev: nameOf(1) }] })],
    'an IPv6 host route': [veth(1), route('fd00:9::2/128', { nextHops: [{ dev: nameOf(1) }] })],
    'an IPv4 route with source': [route('10.1.0.2/32', { src: '192.0.2.1' })],
    'an IPv6 route with source': [route('fd00:9::2/128', { src: '2001:db8::1' })],
    'an IPv4 route by a gateway': [route('10.2.0.0/16', { nextHops: [{ via: '192.0.2.9', dev: UPLINK }] })],
    'an IPv6 route by a gateway': [route('fd00:2::/48', { nextHops: [{ via: '2001:db8::9', dev: UPLINK }] })],
    'an IPv4 route by a gateway that no address covers': [
      route('10.2.0.0/16', { nextHops: [{ via: '198.51.100.9', dev: UPLINK }] }),
    ],
    'an IPv6 route by a link-local gateway': [
      route('fd00:2::/48', { nextHops: [{ via: 'fe80::9', dev: UPLINK }] }),
    ],
    'an IPv4 route by an IPv6 gateway': [
      route('10.2.0.0/16', { nextHops: [{ via: 'fe80::9', dev: UPLINK }], metric: METRIC_LEARNED }),
    ],
    'an IPv4 route with several next hops': [
      route('10.2.0.0/16', {
        nextHops: [
          { via: '192.0.2.10', dev: UPLINK },
          { via: '192.0.2.9', dev: UPLINK },
          { via: 'fe80::9', dev: UPLINK },
        ],
        src: '192.0.2.1',
      }),
    ],
    'an IPv6 route with several next hops': [
      route('fd00:2::/48', {
        nextHops: [
          { via: '2001:db8::9', dev: UPLINK },
          { via: '2001:db8::a', dev: UPLINK },
          { via: 'fe80::9', dev: UPLINK },
        ],
        src: '2001:db8::1',
      }),
    ],
    'an IPv4 unreachable route': [route('10.0.0.0/8', { type: 'unreachable' })],
    'an IPv6 unreachable route': [route('fd00::/8', { type: 'unreachable' })],
    'an IPv4 blackhole route': [route('10.0.0.0/8', { type: 'blackhole' })],
    'an IPv6 blackhole route': [route('fd00::/8', { type: 'blackhole' })],
    'default routes of another table': [
      route('0.0.0.0/0', { type: 'unreachable', table: 1000, metric: 4278198272 }),
      route('::/0', { type: 'unreachable', table: 1000, metric: 4278198272 }),
    ],
    'equal prefixes of different metric and table': [
      route('10.1.0.2/32'),
      route('10.1.0.2/32', { metric: METRIC_LEARNED }),
      route('10.1.0.2/32', { table: 1000 }),
      route('fd00:9::2/128'),
      route('fd00:9::2/128', { metric: METRIC_LEARNED }),
      route('fd00:9::2/128', { table: 1000 }),
    ],
  };

  for (const [what, resources] of Object.entries(KINDS)) {
    it(`reads back ${what}, takes it twice and removes it twice`, async () => {
      const puts = resources.map((one) => put(one));
      await succeed(bench.kernel, puts);
      await holds(bench.kernel, resources);
      await succeed(bench.kernel, puts);
      await holds(bench.kernel, resources);
      const removes = resources.toReversed().map(remove);
      await succeed(bench.kernel, removes);
      await holds(bench.kernel, []);
      await succeed(bench.kernel, removes);
    });
  }

  it('reads back the settings of a link', async () => {
    await succeed(bench.kernel, [put(veth(1))]);
    const before = await bench.kernel.read();
    assert.ok(sysctlsOf(1).every((one) => before.has(kernelKey(one))));
    assert.notDeepEqual(
      sysctlsOf(1).map((one) => before.get(kernelKey(one))),
      sysctlsOf(1),
    );
    for (let i = 0; i < 2; i++) {
      await succeed(
        bench.kernel,
        sysctlsOf(1).map((one) => put(one, before.get(kernelKey(one)))),
      );
      const after = await bench.kernel.read();
      assert.deepEqual(
        sysctlsOf(1).map((one) => after.get(kernelKey(one))),
        sysctlsOf(1),
      );
    }
    await succeed(bench.kernel, sysctlsOf(1).map(remove));
  });

  it('refuses settings that there are not', async () => {
    await succeed(bench.kernel, [put(veth(1))]);
    const nonsense = { kind: 'sysctl', path: `net/ipv4/conf/${nameOf(1)}/nonsense`, value: '1' } as const;
    const absent = { kind: 'sysctl', path: `net/ipv4/conf/${nameOf(2)}/rp_filter`, value: '1' } as const;
    const host = { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' } as const;
    assert.deepEqual(await apply(put(nonsense), put(absent), put(host)), {
      [kernelKey(nonsense)]: 'NR_KERNEL_REFUSED',
      [kernelKey(absent)]: 'NR_KERNEL_REFUSED',
    });
  });

  it('puts whole endpoints in one go, and reads back only those that are asked for', async () => {
    const all = [1, 2, 3].map(endpoint);
    await succeed(
      bench.kernel,
      all.flat().map((one) => put(one)),
    );
    await holds(bench.kernel, all.flat());
    const some = await bench.kernel.readLinks([nameOf(1), nameOf(3), nameOf(9), UPLINK]);
    const wanted = new Map([...all[0]!, ...all[2]!].map((one) => [kernelKey(one), one]));
    assert.deepEqual(new Map([...some].sort()), new Map([...wanted].sort()));
  });

  describe('changes', () => {
    const CHANGES: Readonly<Record<string, [KernelResource, KernelResource]>> = {
      'the MTU of a link': [veth(1), veth(1, { mtu: 1400 })],
      'the alias of a link': [veth(1), veth(1, { alias: 'net-routed endpoint other' })],
      'the gateway of an IPv4 route': [
        route('10.2.0.0/16', { nextHops: [{ via: '192.0.2.9', dev: UPLINK }] }),
        route('10.2.0.0/16', { nextHops: [{ via: '192.0.2.10', dev: UPLINK }] }),
      ],
      'the gateways of an IPv6 route': [
        route('fd00:2::/48', {
          nextHops: [
            { via: '2001:db8::8', dev: UPLINK },
            { via: '2001:db8::9', dev: UPLINK },
          ],
        }),
        route('fd00:2::/48', {
          nextHops: [
            { via: '2001:db8::9', dev: UPLINK },
            { via: '2001:db8::a', dev: UPLINK },
          ],
        }),
      ],
      'an IPv4 route from one next hop to several': [
        route('10.2.0.0/16', { nextHops: [{ via: '192.0.2.9', dev: UPLINK }] }),
        route('10.2.0.0/16', {
          nextHops: [
            { via: '192.0.2.10', dev: UPLINK },
            { via: '192.0.2.9', dev: UPLINK },
          ],
        }),
      ],
      'the source of an IPv4 route': [route('10.1.0.2/32', { src: '192.0.2.1' }), route('10.1.0.2/32')],
      'the source of an IPv6 route': [route('fd00:9::2/128'), route('fd00:9::2/128', { src: '2001:db8::1' })],
      'the type of an IPv4 route': [route('10.2.0.0/16'), route('10.2.0.0/16', { type: 'unreachable' })],
      'the type of an IPv6 route': [route('fd00:2::/48', { type: 'blackhole' }), route('fd00:2::/48')],
    };
    for (const [what, [before, after]] of Object.entries(CHANGES)) {
      it(`${what}, with or without being told what was`, async () => {
        await succeed(bench.kernel, [put(before)]);
        await succeed(bench.kernel, [put(after, before)]);
        await holds(bench.kernel, [after]);
        await succeed(bench.kernel, [put(before)]);
        await holds(bench.kernel, [before]);
        // What the caller believes to be there may be wrong, or gone.
        await succeed(bench.kernel, [put(after, after)]);
        await holds(bench.kernel, [after]);
        await succeed(bench.kernel, [remove(after), put(before, after)]);
        await holds(bench.kernel, [before]);
      });
    }
  });

  it('removes a route that differs from what was thought', async () => {
    const [four, six] = ['10.1.0.2/32', 'fd00:9::2/128'].map((prefix) => route(prefix));
    await succeed(bench.kernel, [put(four!), put(six!)]);
    const gateways: Route[] = [
      { ...four!, nextHops: [{ via: '192.0.2.9', dev: UPLINK }] },
      { ...six!, nextHops: [{ via: '2001:db8::9', dev: UPLINK }] },
    ];
    await succeed(bench.kernel, gateways.map(remove));
    await holds(bench.kernel, []);
  });

  it('carries out operations in order', async () => {
    const [first, second] = [veth(1), veth(1, { mtu: 1300, alias: 'net-routed endpoint second' })];
    const via = route('10.1.0.2/32', { nextHops: [{ dev: nameOf(1) }] });
    await succeed(bench.kernel, [
      put(first),
      put(via),
      remove(via),
      remove(first),
      put(second),
      put(address(1, '169.254.7.7/32')),
      remove(address(1, '169.254.7.7/32')),
      put(via),
    ]);
    await holds(bench.kernel, [second, via]);
  });

  it('tells which of many operations failed, and carries out the others', async () => {
    const good = Array.from({ length: 20 }, (_, i) => route(`10.3.0.${i}/32`));
    const bad = route('10.3.1.0/32', { nextHops: [{ dev: 'nosuch0' }] });
    const badSource = route('10.3.1.1/32', { src: '203.0.113.7' });
    const badHops = route('fd00:9::9/128', {
      nextHops: [
        { via: '2001:db8::9', dev: 'nosuch0' },
        { via: '2001:db8::a', dev: UPLINK },
      ],
    });
    const operations = [...good.slice(0, 10), bad, badSource, badHops, ...good.slice(10)].map((one) =>
      put(one),
    );
    assert.deepEqual(await apply(...operations), {
      [kernelKey(bad)]: 'NR_KERNEL_REFUSED',
      [kernelKey(badSource)]: 'NR_KERNEL_REFUSED',
      [kernelKey(badHops)]: 'NR_KERNEL_REFUSED',
    });
    await holds(bench.kernel, good);
  });

  it('keeps a route whose change the kernel refuses', async () => {
    const before = route('10.3.0.1/32');
    await succeed(bench.kernel, [put(before)]);
    const after = route('10.3.0.1/32', { src: '203.0.113.7' });
    assert.deepEqual(await apply(put(after, before)), { [kernelKey(after)]: 'NR_KERNEL_REFUSED' });
    assert.deepEqual(await apply(put(after)), { [kernelKey(after)]: 'NR_KERNEL_REFUSED' });
    await holds(bench.kernel, [before]);
  });

  it('puts nothing on a link that there is not', async () => {
    const orphans = [address(1, '169.254.7.7/32'), ...sysctlsOf(1)];
    const refused = Object.fromEntries(orphans.map((one) => [kernelKey(one), 'NR_KERNEL_REFUSED']));
    assert.deepEqual(await apply(...orphans.map((one) => put(one))), refused);
    await succeed(bench.kernel, orphans.map(remove));
  });

  describe('what is not ours', () => {
    it('an interface of the name stays as it is, with all that would hang on it', async () => {
      await bench.plantLink(nameOf(1), ['198.51.100.1/24']);
      const before = await bench.planted();
      const all = endpoint(1);
      const foreign = all.filter(({ kind }) => kind !== 'route').map(kernelKey);
      const outcome = await apply(...all.map((one) => put(one)));
      for (const key of foreign) assert.equal(outcome[key], 'NR_FOREIGN_OBJECT', key);
      assert.deepEqual(await apply(put(veth(1), veth(1, { mtu: 1300 }))), {
        [`link ${nameOf(1)}`]: 'NR_FOREIGN_OBJECT',
      });
      // In a call of its own, which knows nothing of the link.
      assert.equal(
        Object.keys(await apply(...all.slice(1, -2).map((one) => put(one)))).length,
        all.length - 3,
      );
      await succeed(bench.kernel, all.toReversed().map(remove));
      assert.equal(await bench.planted(), before);
      await holds(bench.kernel, []);
    });

    it('an interface of the name of the other end stays', async () => {
      await bench.plantLink(`${nameOf(1)}c`);
      const before = await bench.planted();
      assert.deepEqual(await apply(put(veth(1))), { [`link ${nameOf(1)}`]: 'NR_FOREIGN_OBJECT' });
      assert.equal(await bench.planted(), before);
    });

    for (const prefix of ['10.1.0.2/32', 'fd00:9::2/128']) {
      it(`a route to ${prefix} of the same metric stays`, async () => {
        const wanted = route(prefix);
        const family = prefix.includes(':') ? '2001:db8::' : '192.0.2.';
        const several = route(prefix, {
          nextHops: [
            { via: `${family}7`, dev: UPLINK },
            { via: `${family}9`, dev: UPLINK },
          ],
        });
        await bench.plantRoute(wanted);
        const before = await bench.planted();
        for (const one of [wanted, several]) {
          assert.deepEqual(await apply(put(one)), { [kernelKey(one)]: 'NR_FOREIGN_OBJECT' });
          assert.deepEqual(await apply(put(one, wanted)), { [kernelKey(one)]: 'NR_FOREIGN_OBJECT' });
          await succeed(bench.kernel, [remove(one)]);
        }
        assert.equal(await bench.planted(), before);
        await holds(bench.kernel, []);
      });

      it(`a route to ${prefix} of another metric stands beside ours`, async () => {
        const ours = route(prefix);
        await bench.plantRoute({ ...ours, metric: METRIC_LOCAL + 100 });
        const before = await bench.planted();
        await succeed(bench.kernel, [put(ours)]);
        await holds(bench.kernel, [ours]);
        await succeed(bench.kernel, [remove(ours)]);
        await holds(bench.kernel, []);
        assert.equal(await bench.planted(), before);
      });
    }

    it('an address on one of our links stays', async () => {
      await succeed(bench.kernel, [put(veth(1))]);
      await bench.plantAddress(nameOf(1), '169.254.7.7/32');
      const before = await bench.planted();
      const wanted = address(1, '169.254.7.7/32');
      assert.deepEqual(await apply(put(wanted)), { [kernelKey(wanted)]: 'NR_FOREIGN_OBJECT' });
      await succeed(bench.kernel, [remove(wanted)]);
      assert.equal(await bench.planted(), before);
      await holds(bench.kernel, [veth(1)]);
    });

    it('interfaces of similar names stay when a hundred of ours go at once', async () => {
      const links = Array.from({ length: 100 }, (_, i) => veth(i + 1));
      for (const name of ['nr1', `${nameOf(1).slice(0, -1)}x`, 'nrtest']) await bench.plantLink(name);
      const before = await bench.planted();
      await succeed(
        bench.kernel,
        [...links, veth(200)].map((one) => put(one)),
      );
      await succeed(bench.kernel, links.map(remove));
      await holds(bench.kernel, [veth(200)]);
      assert.equal(await bench.planted(), before);
    });
  });

  describe('what vanishes by itself', () => {
    it('is no error to remove, and can be made again', async () => {
      const all = endpoint(1);
      await succeed(
        bench.kernel,
        all.map((one) => put(one)),
      );
      await bench.vanish(nameOf(1));
      await holds(bench.kernel, []);
      await succeed(bench.kernel, all.toReversed().map(remove));
      await succeed(
        bench.kernel,
        all.map((one) => put(one, one)),
      );
      await holds(bench.kernel, all);
    });

    it('goes with its link', async () => {
      await succeed(
        bench.kernel,
        [...endpoint(1), ...endpoint(2)].map((one) => put(one)),
      );
      await succeed(bench.kernel, [remove(veth(1))]);
      await holds(bench.kernel, endpoint(2));
    });
  });

  describe('malformed values are refused and change nothing', () => {
    const link = veth(1);
    const hop = (dev: string) => route('10.1.0.2/32', { nextHops: [{ dev }] });
    const MALFORMED: KernelResource[] = [
      veth(1, { name: `nr1\nlink del dev ${UPLINK}\n` }),
      veth(1, { name: 'nr1 dev lo', peer: 'nr1 dev loc' }),
      veth(1, { name: '-nr1', peer: '-nr1c' }),
      veth(1, { name: 'eth7', peer: 'eth7c' }),
      veth(1, { peer: 'nrother' }),
      veth(1, { mtu: 1450.5 }),
      veth(1, { mtu: 1 }),
      veth(1, { mtu: '1450 up' as never }),
      veth(1, { alias: 'net-routed x" up' }),
      veth(1, { alias: `net-routed x\nlink del dev ${UPLINK}` }),
      veth(1, { alias: 'somebody else' }),
      { ...address(1, '169.254.7.7/32'), link: 'nr1\n' },
      { ...address(1, '169.254.7.7/32'), link: UPLINK },
      address(1, `169.254.7.7/32 dev ${UPLINK}`),
      address(1, '169.254.7.7/24'),
      address(1, '169.254.007.7/32'),
      address(1, 'FE80::7/64'),
      address(1, 'fd00:9::1/64'),
      address(1, '--help'),
      route('10.1.0.2/16'),
      route('10.1.0.2'),
      route('default'),
      route('10.1.0.2/32\n'),
      route('-6'),
      hop('lo\n'),
      hop(`${UPLINK} onlink`),
      hop('-'),
      route('10.1.0.2/32', { nextHops: [] }),
      route('10.1.0.2/32', { nextHops: [{ via: '192.0.2.9' }] }),
      route('10.1.0.2/32', { nextHops: [{ via: 'localhost', dev: UPLINK }] }),
      route('10.1.0.2/32', { nextHops: [{ dev: UPLINK }], type: 'unreachable' }),
      route('10.1.0.2/32', { type: 'local' as never }),
      route('10.1.0.2/32', { nextHops: [{ dev: UPLINK }, { dev: 'lo' }] }),
      route('10.1.0.2/32', { nextHops: [{ dev: UPLINK }, { dev: UPLINK }] }),
      route('fd00:9::2/128', { nextHops: [{ via: '192.0.2.9', dev: UPLINK }] }),
      route('10.1.0.2/32', { src: '2001:db8::1' }),
      route('10.1.0.2/32', { src: '192.0.2.1 onlink' }),
      route('10.1.0.2/32', { metric: 0 }),
      route('10.1.0.2/32', { metric: -1 }),
      route('10.1.0.2/32', { table: 255 }),
      route('10.1.0.2/32', { table: 'main' as never }),
      { kind: 'sysctl', path: '../../etc/passwd', value: '1' },
      { kind: 'sysctl', path: 'net/../kernel/panic', value: '1' },
      { kind: 'sysctl', path: 'kernel/panic', value: '1' },
      { kind: 'sysctl', path: '/net/ipv4/ip_forward', value: '1' },
      { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '' },
      { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1\n' },
      inSandbox(1, 'relative/path', '10.1.0.3/32'),
      inSandbox(1, '/run/../etc/passwd', '10.1.0.3/32'),
      inSandbox(1, '/run/a b', '10.1.0.3/32'),
      inSandbox(1, '/run/netns/x', '10.1.0.3/24'),
    ];
    for (const what of ['put', 'remove'] as const) {
      it(`in ${what}, one by one among others that are carried out`, async () => {
        const before = await bench.planted();
        for (const resource of MALFORMED) {
          const neighbour = route('10.1.0.3/32');
          const bad = what === 'put' ? put(resource) : remove(resource);
          // A removal needs less: what is not part of its commands is not looked at.
          if (what === 'remove' && isHarmless(resource)) continue;
          assert.deepEqual(
            await apply(put(link), bad, put(neighbour)),
            { [kernelKey(resource)]: 'NR_KERNEL_ARGUMENT' },
            JSON.stringify(resource),
          );
        }
        await holds(bench.kernel, [link, route('10.1.0.3/32')]);
        assert.equal(await bench.planted(), before);
      });
    }
  });

  describe('sandboxes', () => {
    it('are alive until they end', async () => {
      const sandbox = await bench.openSandbox();
      assert.equal(bench.kernel.sandboxAlive(sandbox), true);
      await bench.closeSandbox(sandbox);
      assert.equal(bench.kernel.sandboxAlive(sandbox), false);
      assert.equal(bench.kernel.sandboxAlive('/nonexistent'), false);
      assert.equal(bench.kernel.sandboxAlive(import.meta.filename), false);
    });

    it('get further addresses once their interface is there', async () => {
      const sandbox = await bench.openSandbox();
      const wanted = ['10.1.0.3/32', 'fd00:9::3/128'].map((one) => inSandbox(1, sandbox, one));
      const puts = wanted.map((one) => put(one));
      const refused = Object.fromEntries(wanted.map((one) => [kernelKey(one), 'NR_KERNEL_REFUSED']));
      await succeed(bench.kernel, [put(veth(1))]);
      assert.deepEqual(await apply(...puts), refused);

      await bench.moveInto(sandbox, nameOf(1));
      await holds(bench.kernel, [veth(1)]);
      await succeed(bench.kernel, puts);
      await succeed(bench.kernel, puts);
      assert.deepEqual(await bench.inSandbox(sandbox, nameOf(1)), ['10.1.0.3/32', 'fd00:9::3/128']);
      await holds(bench.kernel, [veth(1)]);

      await succeed(bench.kernel, [remove(wanted[0]!), remove(wanted[0]!)]);
      assert.deepEqual(await bench.inSandbox(sandbox, nameOf(1)), ['fd00:9::3/128']);
    });

    it('get nothing for an interface that is in another one', async () => {
      const [here, there] = [await bench.openSandbox(), await bench.openSandbox()];
      await succeed(bench.kernel, [put(veth(1))]);
      await bench.moveInto(there, nameOf(1));
      const wanted = inSandbox(1, here, '10.1.0.3/32');
      assert.deepEqual(await apply(put(wanted)), { [kernelKey(wanted)]: 'NR_KERNEL_REFUSED' });
      await succeed(bench.kernel, [remove(wanted)]);
      assert.deepEqual(await bench.inSandbox(there, nameOf(1)), []);
    });

    it('that have ended say so', async () => {
      const sandbox = await bench.openSandbox();
      await succeed(bench.kernel, [put(veth(1))]);
      await bench.closeSandbox(sandbox);
      const wanted = inSandbox(1, sandbox, '10.1.0.3/32');
      assert.deepEqual(await apply(put(wanted)), { [kernelKey(wanted)]: 'NR_SANDBOX_GONE' });
      await succeed(bench.kernel, [remove(wanted)]);
    });
  });

  describe('events', () => {
    it('tell of links, addresses and routes, ours and others', async () => {
      const { heard, stop } = await listen(bench.kernel);
      const name = nameOf(1);
      await succeed(
        bench.kernel,
        endpoint(1).map((one) => put(one)),
      );
      await heard({ kind: 'link', name, gone: false });
      await heard({ kind: 'address', link: name });
      await heard({ kind: 'route', prefix: '10.1.0.1/32', gone: false });
      await heard({ kind: 'route', prefix: 'fd00:9::1/128', gone: false });
      await succeed(bench.kernel, [remove(endpoint(1).at(-2)!)]);
      await heard({ kind: 'route', prefix: '10.1.0.1/32', gone: true });
      await bench.vanish(name);
      await heard({ kind: 'link', name, gone: true });
      stop();
    });

    it('end when nobody listens, and begin again', async () => {
      const first = await listen(bench.kernel);
      first.stop();
      first.stop();
      const heard = first.events.length;
      const second = await listen(bench.kernel);
      await succeed(bench.kernel, [put(veth(1))]);
      await second.heard({ kind: 'link', name: nameOf(1), gone: false });
      assert.equal(first.events.length, heard);
      second.stop();
    });

    it('reach several listeners, and go on when one of them throws', async () => {
      const stop = bench.kernel.watch(() => {
        throw new Error('as told');
      });
      const one = await listen(bench.kernel);
      const two = await listen(bench.kernel);
      await succeed(bench.kernel, [put(veth(1))]);
      await Promise.all([one, two].map(({ heard }) => heard({ kind: 'link', name: nameOf(1), gone: false })));
      for (const end of [stop, one.stop, two.stop]) end();
    });
  });

  it('takes calls at the same time', async () => {
    const all = [1, 2, 3, 4, 5, 6, 7, 8].map(endpoint);
    await Promise.all(
      all.map((one) =>
        succeed(
          bench.kernel,
          one.map((resource) => put(resource)),
        ),
      ),
    );
    await holds(bench.kernel, all.flat());
    await Promise.all(all.map((one) => succeed(bench.kernel, one.toReversed().map(remove))));
    await holds(bench.kernel, []);
  });
}

/** Links go by their name, settings by their path. */
function isHarmless(resource: KernelResource): boolean {
  if (resource.kind === 'sysctl') return resource.path === 'net/ipv4/ip_forward';
  return resource.kind === 'link' && resource.name === nameOf(1);
}
