import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Driver } from '../../../src/driver/driver.ts';
import { addressesOf } from '../../../src/model/endpoint.ts';
import { endpoint, withNetwork } from './world.ts';

/** A network beside n1, whose subnet holds aliases that n1's endpoints may have. */
const SUBNET = '10.9.0.0/29';
const POOL = { pool: SUBNET, options: {}, v6: false };
const NETWORK = {
  network: 'n2',
  options: {},
  internal: false,
  ipv4: [{ addressSpace: 'net-routed', pool: SUBNET, auxAddresses: {} }],
  ipv6: [],
};

describe('an alias outside of every pool', () => {
  it('is not given again by a pool that comes later', async () => {
    const on = await withNetwork();
    await endpoint(on, 'e1', '10.1.0.2', { 'ip-aliases': '10.9.0.1,192.0.2.1' });
    const { id } = await on.driver.requestPool(POOL);
    const pool = on.driver.pools.get(id);
    assert.equal(on.driver.addresses.get(pool, '10.9.0.1')?.endpoint, 'e1');
    const ask = (address?: string) => on.driver.requestAddress({ pool: id, address, gateway: false });
    assert.equal((await ask()).address, '10.9.0.2/32');
    await assert.rejects(ask('10.9.0.1'), { code: 'NR_ADDRESS_IN_USE' });
    await on.driver.deleteEndpoint('n1', 'e1');
    await ask('10.9.0.1');
  });

  it('is claimed at the next start when the host was stopped between the two', async () => {
    const on = await withNetwork();
    await endpoint(on, 'e1', '10.1.0.2', { 'ip-aliases': '10.9.0.1' });
    const { id } = await on.driver.requestPool(POOL);
    const pool = on.driver.pools.get(id);
    const place = [...on.state.allocations.entries()].find(([, { address }]) => address === '10.9.0.1')![0];
    await on.store.commit([{ key: on.state.allocations.key(place) }]);
    const { addresses } = new Driver(on.context);
    for (let turn = 0; turn < 5; turn++) await on.store.commit([]);
    assert.equal(addresses.get(pool, '10.9.0.1')?.endpoint, 'e1');
  });

  it('is durable before the pool is given', async () => {
    for (let turns = 0; turns < 4; turns++) {
      const on = await withNetwork();
      await endpoint(on, 'e1', '10.1.0.2', { 'ip-aliases': '10.9.0.1' });
      const asked = on.driver.requestPool(POOL).then(
        () => 'given',
        ({ code }) => code,
      );
      for (let turn = 0; turn < turns; turn++) await on.store.commit([]);
      on.store.failNextCommit();
      assert.equal(await asked, 'NR_STORE_FAILED', `after ${turns} turns`);
      const { id } = await on.driver.requestPool(POOL);
      assert.equal(on.driver.addresses.get(on.driver.pools.get(id), '10.9.0.1')?.endpoint, 'e1');
    }
  });

  it('is free when its endpoint goes while it is claimed', async () => {
    const on = await withNetwork();
    await endpoint(on, 'e1', '10.1.0.2', { 'ip-aliases': '10.9.0.1' });
    const asked = on.driver.requestPool(POOL);
    await on.store.commit([]);
    await on.driver.deleteEndpoint('n1', 'e1');
    const { id } = await asked;
    assert.equal(on.driver.addresses.get(on.driver.pools.get(id), '10.9.0.1'), undefined);
    await on.driver.requestAddress({ pool: id, address: '10.9.0.1', gateway: false });
  });

  it('of one that has ended goes to who asks for it, and does not come back', async () => {
    const on = await withNetwork();
    await endpoint(on, 'e1', '10.1.0.2', { 'ip-aliases': '192.0.2.1' });
    on.dead.add('e1');
    await endpoint(on, 'e2', '10.1.0.3', { 'ip-aliases': '192.0.2.1' });
    await assert.rejects(on.driver.join({ network: 'n1', endpoint: 'e1', sandbox: '/e1' }), {
      code: 'NR_ENDPOINT_UNKNOWN',
    });
  });
});

