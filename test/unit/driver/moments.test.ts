import assert from 'node:assert/strict';
import type { CreateNetwork } from '../../../src/driver/calls.ts';
import { contents, endpoint, POOL, type World, withNetwork, world } from './world.ts';

const POOL_ID = 'default:10.1.0.0/16';
const OTHER = '10.9.0.0/24';

function network(id: string, gateway?: string): CreateNetwork {
  const ipv4 = [{ addressSpace: 'net-routed', pool: POOL.pool, auxAddresses: {} }];
  return { network: id, options: gateway ? { gateway } : {}, internal: false, ipv4, ipv6: [] };
}

/** The codes of the calls that are refused, and `done` for the others. */
async function codes(...calls: readonly Promise<unknown>[]): Promise<string[]> {
  const ended = await Promise.allSettled(calls);
  return ended.map((one) => (one.status === 'fulfilled' ? 'done' : one.reason.code));
}

// Whoever has to get an address from its chunk's owner waits meanwhile, also for itself.
describe('calls in one moment', () => {
  for (const gateways of [[], ['10.1.0.7', '10.1.0.7'], ['10.1.0.7', '10.1.0.8']])
    it(`that make two networks of one pool make one, with the gateways ${gateways}`, async () => {
      const on = world();
      const { id } = await on.driver.requestPool(POOL);
      const create = (name: string, gateway?: string) => on.driver.createNetwork(network(name, gateway));
      const ended = await codes(create('n1', gateways[0]), create('n2', gateways[1]));
      assert.equal(ended.filter((one) => one === 'done').length, 1, ended.join());
      assert.ok(ended.includes('NR_POOL_OVERLAP') || ended.includes('NR_ADDRESS_IN_USE'), ended.join());
      const [made, ...more] = on.state.networks.all();
      assert.ok(made && more.length === 0);
      assert.equal(on.driver.pools.get(id).gatewayGiven, gateways.length > 0);
      // Docker gives the pool back for the one that was refused.
      const before = contents(on);
      await on.driver.releasePool(id);
      assert.equal(contents(on), before);
    });

  it('that make one network make it, and have one answer', async () => {
    const on = world();
    await on.driver.requestPool(POOL);
    const create = () => on.driver.createNetwork(network('n1', '10.1.0.7'));
    assert.deepEqual(await codes(create(), create()), ['done', 'done']);
  });

  it('that give a pool back and ask for it leave one to work with', async () => {
    const on = world();
    const { id } = await on.driver.requestPool(POOL);
    const [again] = await Promise.all([on.driver.requestPool(POOL), on.driver.releasePool(id)]);
    assert.equal(again.id, id);
    await on.driver.requestAddress({ pool: id, gateway: false });
    await on.driver.createNetwork(network('n1'));
  });

  it('that make a network of a pool and ask for its pool again refuse that', async () => {
    const on = world();
    const { id } = await on.driver.requestPool(POOL);
    const again = on.driver.requestPool({ ...POOL, subPool: '10.1.2.0/24' });
    assert.deepEqual(await codes(again, on.driver.createNetwork(network('n1'))), ['NR_POOL_OVERLAP', 'done']);
    assert.equal(on.state.poolUses.get(id)?.range, undefined);
  });

  it('that make a network of a pool and name another gateway for it refuse that', async () => {
    const on = world();
    const { id: pool } = await on.driver.requestPool(POOL);
    const before = on.driver.pools.get(pool);
    const ended = await codes(
      on.driver.requestAddress({ pool, address: '10.1.0.7', gateway: true }),
      on.driver.createNetwork(network('n1')),
    );
    assert.deepEqual(ended, ['NR_OPTION_CONFLICT', 'done']);
    assert.deepEqual(on.driver.pools.get(pool), before);
  });

  it('that wait for an address of a pool that is removed and made again have none of the new one', async () => {
    const calls: Record<string, (on: World) => Promise<unknown>> = {
      'an address': ({ driver }) => driver.requestAddress({ pool: POOL_ID, gateway: false }),
      'one that is named': ({ driver }) =>
        driver.requestAddress({ pool: POOL_ID, address: '10.1.9.9', gateway: false }),
      'a gateway': ({ driver }) =>
        driver.requestAddress({ pool: POOL_ID, address: '10.1.9.9', gateway: true }),
      'a network without a gateway': ({ driver }) => driver.createNetwork(network('n1')),
      'a network': ({ driver }) => driver.createNetwork(network('n1', '10.1.9.9')),
    };
    for (const [what, call] of Object.entries(calls))
      for (let turns = 0; turns < 6; turns++) {
        const on = world();
        await on.driver.requestPool(POOL);
        const asked = codes(call(on));
        for (let turn = 0; turn < turns; turn++) await on.store.commit([]);
        await Promise.all([on.driver.releasePool(POOL_ID), on.driver.requestPool(POOL)]);
        await asked;
        assert.deepEqual([...on.state.allocations.all()], [], `${what}, after ${turns} turns`);
        assert.deepEqual([...on.state.networks.all()], []);
        const { space } = on.state.pools.get(POOL_ID)!;
        assert.ok(on.store.get(`space/${space}`), 'the pool has its own space');
      }
  });

  it('do not give one alias to two endpoints', async () => {
    for (const order of [
      ['10.1.0.90,192.0.2.1', '192.0.2.1'],
      ['10.1.0.90,192.0.2.1', '192.0.2.1,10.1.0.91'],
      ['10.1.0.90', '10.1.0.90'],
    ]) {
      const on = await withNetwork();
      const ended = await codes(
        ...order.map((aliases, at) => endpoint(on, `e${at}`, `10.1.0.${at + 2}`, { 'ip-aliases': aliases })),
      );
      assert.deepEqual(ended.toSorted(), ['NR_ADDRESS_IN_USE', 'done'], order.join(' and '));
      // What the refused one had got is free again.
      const free = order[ended.indexOf('done') === 0 ? 1 : 0]!.includes('91') ? '10.1.0.91' : '10.1.0.92';
      await on.driver.requestAddress({ pool: on.pool, address: free, gateway: false });
    }
  });

  it('that make an endpoint and delete its network leave neither without the other', async () => {
    const on = await withNetwork();
    await on.driver.requestAddress({ pool: on.pool, address: '10.1.0.2', gateway: false });
    const create = { network: 'n1', endpoint: 'e1', address: '10.1.0.2/32' };
    const ended = await codes(
      on.driver.createEndpoint({ ...create, options: { 'ip-aliases': '10.1.0.90' } }),
      on.driver.deleteNetwork('n1'),
    );
    assert.deepEqual(ended, ['NR_NETWORK_UNKNOWN', 'done']);
    assert.deepEqual([...on.state.endpoints.all()], []);
    const pool = on.driver.pools.get(on.pool);
    assert.notEqual(on.driver.addresses.get(pool, '10.1.0.90')?.use, 'held');
  });

  it('that make a pool and an endpoint with an alias of it give the alias to nobody else', async () => {
    for (const aliases of ['10.9.0.1', '10.1.0.90,10.9.0.1']) {
      const on = await withNetwork();
      await on.driver.requestAddress({ pool: on.pool, address: '10.1.0.2', gateway: false });
      const create = { network: 'n1', endpoint: 'e1', address: '10.1.0.2/32' };
      const [, made] = await Promise.all([
        on.driver.createEndpoint({ ...create, options: { 'ip-aliases': aliases } }),
        on.driver.requestPool({ pool: OTHER, options: {}, v6: false }),
      ]);
      assert.equal(
        on.driver.addresses.get(on.driver.pools.get(made.id), '10.9.0.1')?.endpoint,
        'e1',
        aliases,
      );
    }
  });
});

