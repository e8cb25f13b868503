import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ErrorCode } from '../../../src/errors.ts';
import { contents, endpoint, POOL, type World, withNetwork, world } from './world.ts';

async function refused(
  it: World,
  code: ErrorCode,
  call: () => Promise<unknown>,
  text?: RegExp,
): Promise<void> {
  const before = contents(it);
  await assert.rejects(call, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    if (text) assert.match(error.message, text);
    return true;
  });
  assert.equal(contents(it), before, 'nothing changed');
}

const network = (pool: string, change: object = {}) => ({
  network: 'n2',
  options: {},
  internal: false,
  ipv4: [{ addressSpace: 'net-routed', pool, auxAddresses: {} }],
  ipv6: [],
  ...change,
});

describe('pools', () => {
  it('are the same again while no network has them', async () => {
    const it = world();
    assert.deepEqual(await it.driver.requestPool(POOL), await it.driver.requestPool(POOL));
  });

  it('have a link-local gateway, each another', async () => {
    const it = world();
    const gateways = new Set<string>();
    for (let net = 0; net < 50; net++) {
      const { gateway } = await it.driver.requestPool({ ...POOL, pool: `10.1.${net}.0/24` });
      assert.match(gateway, /^169\.254\.\d+\.\d+\/32$/);
      gateways.add(gateway);
    }
    assert.equal(gateways.size, 50);
  });

  it('may not overlap within the tenant', async () => {
    const it = await withNetwork();
    for (const pool of ['10.1.0.0/16', '10.1.2.0/24', '10.0.0.0/8']) {
      await refused(
        it,
        'NR_POOL_OVERLAP',
        () => it.driver.requestPool({ ...POOL, pool }),
        /10\.1\.0\.0\/16 of network n1/,
      );
    }
  });

  it('are refused when malformed, of the other family, or of no use', async () => {
    const it = world();
    for (const pool of [
      '10.1.0.1/16',
      '10.1.0.0/33',
      '010.1.0.0/16',
      '10.1.0.0',
      'x',
      'fd00::/64',
      '127.0.0.0/8',
      '224.0.0.0/4',
      '0.0.0.0/0',
      '169.254.0.0/16',
    ]) {
      await refused(it, 'NR_PREFIX_INVALID', () => it.driver.requestPool({ ...POOL, pool }));
    }
    await refused(it, 'NR_POOL_RANGE_INVALID', () =>
      it.driver.requestPool({ ...POOL, subPool: '10.2.0.0/24' }),
    );
    await refused(it, 'NR_TENANT_UNKNOWN', () =>
      it.driver.requestPool({ ...POOL, options: { tenant: 'red' } }),
    );
  });

  it('are chosen when none is asked for, each another', async () => {
    const it = world();
    const auto = async (v6: boolean) => (await it.driver.requestPool({ options: {}, v6 })).pool;
    const pools = [await auto(false), await auto(false), await auto(true), await auto(true)];
    assert.equal(new Set(pools).size, 4, pools.join(' '));
    assert.match(pools[0]!, /^10\.\d+\.\d+\.0\/24$/);
    assert.match(pools[2]!, /^fd6e:7264:.*\/64$/);
  });

  it('run out', async () => {
    const { Prefix } = await import('../../../src/net/prefix.ts');
    const it = world({ automatic: [Prefix.parse('10.128.0.0/23')] });
    const auto = () => it.driver.requestPool({ options: {}, v6: false });
    await auto();
    await auto();
    await refused(it, 'NR_POOLS_EXHAUSTED', auto);
  });

  it('go with their network, also when DeleteNetwork never came', async () => {
    const it = await withNetwork();
    await it.driver.releasePool(it.pool);
    assert.equal(contents(it), '[]');
    await it.driver.releasePool(it.pool);
  });

  it('stay while they have endpoints', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    await refused(it, 'NR_POOL_IN_USE', () => it.driver.releasePool(it.pool), /e1/);
  });
});

