import assert from 'node:assert/strict';
import type { Endpoint } from '../../../src/model/endpoint.ts';
import { Liveness } from '../../../src/reconcile/liveness.ts';
import { endpoint, withNetwork } from './world.ts';

/** A driver whose endpoints live as they do in the daemon. */
async function world() {
  const time = { now: 1_000_000 };
  const liveness = new Liveness(
    () => true,
    () => 'this boot',
    { now: () => time.now, after: () => () => {} },
  );
  const it_ = await withNetwork({
    alive: (one: Endpoint) => liveness.alive(one),
    present: (one: Endpoint) => liveness.present(one),
    expect: (id) => liveness.expect(id),
    clock: { now: () => time.now, after: () => () => {} },
  });
  const ask = (address: string) => it_.driver.requestAddress({ pool: it_.pool, address, gateway: false });
  const join = (id: string) => it_.driver.join({ network: 'n1', endpoint: id, sandbox: `/s/${id}` });
  /** Another dockerd begins. */
  const begin = () => liveness.abandon(it_.state.endpoints.all());
  return { ...it_, time, ask, join, begin };
}

describe('an endpoint that dockerd was killed over', () => {
  it('has its address for itself while that dockerd may join it', async () => {
    const on = await world();
    await endpoint(on, 'e1', '10.1.0.2');
    await assert.rejects(on.ask('10.1.0.2'), { code: 'NR_ADDRESS_IN_USE' });
  });

  it('gives it to a container of the next dockerd that asks for it, once, and cannot be joined any more', async () => {
    const on = await world();
    await endpoint(on, 'e1', '10.1.0.2');
    on.begin();
    await on.ask('10.1.0.2');
    await on.driver.createEndpoint({ network: 'n1', endpoint: 'e2', address: '10.1.0.2/32', options: {} });
    await assert.rejects(on.join('e1'), { code: 'NR_ENDPOINT_UNKNOWN' });
    await on.join('e2');
    await assert.rejects(on.ask('10.1.0.2'), { code: 'NR_ADDRESS_IN_USE' });
    // What Docker still does for the old one harms the new one in nothing.
    await on.driver.deleteEndpoint('n1', 'e1');
    await on.driver.releaseAddress(on.pool, '10.1.0.2');
    await assert.rejects(on.ask('10.1.0.2'), { code: 'NR_ADDRESS_IN_USE' });
    assert.equal(on.state.endpoints.get('e2')?.phase, 'joined');
  });

  it('has its address for itself when it is joined all the same, and nobody asked before', async () => {
    const on = await world();
    await endpoint(on, 'e1', '10.1.0.2');
    on.begin();
    await on.join('e1');
    await assert.rejects(on.ask('10.1.0.2'), { code: 'NR_ADDRESS_IN_USE' });
  });

  it('is never chosen from by itself', async () => {
    const on = await world();
    await endpoint(on, 'e1', '10.1.0.2');
    on.begin();
    for (let i = 0; i < 20; i++) {
      const { address } = await on.driver.requestAddress({ pool: on.pool, gateway: false });
      assert.notEqual(address, '10.1.0.2/32');
    }
  });

  it('is not one that the next dockerd makes', async () => {
    const on = await world();
    on.begin();
    await endpoint(on, 'e1', '10.1.0.2');
    await assert.rejects(on.ask('10.1.0.2'), { code: 'NR_ADDRESS_IN_USE' });
  });
});