describe('several addresses of an endpoint that has ended', () => {
  it('are held by the one that takes them over', async () => {
    const on = await withNetwork();
    await endpoint(on, 'e1', '10.1.0.2', { 'ip-aliases': '10.1.0.3,10.1.0.4' });
    on.dead.add('e1');
    await endpoint(on, 'e2', '10.1.0.5', { 'ip-aliases': '10.1.0.3,10.1.0.4' });
    for (const address of ['10.1.0.3', '10.1.0.4', '10.1.0.5'])
      assert.equal(on.driver.addresses.get(on.driver.pools.get(on.pool), address)?.endpoint, 'e2', address);
  });
});

describe('an address', () => {
  const id = fc.constantFrom('a', 'b');
  const address = fc.constantFrom('10.9.0.1', '10.9.0.2');
  const call = fc.record({
    what: fc.constantFrom(
      ...(['pool', 'network', 'no pool', 'no network', 'ask', 'choose', 'alias', 'create'] as const),
      ...(['join', 'leave', 'delete', 'release', 'die'] as const),
    ),
    id,
    address,
    other: address,
  });
  type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

  /** Makes calls, those of one array in one moment, and looks after each array who has what. */
  async function play(moments: readonly (readonly Call[])[]): Promise<void> {
    const on = await withNetwork();
    const { driver } = on;
    const pool = `default:${SUBNET}`;
    /** What RequestAddress has given in n2 last. */
    let given = '10.9.0.1/32';
    const made = (endpoint: string, network: string, address: string, aliases: string) =>
      driver.createEndpoint({ network, endpoint, address, options: { 'ip-aliases': aliases } });
    const make = async ({ what, id, address, other }: Call) => {
      const ask = async (address?: string) => {
        given = (await driver.requestAddress({ pool, address, gateway: false })).address;
      };
      /** An endpoint of n1, by its id one of three addresses there. */
      const alias = async () => {
        const own = `10.1.0.${id.charCodeAt(0)}`;
        await driver.requestAddress({ pool: on.pool, address: own, gateway: false });
        await made(id, 'n1', `${own}/32`, `${address},${other}`);
      };
      const networkOf = on.state.endpoints.get(id)?.network ?? 'n1';
      const does = {
        pool: () => driver.requestPool(POOL),
        network: () => driver.createNetwork(NETWORK),
        'no pool': () => driver.releasePool(pool),
        'no network': () => driver.deleteNetwork('n2'),
        ask: () => ask(address),
        choose: () => ask(),
        alias,
        create: () => made(id, 'n2', given, other),
        join: () => driver.join({ network: networkOf, endpoint: id, sandbox: `/${id}` }),
        leave: () => driver.leave(networkOf, id),
        delete: () => driver.deleteEndpoint(networkOf, id),
        release: () => driver.releaseAddress(pool, address),
        die: async () => on.dead.add(id),
      };
      await does[what]().catch((error: Error & { code?: string }) =>
        assert.ok(error.code?.startsWith('NR_'), `coded: ${error.stack}`),
      );
    };
    for (const calls of moments) {
      await Promise.all(calls.map(make));
      const living = [...on.state.endpoints.all()].filter((one) => on.context.alive(one));
      const held = living.flatMap((one) => [...new Set(addressesOf(one))]);
      assert.equal(new Set(held).size, held.length, `shared: ${held.join(' ')}`);
      for (const { network } of living) assert.ok(on.state.networks.get(network), 'it has a network');
      const standing = on.state.pools.get(pool);
      if (!standing) continue;
      for (const one of living)
        for (const address of addressesOf(one).filter((text) => text.startsWith('10.9.0.')))
          assert.equal(driver.addresses.get(standing, address)?.endpoint, one.id, address);
    }
  }

  it('has one living holder, whatever is called in whatever order', async () => {
    const calls = fc.array(call, { maxLength: 60, size: 'max' });
    const property = fc.asyncProperty(calls, (order) => play(order.map((one) => [one])));
    await fc.assert(property, { numRuns: 500 });
  });

  it('has one living holder, whatever is called in one moment', async () => {
    const moment = fc.array(call, { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(fc.array(moment, { maxLength: 30, size: 'max' }), play);
    await fc.assert(property, { numRuns: 500 });
  });
});