describe('addresses', () => {
  it('are given lowest first, without the network address', async () => {
    const it = await withNetwork();
    const next = () => it.driver.requestAddress({ pool: it.pool, gateway: false });
    assert.equal((await next()).address, '10.1.0.1/32');
    assert.equal((await next()).address, '10.1.0.2/32');
  });

  it('begin at another place on another host, and come from the whole pool in the end', async () => {
    const given = async (spread: bigint) => {
      const it = await withNetwork({ spread });
      return (await it.driver.requestAddress({ pool: it.pool, gateway: false })).address;
    };
    assert.equal(await given(0n), '10.1.0.1/32');
    assert.equal(await given(5n), '10.1.1.64/32');
    assert.equal(await given(1024n * 7n + 5n), '10.1.1.64/32');
    const it = world({ spread: 1n });
    const { id } = await it.driver.requestPool({ ...POOL, pool: '10.1.0.0/25' });
    const all = new Set<string>();
    for (let count = 0; count < 126; count++) {
      all.add((await it.driver.requestAddress({ pool: id, gateway: false })).address);
    }
    assert.equal(all.size, 126);
    await refused(it, 'NR_POOL_FULL', () => it.driver.requestAddress({ pool: id, gateway: false }));
  });

  it('asked for in one turn are different, explicit and automatic mixed', async () => {
    const it = await withNetwork();
    const asked = [undefined, '10.1.0.1', undefined, '10.1.0.2', undefined].map((address) =>
      it.driver.requestAddress({ pool: it.pool, address, gateway: false }).then(
        (given) => given.address,
        (error: Error) => error.message,
      ),
    );
    const given = await Promise.all(asked);
    const automatic = [given[0], given[2], given[4]];
    assert.equal(new Set(automatic).size, 3, given.join(' '));
  });

  it('come from the range, explicit ones from the whole subnet', async () => {
    const it = world();
    const { id } = await it.driver.requestPool({ ...POOL, subPool: '10.1.9.0/30' });
    const next = async () => (await it.driver.requestAddress({ pool: id, gateway: false })).address;
    assert.deepEqual(
      [await next(), await next(), await next(), await next()],
      ['10.1.9.0/32', '10.1.9.1/32', '10.1.9.2/32', '10.1.9.3/32'],
    );
    await refused(it, 'NR_POOL_FULL', next, /10\.1\.9\.0\/30 .*: 4 held, 0 reserved of 4;/);
    assert.equal(
      (await it.driver.requestAddress({ pool: id, address: '10.1.1.1', gateway: false })).address,
      '10.1.1.1/32',
    );
    const usage = () => it.driver.holdings.usage(it.driver.pools.get(id));
    // It is alone, and asks nobody.
    const counts = { size: 4n, free: 0n, owned: 128n, spare: undefined, part: 64 };
    assert.deepEqual(await usage(), { ...counts, held: 4n, resting: 0n, outside: 1n, here: 5n });
    await it.driver.releaseAddress(id, '10.1.9.1');
    await it.driver.releaseAddress(id, '10.1.1.1');
    assert.deepEqual(await usage(), { ...counts, held: 3n, resting: 1n, outside: 0n, here: 3n });
  });

  it('are refused when wrong', async () => {
    const it = await withNetwork();
    const ask = (address: string) => () =>
      it.driver.requestAddress({ pool: it.pool, address, gateway: false });
    await refused(it, 'NR_ADDRESS_OUTSIDE', ask('10.2.0.1'));
    await refused(it, 'NR_ADDRESS_OUTSIDE', ask('fd00::1'));
    await refused(it, 'NR_ADDRESS_RESERVED', ask('10.1.0.0'), /network address/);
    await refused(it, 'NR_ADDRESS_RESERVED', ask('10.1.255.255'), /broadcast/);
    for (const bad of [
      '010.1.0.1',
      '10.1.0.1/32',
      '::ffff:10.1.0.1',
      '10.1.1',
      '10.1.0.1 ',
      '10.1.0.256',
      '',
    ]) {
      await refused(it, 'NR_ADDRESS_INVALID', ask(bad));
    }
    await refused(it, 'NR_POOL_UNKNOWN', () => it.driver.requestAddress({ pool: 'x', gateway: false }));
  });

  it('that an endpoint has are refused with its name; of a dead one they are given', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    const ask = () => it.driver.requestAddress({ pool: it.pool, address: '10.1.0.2', gateway: false });
    await refused(it, 'NR_ADDRESS_IN_USE', ask, /endpoint e1/);
    it.dead.add('e1');
    assert.equal((await ask()).address, '10.1.0.2/32');
    assert.equal(it.state.endpoints.get('e1'), undefined);
    assert.ok(it.marked.includes('e1'), 'what is left of it in the kernel goes too');
  });

  it('that others announce are passed over', async () => {
    const it = await withNetwork();
    it.learned.set('10.1.0.1/32', {
      prefix: '10.1.0.1/32',
      nextHops: [],
      holder: '192.0.2.1',
      anycast: false,
      asPath: [],
    });
    assert.equal((await it.driver.requestAddress({ pool: it.pool, gateway: false })).address, '10.1.0.2/32');
  });

  it('rest after release, and can be asked for at once', async () => {
    const it = await withNetwork();
    const next = async () => (await it.driver.requestAddress({ pool: it.pool, gateway: false })).address;
    assert.equal(await next(), '10.1.0.1/32');
    await it.driver.releaseAddress(it.pool, '10.1.0.1');
    assert.equal(await next(), '10.1.0.2/32');
    assert.equal(
      (await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.1', gateway: false })).address,
      '10.1.0.1/32',
    );
  });

  it('of a living endpoint stay when an earlier release comes late', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    // Docker asked twice, and gives back for the one whose endpoint was refused.
    await it.driver.releaseAddress(it.pool, '10.1.0.2');
    assert.ok(it.state.endpoints.get('e1'), 'created');
    await it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/s' });
    await it.driver.releaseAddress(it.pool, '10.1.0.2');
    assert.ok(it.state.endpoints.get('e1'), 'joined');
    it.dead.add('e1');
    await it.driver.releaseAddress(it.pool, '10.1.0.2');
    assert.equal(it.state.endpoints.get('e1'), undefined, 'dead');
  });

  it('are the gateway and auxiliary ones when the user says so', async () => {
    const it = world();
    const { id } = await it.driver.requestPool(POOL);
    const gateway = (address: string) => it.driver.requestAddress({ pool: id, address, gateway: true });
    await gateway('10.1.0.1');
    const before = contents(it);
    assert.deepEqual(await gateway('10.1.0.1'), { address: '10.1.0.1/32' }, 'a replay');
    assert.equal(contents(it), before);
    await it.driver.requestAddress({ pool: id, address: '10.1.0.9', gateway: false });
    const ipv4 = [
      {
        addressSpace: 'net-routed',
        pool: '10.1.0.0/16',
        gateway: '10.1.0.1/32',
        auxAddresses: { dns: '10.1.0.9/32' },
      },
    ];
    await it.driver.createNetwork(network('', { network: 'n1', ipv4 }));
    const ask = (address: string) => () => it.driver.requestAddress({ pool: id, address, gateway: false });
    await refused(it, 'NR_ADDRESS_RESERVED', ask('10.1.0.1'), /gateway/);
    await refused(it, 'NR_ADDRESS_RESERVED', ask('10.1.0.9'), /auxiliary/);
    await refused(it, 'NR_OPTION_CONFLICT', () => gateway('10.1.0.8'), /n1 has the gateway 10\.1\.0\.1/);
    assert.deepEqual(await gateway('10.1.0.1'), { address: '10.1.0.1/32' }, 'a late replay');
    await endpoint({ ...it, pool: id }, 'e1', '10.1.0.2');
    const answer = await it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/s' });
    assert.deepEqual([answer.gateway, answer.onLink], ['10.1.0.1', ['10.1.0.1/32']]);
  });
});

