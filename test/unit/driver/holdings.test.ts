import assert from 'node:assert/strict';
import { memberChange } from '../../../src/cluster/protocol/members.ts';
import { Drivers } from './hosts.ts';
import { type World, withNetwork } from './world.ts';

const OTHER = 'ab'.repeat(16);

describe('what all hosts hold', () => {
  let sequence = 0;
  beforeEach(() => {
    sequence = 0;
  });

  /** A network of a cluster in which there is another host. */
  async function withOther() {
    const it = await withNetwork();
    const other = { id: OTHER, number: 2, complete: true, key: 'k', name: 'other' };
    await it.store.commit([memberChange(other)]);
    return it;
  }

  /** Another host's writes of its allocations arrive. */
  function arrive(it: World, space: string, values: readonly number[], use: string | undefined): void {
    const from = sequence;
    const records = values.map((value) => ({
      key: `allocation/${OTHER}/${space}/${value}`,
      class: 'owned' as const,
      text: use === undefined ? undefined : JSON.stringify({ pool: 'p', address: 'a', use, since: 1 }),
      origin: OTHER,
      sequence: ++sequence,
      rank: sequence,
    }));
    it.store.merge([{ origin: OTHER, from, to: sequence, records }]);
    it.store.flush();
  }

  const numbers = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);

  it('is counted from very many records, and from what arrives while they are counted', async () => {
    const it = await withOther();
    const pool = it.driver.pools.get(it.pool);
    await it.driver.requestAddress({ pool: it.pool, gateway: false });
    arrive(it, pool.space, numbers(1000, 6000), 'held');
    arrive(it, pool.space, numbers(8000, 10), 'resting');
    const asked = it.driver.holdings.usage(pool);
    // Before the place where it is, and behind it.
    arrive(it, pool.space, numbers(1000, 3), undefined);
    arrive(it, pool.space, numbers(6997, 3), undefined);
    arrive(it, pool.space, numbers(100, 2), 'endpoint');
    arrive(it, pool.space, numbers(9999, 2), 'endpoint');
    await asked;
    const { held, here, resting, free, size } = await it.driver.holdings.usage(pool);
    assert.deepEqual([held, here, resting, size - free], [6000n - 6n + 4n + 1n, 1n, 10n, 5999n + 10n + 2n]);
  });

  it('is nothing of a host that is gone', async () => {
    const it = await withOther();
    const pool = it.driver.pools.get(it.pool);
    arrive(it, pool.space, [1, 2, 3], 'held');
    assert.equal((await it.driver.holdings.usage(pool)).held, 3n);
    const gone = { seal: 3, how: 'forgotten', by: it.store.origin };
    await it.store.commit([{ key: `gone/${OTHER}`, value: gone }]);
    assert.equal((await it.driver.holdings.usage(pool)).held, 0n);
  });

  it('tells how many addresses are left to give of a host that cannot ask for more', async () => {
    const on = new Drivers(2);
    const pool = await on.network(1, '10.1.0.0/24');
    await on.network(2, '10.1.0.0/24');
    const usage = (host: number) => on.say(host, ({ holdings, pools }) => holdings.usage(pools.get(pool)));
    const shares = (host: number) => on.say(host, ({ holdings, pools }) => holdings.shares(pools.get(pool)));
    const first = await usage(1);
    assert.deepEqual([first.spare, first.part], [undefined, 4], 'it decides on the pool');
    const [treasury, other] = await shares(1);
    assert.deepEqual(
      [treasury?.owned, other?.owned],
      [first.owned, (await usage(2)).owned],
      'as each says itself',
    );
    assert.equal(treasury!.owned + treasury!.rest + other!.owned, 256n);
    assert.equal(other!.rest, 0n);
    await on.address(2, pool);
    const spare = async () => (await usage(2)).spare!;
    assert.ok((await spare()) >= 2);
    on.hosts.at(0).deaf = true;
    for (let left = await spare(); left > 0; left--) {
      assert.equal(await spare(), left);
      await on.address(2, pool);
    }
    assert.equal(await spare(), 0);
    const refused = await on.refused(2, (driver) => driver.requestAddress({ pool, gateway: false }));
    assert.match(
      refused,
      /^NR_MEMBER_UNREACHABLE: pool 10\.1\.0\.0\/24 has no free address left on this host/,
    );
    assert.ok((await usage(2)).free > 200n);
  });

  it('leaves no tombstones behind, however many containers come and go', async () => {
    const it = await withNetwork();
    const size = () => {
      it.cluster.collector.collect();
      it.store.flush();
      return it.store.disk.size;
    };
    const before = size();
    for (let cycle = 0; cycle < 10_000; cycle++) {
      const { address } = await it.driver.requestAddress({ pool: it.pool, gateway: false });
      await it.driver.createEndpoint({ network: 'n1', endpoint: `e${cycle}`, address, options: {} });
      await it.driver.deleteEndpoint('n1', `e${cycle}`);
      await it.driver.releaseAddress(it.pool, address.replace('/32', ''));
      it.time.now += 100;
      if (cycle % 1000 < 999) continue;
      await it.store.commit(it.driver.addresses.expired(300_000));
      assert.ok(size() < 2000, `${it.store.disk.size} records after ${cycle} cycles`);
    }
    it.time.now += 100_000;
    await it.store.commit(it.driver.addresses.expired(300_000));
    assert.ok(size() < before + 200, `${it.store.disk.size} records, and ${before} at first`);
    await it.driver.releasePool(it.pool);
    assert.equal(size(), 3, 'the member, its start, and the clock');
  });
});
