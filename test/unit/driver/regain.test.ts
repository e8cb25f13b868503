import assert from 'node:assert/strict';
import { keptOf } from '../../../src/driver/kept.ts';
import { Drivers } from './hosts.ts';

const NET = '10.1.0.0/24';
/** Addresses that host 3 has asked for itself. */
const [MINE, TAKEN, ALIAS] = ['10.1.0.200', '10.1.0.201', '10.1.0.202'];

describe('a host that comes back after it was forgotten', () => {
  let on: Drivers;
  let pool: string;

  beforeEach(async () => {
    on = new Drivers(4);
    pool = await on.network(1, NET);
    for (const host of [2, 3]) await on.network(host, NET);
    for (const [id, address] of [
      ['mine', MINE],
      ['taken', TAKEN],
    ] as const)
      await on.endpoint(
        3,
        id,
        await on.address(3, pool, address),
        id === 'mine' ? { 'ip-aliases': ALIAS } : {},
      );
  });

  const id = (host: number) => on.store(host).origin;

  /** Host 1 forgets 3, which comes back as 4: as far as its records are concerned. */
  async function forget(): Promise<void> {
    on.hosts.at(2).deaf = true;
    const victims = [id(3)];
    const { forgetting } = on.hosts.at(0).cluster;
    const forgotten = new Promise<void>((resolve, reject) =>
      forgetting.forget(victims, false, (error) => (error ? reject(error) : resolve())),
    );
    on.hosts.gossip();
    await on.hosts.until(forgotten);
    on.hosts.gossip();
    await on.hosts.until(
      on.store(4).commit(
        keptOf(on.state(3)).map(({ namespace, id: name, value }) => ({
          key: `${namespace}/${id(4)}/${name}`,
          value,
        })),
      ),
    );
    on.hosts.gossip();
  }

  /** It asks again, when it is sure. */
  async function later(): Promise<void> {
    on.hosts.pass(3000);
    await on.regain(4);
  }

  const endpoint = (name: string) => on.state(4).endpoints.get(name);
  const holders = (address: string) =>
    [1, 2, 4].filter((host) =>
      [...on.state(host).allocations.all()].some((one) => one.address === address && one.use === 'endpoint'),
    );

  it('has no address of its containers until they were given again', async () => {
    await forget();
    assert.deepEqual(endpoint('mine')?.unconfirmed, [MINE, ALIAS]);
    assert.deepEqual([...on.state(4).allocations.all()], []);
    assert.deepEqual([...on.state(4).networks.all()], [...on.state(3).networks.all()]);
    assert.equal(on.state(4).poolUses.get(pool)?.pool, pool);
  });

  it('is given again what nobody else was, and loses what somebody was', async () => {
    await forget();
    on.hosts.pass(3000); // the owner takes back what it had lent
    await on.endpoint(2, 'other', await on.address(2, pool, TAKEN));
    await on.regain(4);
    assert.deepEqual(endpoint('taken')?.unconfirmed, [TAKEN], 'it may be a mistake');
    await later();
    assert.equal(endpoint('mine')?.unconfirmed, undefined);
    assert.equal(endpoint('mine')?.lost, undefined);
    assert.deepEqual(endpoint('taken')?.lost, [{ address: TAKEN, why: `${TAKEN} is in use on host h2` }]);
    assert.deepEqual([holders(MINE), holders(ALIAS), holders(TAKEN)], [[4], [4], [2]]);
    assert.match(await on.address(2, pool, MINE).catch(String), /NR_ADDRESS_IN_USE: 10\.1\.0\.200 is in use/);
    assert.match(await on.address(1, pool, MINE).catch(String), /NR_ADDRESS_IN_USE/);
    // Docker gives both back: one of them only is this host's to give.
    for (const [name, address] of [
      ['mine', MINE],
      ['taken', TAKEN],
    ] as const) {
      on.die(4, name);
      await on.say(4, (driver) => driver.deleteEndpoint('n3', name));
      await on.say(4, (driver) => driver.releaseAddress(pool, address));
    }
    on.hosts.gossip();
    on.hosts.pass(3000);
    on.hosts.gossip();
    assert.deepEqual([holders(MINE), holders(TAKEN)], [[], [2]]);
    assert.equal(await on.address(1, pool, MINE), MINE);
  });

  it('gets it also if it was killed after the owner had given it, or did not hear the answer', async () => {
    await forget();
    let lost = 0;
    // Nor does the owner find out by itself that nobody knows of what it has lent.
    on.hosts.loses = (method) => method === 'audit';
    on.hosts.answers = (method) => method !== 'claim' || ++lost > 3;
    await on.regain(4);
    assert.equal(lost, 3, 'all answers are lost');
    assert.deepEqual(endpoint('mine')?.unconfirmed, [MINE, ALIAS]);
    await on.regain(4);
    assert.equal(endpoint('mine')?.unconfirmed, undefined);
    assert.deepEqual([endpoint('taken')?.lost, holders(TAKEN)], [undefined, [4]]);
  });

  it('asks again as long as the owner cannot be reached', async () => {
    await forget();
    on.hosts.at(0).deaf = true;
    await on.regain(4);
    assert.deepEqual([endpoint('mine')?.unconfirmed, endpoint('mine')?.lost], [[MINE, ALIAS], undefined]);
    on.hosts.at(0).deaf = false;
    await on.regain(4);
    assert.equal(endpoint('mine')?.unconfirmed, undefined);
  });

  it('asks for nothing that Docker has removed meanwhile, or whose sandbox is gone', async () => {
    await forget();
    on.die(4, 'mine');
    await on.say(4, (driver) => driver.deleteEndpoint('n3', 'mine'));
    on.die(4, 'taken');
    await on.regain(4);
    assert.deepEqual([holders(MINE), holders(TAKEN)], [[], []]);
    assert.deepEqual(endpoint('taken')?.unconfirmed, [TAKEN]);
  });

  it('makes its pool again if nobody has it any more, and loses all of it to another one', async () => {
    for (const host of [1, 2]) await on.say(host, (driver) => driver.releasePool(pool));
    await forget();
    await on.hosts.until(
      on.store(1).commit([{ key: `pool/${pool}` }, { key: `space/${on.state(1).pools.get(pool)!.space}` }]),
    );
    on.hosts.gossip();
    await on.regain(4);
    assert.deepEqual([endpoint('mine')?.unconfirmed, holders(MINE)], [undefined, [4]]);
    assert.ok(on.state(1).pools.get(pool));
  });

  it('loses all addresses of a pool that another one overlaps', async () => {
    for (const host of [1, 2]) await on.say(host, (driver) => driver.releasePool(pool));
    await forget();
    const { space } = on.state(1).pools.get(pool)!;
    await on.hosts.until(on.store(1).commit([{ key: `pool/${pool}` }, { key: `space/${space}` }]));
    await on.network(1, '10.1.0.0/16');
    await on.regain(4);
    await later();
    for (const name of ['mine', 'taken'])
      assert.match(endpoint(name)?.lost?.[0]?.why ?? '', /10\.1\.0\.0\/24 overlaps 10\.1\.0\.0\/16/);
  });

  it('is given back what its old self had a moment ago, where the owner has only just heard of it', async () => {
    await forget();
    // Nothing was tidied up yet: as the owner knows it, the address is lent to the old one.
    await on.regain(4);
    await later();
    assert.deepEqual([endpoint('mine')?.lost, holders(MINE)], [undefined, [4]]);
  });
});