describe('networks', () => {
  it("are refused with Docker's own IPAM", async () => {
    const it = world();
    const foreign = [{ addressSpace: 'LocalDefault', pool: '10.1.0.0/16', auxAddresses: {} }];
    await refused(
      it,
      'NR_IPAM_FOREIGN',
      () => it.driver.createNetwork(network('', { ipv4: foreign })),
      /--ipam-driver ipam-routed/,
    );
    await refused(it, 'NR_IPAM_FOREIGN', () => it.driver.createNetwork(network('', { ipv4: [] })));
    await refused(it, 'NR_IPAM_FOREIGN', () => it.driver.createNetwork(network('10.7.0.0/16')));
  });

  it('are created again alike by a replay, and not otherwise', async () => {
    const it = await withNetwork();
    const again = network('10.1.0.0/16', { network: 'n1' });
    const before = contents(it);
    await it.driver.createNetwork(again);
    assert.equal(contents(it), before);
    await refused(it, 'NR_NETWORK_EXISTS', () =>
      it.driver.createNetwork({ ...again, options: { mtu: '1400' } }),
    );
    await refused(it, 'NR_POOL_OVERLAP', () => it.driver.createNetwork(network('10.1.0.0/16')));
    await refused(it, 'NR_OPTION_UNKNOWN', () => it.driver.createNetwork({ ...again, options: { x: 'y' } }));
  });

  it('set their gateway apart, also one that Docker has not asked for', async () => {
    const it = world();
    const { id } = await it.driver.requestPool(POOL);
    await it.driver.createNetwork(network('10.1.0.0/16', { options: { gateway: '10.1.0.7' } }));
    const pool = it.driver.pools.get(id);
    assert.equal(it.driver.addresses.get(pool, '10.1.0.7')?.use, 'gateway');
    await refused(it, 'NR_ADDRESS_RESERVED', () =>
      it.driver.requestAddress({ pool: id, address: '10.1.0.7', gateway: false }),
    );
  });

  it('are not deleted while they have endpoints, and deleted twice without harm', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    await refused(it, 'NR_NETWORK_IN_USE', () => it.driver.deleteNetwork('n1'), /e1/);
    it.dead.add('e1');
    await it.driver.deleteNetwork('n1');
    await it.driver.deleteNetwork('n1');
    assert.equal(it.state.endpoints.get('e1'), undefined);
  });
});

