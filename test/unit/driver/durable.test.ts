import assert from 'node:assert/strict';
import { contents, POOL, type World, world } from './world.ts';

const POOL_ID = 'default:10.1.0.0/16';
const ENDPOINT = { network: 'n1', endpoint: 'e1', address: '10.1.0.2/32', options: {} };
const JOIN = { network: 'n1', endpoint: 'e1', sandbox: '/s' };
const PORT = { protocol: 6, port: 80, hostAddress: '', hostPort: 8080, hostPortEnd: 8080 };
const NETWORK = {
  network: 'n1',
  options: {},
  internal: false,
  ipv4: [{ addressSpace: 'net-routed', pool: '10.1.0.0/16', auxAddresses: {} }],
  ipv6: [],
};

/** A container's way through the driver. Each is called twice in one turn, when what is before it has been done. */
const STEPS: [string, (on: World) => Promise<unknown>][] = [
  ['RequestPool', ({ driver }) => driver.requestPool(POOL)],
  [
    'RequestAddress of the gateway',
    (on) => on.driver.requestAddress({ pool: POOL_ID, address: '10.1.0.1', gateway: true }),
  ],
  ['CreateNetwork', ({ driver }) => driver.createNetwork(NETWORK)],
  [
    'RequestAddress',
    (on) => on.driver.requestAddress({ pool: POOL_ID, address: '10.1.0.2', gateway: false }),
  ],
  ['CreateEndpoint', ({ driver }) => driver.createEndpoint(ENDPOINT)],
  ['Join', ({ driver }) => driver.join(JOIN)],
  ['ProgramExternalConnectivity', ({ driver }) => driver.publish('n1', 'e1', [PORT])],
  ['RevokeExternalConnectivity', ({ driver }) => driver.unpublish('n1', 'e1')],
  ['Leave', ({ driver }) => driver.leave('n1', 'e1')],
  ['DeleteEndpoint', ({ driver }) => driver.deleteEndpoint('n1', 'e1')],
  ['ReleaseAddress', ({ driver }) => driver.releaseAddress(POOL_ID, '10.1.0.2')],
  ['DeleteNetwork', ({ driver }) => driver.deleteNetwork('n1')],
  ['ReleasePool', ({ driver }) => driver.releasePool(POOL_ID)],
];

describe('a call that is repeated before it is on disk', () => {
  for (const [index, [what, call]] of STEPS.entries()) {
    it(`is not acknowledged when the disk refuses: ${what}`, async () => {
      const on = world();
      for (const [, step] of STEPS.slice(0, index)) await step(on);
      on.store.flush(); // with the start of the host, which is not what is to fail
      const before = contents(on);
      on.store.failNextCommit();
      const both = await Promise.allSettled([call(on), call(on)]);
      assert.deepEqual(
        both.map((one) => (one.status === 'rejected' ? one.reason.code : one.status)),
        ['NR_STORE_FAILED', 'NR_STORE_FAILED'],
      );
      assert.equal(contents(on), before);
      assert.deepEqual(
        (await Promise.allSettled([call(on), call(on)])).map(({ status }) => status),
        ['fulfilled', 'fulfilled'],
      );
    });
  }

  it('is not acknowledged when the disk refuses: ReleaseAddress of a pool that goes', async () => {
    const on = world();
    for (const [, step] of STEPS.slice(0, 4)) await step(on);
    on.store.failNextCommit();
    const both = [on.driver.releasePool(POOL_ID), on.driver.releaseAddress(POOL_ID, '10.1.0.2')];
    assert.deepEqual(
      (await Promise.allSettled(both)).map(({ status }) => status),
      ['rejected', 'rejected'],
    );
  });
});