describe('an address that a network sets apart', () => {
  it('is not one that a living endpoint has, and may be one of an endpoint that has ended', async () => {
    const on = world();
    const pools = [POOL.pool, OTHER];
    for (const pool of pools) await on.driver.requestPool({ pool, options: {}, v6: false });
    const ipv4 = (pool: string, auxAddresses: Record<string, string>) => [
      { addressSpace: 'net-routed', pool, auxAddresses },
    ];
    const id = 'default:10.9.0.0/24';
    await on.driver.createNetwork(network('n1'));
    await endpoint({ ...on, pool: POOL_ID }, 'e1', '10.1.0.2', { 'ip-aliases': '10.9.0.3' });
    const other = { ...network('n2'), ipv4: ipv4(OTHER, { one: '10.9.0.3/32' }) };
    await assert.rejects(on.driver.createNetwork(other), { code: 'NR_ADDRESS_IN_USE' });
    on.dead.add('e1');
    await on.driver.createNetwork(other);
    assert.equal(on.state.endpoints.get('e1'), undefined, 'else it would be joined again');
    const { use, endpoint: holder } = on.driver.addresses.get(on.driver.pools.get(id), '10.9.0.3')!;
    assert.deepEqual([use, holder], ['auxiliary', undefined]);
  });
});