describe('endpoints', () => {
  it('get a MAC from their address, or the one asked for', async () => {
    const it = await withNetwork();
    assert.deepEqual(await endpoint(it, 'e1', '10.1.0.2'), { mac: '02:42:0a:01:00:02' });
    assert.deepEqual(await endpoint(it, 'e1', '10.1.0.2').catch((error) => error.code), 'NR_ADDRESS_IN_USE');
    const held = await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.3', gateway: false });
    const call = {
      network: 'n1',
      endpoint: 'e2',
      address: held.address,
      mac: '02:00:00:00:00:01',
      options: {},
    };
    assert.deepEqual(await it.driver.createEndpoint(call), {});
    await refused(it, 'NR_ENDPOINT_EXISTS', () =>
      it.driver.createEndpoint({ ...call, options: { mtu: '1400' } }),
    );
    const before = contents(it);
    assert.deepEqual(await it.driver.createEndpoint(call), {}, 'a replay');
    assert.equal(contents(it), before);
  });

  it('are one when they are asked for twice in one moment, and refused with other settings', async () => {
    const it = await withNetwork();
    for (const address of ['10.1.0.2', '10.1.0.3'])
      await it.driver.requestAddress({ pool: it.pool, address, gateway: false });
    const create = (address: string) =>
      it.driver.createEndpoint({ network: 'n1', endpoint: 'e1', address, options: {} });
    const [one, again, other] = await Promise.allSettled(
      ['10.1.0.2/32', '10.1.0.2/32', '10.1.0.3/32'].map(create),
    );
    assert.deepEqual(one, { status: 'fulfilled', value: { mac: '02:42:0a:01:00:02' } });
    assert.deepEqual(again, one);
    assert.match(String(other?.status === 'rejected' && other.reason), /NR_ENDPOINT_EXISTS/);
  });

  it('are refused what is wrong', async () => {
    const it = await withNetwork();
    const call = { network: 'n1', endpoint: 'e1', address: '10.1.0.2/32', options: {} };
    await refused(it, 'NR_ADDRESS_NOT_HELD', () => it.driver.createEndpoint(call));
    await refused(it, 'NR_NETWORK_UNKNOWN', () => it.driver.createEndpoint({ ...call, network: 'n9' }));
    await refused(it, 'NR_ADDRESS_OUTSIDE', () =>
      it.driver.createEndpoint({ ...call, address: '10.2.0.2/32' }),
    );
    await refused(it, 'NR_ENDPOINT_NO_ADDRESS', () =>
      it.driver.createEndpoint({ ...call, address: undefined }),
    );
    await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.2', gateway: false });
    await refused(it, 'NR_MTU_INVALID', () => it.driver.createEndpoint({ ...call, options: { mtu: '67' } }));
    await refused(it, 'NR_MAC_INVALID', () =>
      it.driver.createEndpoint({ ...call, mac: '01:00:5e:00:00:01' }),
    );
    await refused(it, 'NR_ENDPOINT_UNKNOWN', () =>
      it.driver.join({ network: 'n1', endpoint: 'e9', sandbox: '/s' }),
    );
    await refused(it, 'NR_ENDPOINT_UNKNOWN', () => it.driver.leave('n1', 'e9'));
    await refused(it, 'NR_NETWORK_UNKNOWN', () =>
      it.driver.join({ network: 'n9', endpoint: 'e1', sandbox: '/s' }),
    );
  });

  it('are refused an address that another announces, by the name of the holder, unless both share it', async () => {
    const it = await withNetwork();
    const route = { prefix: '10.1.0.2/32', nextHops: [], holder: '192.0.2.7', anycast: false, asPath: [] };
    it.learned.set('10.1.0.2/32', route);
    await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.2', gateway: false });
    const create = (options: Record<string, string>) => () =>
      it.driver.createEndpoint({ network: 'n1', endpoint: 'e1', address: '10.1.0.2/32', options });
    await refused(it, 'NR_ADDRESS_ANNOUNCED', create({}), /192\.0\.2\.7/);
    await refused(it, 'NR_ADDRESS_ANNOUNCED', create({ anycast: 'true' }), /192\.0\.2\.7/);
    it.learned.set('10.1.0.2/32', { ...route, anycast: true });
    await refused(it, 'NR_ADDRESS_ANNOUNCED', create({}));
    await create({ anycast: 'true' })();
  });

  it('take aliases that are nobody else’s', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2', { 'ip-aliases': '10.1.0.3,192.0.2.1' });
    const held = await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.4', gateway: false });
    const create = (alias: string) => () =>
      it.driver.createEndpoint({
        network: 'n1',
        endpoint: 'e2',
        address: held.address,
        options: { 'ip-aliases': alias },
      });
    await refused(it, 'NR_ADDRESS_IN_USE', create('10.1.0.3'));
    await refused(it, 'NR_ADDRESS_IN_USE', create('192.0.2.1'));
    await refused(it, 'NR_ADDRESS_RESERVED', create('10.1.0.0'));
    await it.driver.deleteEndpoint('n1', 'e1');
    await create('10.1.0.3,192.0.2.1')();
  });

  it('join, leave and go, any number of times', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    const join = () => it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/s' });
    const answer = await join();
    assert.equal(answer.interface, 'nre1c');
    assert.deepEqual(await join(), answer);
    await refused(it, 'NR_ENDPOINT_JOINED', () =>
      it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/other' }),
    );
    await it.driver.leave('n1', 'e1');
    await it.driver.leave('n1', 'e1');
    await it.driver.deleteEndpoint('n1', 'e1');
    await it.driver.deleteEndpoint('n1', 'e1');
    await it.driver.releaseAddress(it.pool, '10.1.0.2');
    await it.driver.releaseAddress(it.pool, '10.1.0.2');
    assert.equal((await it.driver.holdings.usage(it.driver.pools.get(it.pool))).held, 0n);
  });

  it('are as before when the host cannot make their path', async () => {
    const settled = async () => {
      throw Object.assign(new Error('no'), { code: 'NR_KERNEL_REFUSED' });
    };
    const it = await withNetwork({ settled });
    await endpoint(it, 'e1', '10.1.0.2');
    const before = contents(it);
    await assert.rejects(() => it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/s' }));
    assert.equal(contents(it), before);
  });

  it('publish ports, each its own', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    await endpoint(it, 'e2', '10.1.0.3');
    const binding = { protocol: 6, port: 80, hostAddress: '', hostPort: 8080, hostPortEnd: 8080 };
    await refused(it, 'NR_ENDPOINT_NOT_JOINED', () => it.driver.publish('n1', 'e1', [binding]));
    for (const id of ['e1', 'e2']) await it.driver.join({ network: 'n1', endpoint: id, sandbox: `/${id}` });
    await it.driver.publish('n1', 'e1', [binding]);
    await refused(it, 'NR_PORT_IN_USE', () => it.driver.publish('n1', 'e2', [binding]));
    await it.driver.publish('n1', 'e2', [
      { ...binding, hostPortEnd: 8081 },
      { ...binding, port: 81, hostPort: 0, hostPortEnd: 0 },
    ]);
    assert.deepEqual(
      it.state.endpoints.get('e2')?.ports.map(({ hostPort }) => hostPort),
      [8081, 32768],
    );
    const before = contents(it);
    await it.driver.publish('n1', 'e1', [binding]);
    await it.driver.unpublish('n2', 'e1');
    assert.equal(contents(it), before, 'a replay, and a call for another network');
    await it.driver.unpublish('n1', 'e1');
    assert.deepEqual(it.state.endpoints.get('e1')?.ports, []);
    await it.driver.leave('n1', 'e1');
    await refused(it, 'NR_ENDPOINT_NOT_JOINED', () => it.driver.publish('n1', 'e1', [binding]));
  });

  const PORT = { protocol: 6, port: 80, hostAddress: '', hostPort: 8080, hostPortEnd: 8080 };

  it('publish no port that a program of the host listens on, and say who does', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    await it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/e1' });
    const program = { name: 'nginx', pid: 4711 };
    it.listeners.push({ protocol: 'tcp', family: 4, address: '127.0.0.1', port: 8080, program });
    const before = contents(it);
    await assert.rejects(() => it.driver.publish('n1', 'e1', [PORT]), {
      code: 'NR_PORT_IN_USE',
      what: 'port 8080/tcp of the host is in use: "nginx" (process 4711) listens on 127.0.0.1',
    });
    it.listeners.splice(0, 1, { protocol: 'tcp', family: 4, port: 8080 });
    await assert.rejects(() => it.driver.publish('n1', 'e1', [PORT]), /a program listens on 0\.0\.0\.0/);
    assert.equal(contents(it), before);
    it.listeners.length = 0;
    await it.driver.publish('n1', 'e1', [PORT]);
    it.listeners.push({ protocol: 'tcp', family: 4, port: 8080 });
    await it.driver.publish('n1', 'e1', [PORT]);
    assert.equal(it.state.endpoints.get('e1')?.ports.length, 1, 'a replay is none the worse for it');
  });

  it('publish a port again whose endpoint has ended, though nobody has said so', async () => {
    const it = await withNetwork();
    for (const [id, address] of [
      ['e1', '10.1.0.2'],
      ['e2', '10.1.0.3'],
    ] as const) {
      await endpoint(it, id, address);
      await it.driver.join({ network: 'n1', endpoint: id, sandbox: `/${id}` });
    }
    await it.driver.publish('n1', 'e1', [PORT]);
    it.dead.add('e1');
    it.marked.length = 0;
    await it.driver.publish('n1', 'e2', [PORT]);
    assert.deepEqual(it.marked, ['e1', 'e2'], 'so that the host lets go of it');
    assert.equal(it.state.endpoints.get('e2')?.ports[0]?.hostPort, 8080);
  });

  it('publish different ports when they are asked for at the same time', async () => {
    const it = await withNetwork();
    const ids = ['e1', 'e2', 'e3'];
    for (const [index, id] of ids.entries()) {
      await endpoint(it, id, `10.1.0.${index + 2}`);
      await it.driver.join({ network: 'n1', endpoint: id, sandbox: `/${id}` });
    }
    const any = { ...PORT, hostPort: 0, hostPortEnd: 0 };
    const twice = [...ids, ...ids];
    await Promise.all(twice.map((id) => it.driver.publish('n1', id, [any])));
    const chosen = ids.map((id) => it.state.endpoints.get(id)?.ports.map(({ hostPort }) => hostPort));
    assert.deepEqual(chosen, [[32768], [32769], [32770]]);
  });

  it('publish nothing for one that leaves meanwhile', async () => {
    const asked = Promise.withResolvers<[]>();
    const it = await withNetwork({ listeners: () => asked.promise });
    await endpoint(it, 'e1', '10.1.0.2');
    await it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/e1' });
    const published = it.driver.publish('n1', 'e1', [PORT]);
    await it.driver.leave('n1', 'e1');
    asked.resolve([]);
    await assert.rejects(published, { code: 'NR_ENDPOINT_NOT_JOINED' });
    assert.deepEqual(it.state.endpoints.get('e1')?.ports, []);
  });

  it('publish nothing when the host cannot, and say so', async () => {
    let broken = false;
    const settled = async () => {
      if (broken) throw Object.assign(new Error('no'), { code: 'NR_FIREWALL_REFUSED' });
    };
    const it = await withNetwork({ settled });
    await endpoint(it, 'e1', '10.1.0.2');
    await it.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/s' });
    broken = true;
    const binding = { protocol: 6, port: 80, hostAddress: '', hostPort: 8080, hostPortEnd: 8080 };
    await refused(it, 'NR_FIREWALL_REFUSED', () => it.driver.publish('n1', 'e1', [binding]));
  });

  it('never share an address, whatever is called in whatever order', async () => {
    const id = fc.constantFrom('a', 'b', 'c');
    const address = fc.constantFrom('10.1.0.1', '10.1.0.2', '10.1.0.3', undefined);
    const call = fc.record({
      what: fc.constantFrom('request', 'create', 'join', 'leave', 'delete', 'release', 'die'),
      id,
      address,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 40 }), async (calls) => {
        const it = await withNetwork();
        for (const one of calls) {
          const target = one.address ?? '10.1.0.1';
          const done: Promise<unknown> =
            one.what === 'request'
              ? it.driver.requestAddress({ pool: it.pool, address: one.address, gateway: false })
              : one.what === 'create'
                ? it.driver.createEndpoint({
                    network: 'n1',
                    endpoint: one.id,
                    address: `${target}/32`,
                    options: {},
                  })
                : one.what === 'join'
                  ? it.driver.join({ network: 'n1', endpoint: one.id, sandbox: `/${one.id}` })
                  : one.what === 'leave'
                    ? it.driver.leave('n1', one.id)
                    : one.what === 'delete'
                      ? it.driver.deleteEndpoint('n1', one.id)
                      : one.what === 'release'
                        ? it.driver.releaseAddress(it.pool, target)
                        : Promise.resolve(it.dead.add(one.id));
          await done.catch((error: Error & { code?: string }) =>
            assert.ok(error.code, `coded: ${error.stack}`),
          );
          const held = [...it.state.endpoints.all()].map((endpoint) => endpoint.address);
          assert.equal(new Set(held).size, held.length, `shared: ${held.join(' ')}`);
          for (const endpoint of it.state.endpoints.all()) {
            const allocation = it.driver.addresses.get(it.driver.pools.get(it.pool), endpoint.address ?? '');
            assert.equal(allocation?.endpoint, endpoint.id, 'an endpoint holds its address');
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
