import assert from 'node:assert/strict';
import type { CreateNetwork } from '../../../src/driver/calls.ts';
import { contents, endpoint, POOL, world } from './world.ts';

const SPACE = 'net-routed';

function network(id: string, change: Partial<CreateNetwork> = {}): CreateNetwork {
  const ipv4 = [{ addressSpace: SPACE, pool: '10.1.0.0/16', auxAddresses: {} }];
  return { network: id, options: {}, internal: false, ipv4, ipv6: [], ...change };
}

/** Two `docker network create` with one subnet, both with their pool before either has its network: the first gets it. */
async function both(first = network('n1')) {
  const on = world();
  const { id: pool } = await on.driver.requestPool(POOL);
  assert.equal((await on.driver.requestPool(POOL)).id, pool);
  await on.driver.createNetwork(first);
  return { ...on, pool };
}

describe('a network that is refused the subnet of another', () => {
  it('does not take it away when Docker gives back what it had asked for', async () => {
    const on = await both();
    const before = contents(on);
    await assert.rejects(on.driver.createNetwork(network('n2')), { code: 'NR_POOL_OVERLAP' });
    await on.driver.releasePool(on.pool);
    assert.equal(contents(on), before);
    await endpoint(on, 'e1', '10.1.0.2');
    await on.driver.deleteEndpoint('n1', 'e1');
    await on.driver.releasePool(on.pool);
    assert.equal(contents(on), '[]', 'the release of the owner, which came before DeleteNetwork');
    await on.driver.deleteNetwork('n1');
  });

  it('is owed one release, however often its creation was repeated', async () => {
    const on = await both();
    for (const _ of [1, 2]) await assert.rejects(on.driver.createNetwork(network('n2')));
    await on.driver.releasePool(on.pool);
    assert.ok(on.state.networks.get('n1'));
    await on.driver.releasePool(on.pool);
    assert.equal(contents(on), '[]');
  });

  it('is owed one for each that was refused', async () => {
    const on = await both();
    for (const id of ['n2', 'n3']) await assert.rejects(on.driver.createNetwork(network(id)));
    for (const _ of [1, 2]) await on.driver.releasePool(on.pool);
    assert.ok(on.state.networks.get('n1'));
  });

  it('does not take it away for another reason of refusal either', async () => {
    const refusals: [string, (on: Awaited<ReturnType<typeof both>>) => Promise<unknown>][] = [
      ['NR_OPTION_UNKNOWN', ({ driver }) => driver.createNetwork(network('n2', { options: { x: 'y' } }))],
      [
        'NR_OPTION_CONFLICT',
        (on) => on.driver.requestAddress({ pool: on.pool, address: '10.1.0.9', gateway: true }),
      ],
      [
        'NR_ADDRESS_RESERVED',
        (on) => on.driver.requestAddress({ pool: on.pool, address: '10.1.0.7', gateway: false }),
      ],
    ];
    const auxAddresses = { one: '10.1.0.7/32' };
    for (const [code, refused] of refusals) {
      const on = await both(
        network('n1', { ipv4: [{ addressSpace: SPACE, pool: '10.1.0.0/16', auxAddresses }] }),
      );
      const before = contents(on);
      await assert.rejects(refused(on), { code });
      await on.driver.releasePool(on.pool);
      assert.equal(contents(on), before, code);
    }
  });

  it('does not free what the other has set apart', async () => {
    const auxAddresses = { one: '10.1.0.7/32' };
    const ipv4 = [{ addressSpace: SPACE, pool: '10.1.0.0/16', gateway: '10.1.0.1/32', auxAddresses }];
    const on = world();
    const { id: pool } = await on.driver.requestPool(POOL);
    for (const _ of [1, 2]) {
      await on.driver.requestAddress({ pool, address: '10.1.0.1', gateway: true });
      await on.driver.requestAddress({ pool, address: '10.1.0.7', gateway: false });
    }
    await on.driver.createNetwork(network('n1', { ipv4 }));
    const before = contents(on);
    await assert.rejects(on.driver.createNetwork(network('n2', { ipv4 })), { code: 'NR_POOL_OVERLAP' });
    for (const address of ['10.1.0.1', '10.1.0.7']) await on.driver.releaseAddress(pool, address);
    await on.driver.releasePool(pool);
    assert.equal(contents(on), before);
  });

  it('leaves nothing when Docker did not give it back, and the owner goes', async () => {
    const on = await both();
    await assert.rejects(on.driver.createNetwork(network('n2')));
    await on.driver.releasePool(on.pool);
    assert.ok(on.state.pools.get(on.pool));
    await on.driver.deleteNetwork('n1');
    assert.equal(contents(on), '[]', 'that release was the owner’s');
  });

  it('is owed nothing after a minute', async () => {
    const on = await both();
    await assert.rejects(on.driver.createNetwork(network('n2')));
    on.time.now += 60_000;
    await on.driver.releasePool(on.pool);
    assert.equal(contents(on), '[]');
  });

  it('is owed nothing of what a later owner has', async () => {
    const on = await both();
    await assert.rejects(on.driver.createNetwork(network('n2')));
    await assert.rejects(on.driver.createNetwork(network('n3')));
    await on.driver.releasePool(on.pool);
    await on.driver.deleteNetwork('n1');
    await on.driver.requestPool(POOL);
    await on.driver.createNetwork(network('n4'));
    await on.driver.releasePool(on.pool);
    assert.equal(contents(on), '[]');
  });
});

describe('a network whose creation is repeated', () => {
  it('goes with its one release', async () => {
    const on = await both();
    await on.driver.createNetwork(network('n1'));
    await assert.rejects(on.driver.createNetwork(network('n1', { internal: true })), {
      code: 'NR_NETWORK_EXISTS',
    });
    await on.driver.releasePool(on.pool);
    assert.equal(contents(on), '[]');
  });
});
