import assert from 'node:assert/strict';
import { Janitor } from '../../../src/driver/janitor.ts';
import { CodedError } from '../../../src/errors.ts';
import type { DockerNetwork } from '../../../src/ports/docker.ts';
import { contents, endpoint, POOL, type World, withNetwork } from './world.ts';

const MINUTE = 60_000;

/** Docker with the network n1 and these endpoints; undefined: it does not answer. */
function janitorOf(it: World, endpoints: readonly string[] | undefined): Janitor {
  const networks = async (): Promise<DockerNetwork[]> => {
    if (!endpoints) throw new CodedError('NR_DOCKER_UNAVAILABLE', 'it does not answer');
    return [{ id: 'n1', name: 'n1', endpoints: endpoints.map((id) => ({ id, container: id, name: id })) }];
  };
  return new Janitor(it.context, it.driver.addresses, { networks, watch: () => () => {} });
}

const held = (it: World & { pool: string }) => it.driver.addresses.usage(it.driver.pools.get(it.pool)).held;

describe('the janitor', () => {
  it('frees, after five minutes, an address that was asked for twice and taken once', async () => {
    const it = await withNetwork();
    const ask = () => it.driver.requestAddress({ pool: it.pool, gateway: false });
    const [lost, taken] = [await ask(), await ask()];
    await it.driver.createEndpoint({ network: 'n1', endpoint: 'e1', address: taken.address, options: {} });
    const janitor = janitorOf(it, ['e1']);
    it.time.now += 5 * MINUTE;
    await janitor.sweep();
    assert.equal(held(it), 2n, 'not yet');
    it.time.now += 1;
    await janitor.sweep();
    assert.equal(held(it), 1n);
    assert.ok(it.state.endpoints.get('e1'));
    it.time.now += 2 * MINUTE;
    await janitor.sweep();
    const address = lost.address.replace('/32', '');
    assert.equal(it.state.allocations.get(`${it.pool}/${address}`), undefined, 'its rest is over');
    await assert.rejects(
      it.driver.createEndpoint({ network: 'n1', endpoint: 'e2', address: lost.address, options: {} }),
      { code: 'NR_ADDRESS_NOT_HELD' },
    );
    assert.deepEqual(await it.driver.requestAddress({ pool: it.pool, address, gateway: false }), lost);
  });

  it('frees it also while Docker does not answer, and removes nothing else then', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    await it.driver.requestPool({ ...POOL, pool: '10.2.0.0/16' });
    await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.3', gateway: false });
    it.dead.add('e1');
    it.time.now += 10 * MINUTE;
    await assert.rejects(() => janitorOf(it, undefined).sweep(), { code: 'NR_DOCKER_UNAVAILABLE' });
    assert.equal(held(it), 1n);
    assert.ok(it.state.endpoints.get('e1'));
    assert.equal([...it.state.pools.all()].length, 2);
  });

  it('frees, after a minute, a pool that was asked for twice and taken once, with all of its addresses', async () => {
    const it = await withNetwork();
    const { pool: _, ...automatic } = POOL;
    const [lost] = [await it.driver.requestPool(automatic), await it.driver.requestPool(automatic)];
    await it.driver.requestAddress({ pool: lost.id, gateway: false });
    const janitor = janitorOf(it, []);
    it.time.now += MINUTE;
    assert.deepEqual((await janitor.sweep()).pools, [], 'not yet');
    it.time.now += 1;
    assert.equal((await janitor.sweep()).pools.length, 2);
    assert.deepEqual(
      [...it.state.pools.all()].map(({ id }) => id),
      [it.pool],
    );
    assert.doesNotMatch(contents(it), /allocation/);
  });

  it('removes endpoints that Docker does not list once they are dead, and not before', async () => {
    const it = await withNetwork();
    for (const [id, address] of [
      ['listed', '10.1.0.2'],
      ['alive', '10.1.0.3'],
      ['gone', '10.1.0.4'],
    ] as const)
      await endpoint(it, id, address);
    for (const id of ['listed', 'gone']) it.dead.add(id);
    const janitor = janitorOf(it, ['listed']);
    it.time.now += MINUTE;
    assert.deepEqual((await janitor.sweep()).endpoints, [], 'it may be being made');
    it.time.now += 1;
    assert.deepEqual((await janitor.sweep()).endpoints, ['gone']);
    assert.equal(held(it), 2n);
    assert.ok(it.marked.includes('gone'), 'its path goes');
  });

  it('removes an endpoint that Docker has forgotten and whose sandbox never came, although it may count as alive', async () => {
    const it = await withNetwork();
    for (const [id, address] of [
      ['starting', '10.1.0.2'],
      ['forgotten', '10.1.0.3'],
    ] as const) {
      await endpoint(it, id, address);
      await it.driver.join({ network: 'n1', endpoint: id, sandbox: `/run/docker/netns/${id}` });
      it.absent.add(id);
    }
    const janitor = janitorOf(it, ['starting']);
    it.time.now += MINUTE;
    assert.deepEqual((await janitor.sweep()).endpoints, []);
    it.time.now += 1;
    assert.deepEqual((await janitor.sweep()).endpoints, ['forgotten']);
    assert.ok(it.marked.includes('forgotten'), 'its path goes');
    await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.3', gateway: false });
  });
});
