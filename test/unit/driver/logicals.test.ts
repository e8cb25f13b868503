import assert from 'node:assert/strict';
import { byName, logicalOf, nameOf, nameTaken } from '../../../src/driver/logical.ts';
import { record } from '../../../src/driver/record.ts';
import { Drivers } from './hosts.ts';

const V4 = '10.1.0.0/16';
const V6 = 'fd00:9::/64';
const ID = `default:${V4}`;

interface Create {
  readonly id?: string;
  readonly subnets?: readonly string[];
  /** With --ipv6, where no subnet says so. */
  readonly ipv6?: boolean;
  readonly ipam?: Record<string, string>;
  readonly options?: Record<string, string>;
  readonly internal?: boolean;
}

/** What dockerd does for docker network create, with the release of what it got when it is refused. */
async function create(on: Drivers, host: number, given: Create): Promise<readonly string[]> {
  const { id = `n${host}`, subnets = [], ipam = {}, options = {}, internal = false } = given;
  const held: { id: string; pool: string; gateway: string }[] = [];
  const ask = async (v6: boolean) => {
    const wanted = subnets.filter((subnet) => subnet.includes(':') === v6);
    for (const pool of wanted.length > 0 ? wanted : [undefined])
      held.push(await on.say(host, (driver) => driver.requestPool({ pool, options: ipam, v6 })));
  };
  try {
    await ask(false);
    if (given.ipv6 || subnets.some((subnet) => subnet.includes(':'))) await ask(true);
    const data = held.map(({ pool, gateway }) => ({
      addressSpace: 'net-routed',
      pool,
      gateway,
      auxAddresses: {},
    }));
    const isV6 = ({ pool }: { pool: string }) => pool.includes(':');
    const [ipv4, ipv6] = [data.filter((one) => !isV6(one)), data.filter(isV6)];
    await on.say(host, (driver) => driver.createNetwork({ network: id, options, internal, ipv4, ipv6 }));
  } catch (error) {
    for (const pool of held) await on.say(host, (driver) => driver.releasePool(pool.id));
    throw error;
  } finally {
    on.hosts.gossip();
  }
  return held.map(({ pool }) => pool);
}

/** The text of the error that it ends with. */
const refused = (on: Drivers, host: number, given: Create) =>
  create(on, host, given).then(
    () => 'it was not refused',
    (error: Error) => error.message,
  );

async function remove(on: Drivers, host: number, pools: readonly string[], id = `n${host}`) {
  for (const pool of pools) await on.say(host, (driver) => driver.releasePool(`default:${pool}`));
  await on.say(host, (driver) => driver.deleteNetwork(id));
  on.hosts.gossip();
}

const named = (name: string) => ({ ipam: { network: name } });

describe('a logical network', () => {
  it('is known on all hosts, with what is the same on all of them', async () => {
    const on = new Drivers(3);
    await create(on, 2, { subnets: [V4, V6], options: { network: 'mine', mtu: '1400' } });
    for (const host of [1, 2, 3]) {
      const logical = byName(on.state(host), 'default', 'mine');
      assert.deepEqual(
        { ...logical, createdAt: 0 },
        {
          id: ID,
          tenant: 'default',
          encap: 'none',
          mtu: 1400,
          internal: false,
          pools: [ID, `default:${V6}`],
          createdAt: 0,
        },
      );
    }
  });

  it('is joined by its subnets, and gives its options to who names none', async () => {
    const on = new Drivers(2);
    await create(on, 1, { subnets: [V4], options: { mtu: '1400' } });
    await create(on, 2, { subnets: [V4] });
    assert.equal([...on.state(1).logicals.all()].length, 1);
    assert.equal(on.state(2).networks.get('n2')?.mtu, 1400);
    await create(on, 2, { subnets: [V4] }).catch(() => {});
    assert.equal(on.state(2).networks.get('n2')?.mtu, 1400, 'a replay changes nothing');
  });

  it('is joined by its name alone', async () => {
    const on = new Drivers(3);
    await create(on, 2, { subnets: [V4, V6], ...named('mine'), options: { mtu: '1400' } });
    assert.deepEqual(await create(on, 3, { ...named('mine'), ipv6: true }), [V4, V6]);
    assert.equal(on.state(3).networks.get('n3')?.mtu, 1400);
    const own = { ...named('mine'), ipv6: true, options: { network: 'mine' } };
    assert.deepEqual(await create(on, 1, own), [V4, V6]);
    assert.match(await refused(on, 1, { ...own, id: 'twice' }), /NR_POOL_OVERLAP: .* of network mine in /);
  });

  it('is named by either option, and by both only if they agree', async () => {
    const on = new Drivers(2);
    await create(on, 1, { subnets: [V4], ...named('mine') });
    assert.equal(nameOf(on.state(2), ID), 'mine');
    const other = { subnets: ['10.2.0.0/16'], ...named('one'), options: { network: 'two' } };
    assert.match(await refused(on, 1, other), /NR_OPTION_CONFLICT: the network is called two and one;/);
    assert.match(await refused(on, 1, named('-x')), /NR_OPTION_INVALID: "-x" is not a network's name/);
  });

  it('that there is not is refused with those that there are', async () => {
    const on = new Drivers(2);
    assert.match(
      await refused(on, 2, named('mien')),
      /NR_NETWORK_NAME_UNKNOWN: tenant default has no network "mien" \(there is none with a name yet\); give --subnet to make the network$/,
    );
    await create(on, 1, { subnets: [V4], ...named('mine') });
    await create(on, 1, { id: 'b', subnets: ['10.2.0.0/16'], ...named('blue') });
    assert.match(await refused(on, 2, named('mien')), /no network "mien" \(known: blue, mine\);/);
    assert.deepEqual([...on.state(2).poolUses.all()], []);
  });

  it('that was named a moment ago on another host is waited for', async () => {
    const on = new Drivers(2);
    await create(on, 1, { subnets: [V4] });
    const asked = on.driver(2).requestPool({ options: { network: 'mine' }, v6: false });
    await on.name(1, { n1: 'mine' });
    assert.equal((await on.hosts.until(asked)).pool, V4);
  });

  it('may have an automatic subnet of one family', async () => {
    const on = new Drivers(2);
    const [v4, v6] = await create(on, 1, { subnets: [V4], ipv6: true, ...named('mine') });
    assert.equal(v4, V4);
    assert.deepEqual(await create(on, 2, { ipv6: true, ...named('mine') }), [V4, v6]);
  });

  it('refuses what differs, by what it is, and tells what to add', async () => {
    const on = new Drivers(2);
    await create(on, 1, { subnets: [V4, V6], ...named('mine'), options: { mtu: '1400' }, internal: true });
    await create(on, 1, { id: 'plain', subnets: ['10.2.0.0/16'], ...named('plain') });
    const said = async (given: Create, what: RegExp) => {
      const text = await refused(on, 2, given);
      assert.match(text, /^NR_NETWORK_DIFFERS: /);
      assert.match(text, what);
    };
    await said(
      { subnets: [V4], internal: true },
      /network mine .* fd00:9::\/64, too: add --ipv6 --subnet fd00:9::\/64;/,
    );
    await said({ subnets: [V4, V6] }, /: it is internal: add --internal;/);
    await said({ subnets: [V4, V6], internal: true, options: { mtu: '1450' } }, /its MTU is 1400, not 1450;/);
    await said(
      { subnets: ['10.2.0.0/16'], internal: true, options: { mtu: '1450' } },
      /its MTU is that of each host's uplink, not 1450; it is not internal: leave --internal out;/,
    );
    await said(
      { subnets: ['10.3.0.0/16'], ...named('mine') },
      /mine has 10\.1\.0\.0\/16: leave --subnet 10\.3\.0\.0\/16 out/,
    );
    await said({ ...named('plain'), ipv6: true }, /plain has no IPv6 subnet: leave --ipv6 out/);
    await said({ subnets: [V4, '10.3.0.0/16'], ipv6: true }, /it does not have the subnet 10\.3\.0\.0\/16/);
    await said(
      { subnets: [V4, V6], internal: true, options: { network: 'yours' } },
      /is called mine, not yours;/,
    );
    assert.deepEqual([...on.state(2).networks.all()], []);
    assert.deepEqual([...on.state(2).poolUses.all()], [], 'and nothing is kept');
  });

  it('does not get the name of another one, and the way to that one is told', async () => {
    const on = new Drivers(3);
    await create(on, 2, { subnets: [V4, V6], ...named('mine') });
    const other = { subnets: ['10.2.0.0/16'], options: { network: 'mine' } };
    const text = await refused(on, 3, other);
    assert.match(
      text,
      /^NR_NETWORK_NAME_TAKEN: "mine" is the network of 10\.1\.0\.0\/16, fd00:9::\/64 in tenant default; /,
    );
    assert.match(text, /ipam-routed --ipam-opt network=mine --ipv6 mine;/);
    assert.equal(logicalOf(on.state(3), ['default:10.2.0.0/16']), undefined);
  });

  it('is decided by the treasury where two hosts give one name at a time', async () => {
    const on = new Drivers(3);
    const ask = (host: number, pool: string) =>
      on.driver(host).requestPool({ pool, options: { network: 'mine' }, v6: false });
    await on.hosts.until(Promise.all([ask(2, V4), ask(3, '10.2.0.0/16')]));
    const make = (host: number, pool: string) =>
      on
        .driver(host)
        .createNetwork({
          network: `n${host}`,
          options: {},
          internal: false,
          ipv4: [{ addressSpace: 'net-routed', pool, auxAddresses: {} }],
          ipv6: [],
        })
        .then(
          () => 'made',
          (error: Error) => error.message,
        );
    const said = await on.hosts.until(Promise.all([make(2, V4), make(3, '10.2.0.0/16')]));
    on.hosts.gossip();
    assert.equal(said.filter((one) => one === 'made').length, 1);
    assert.match(said.find((one) => one !== 'made') ?? '', /^NR_NETWORK_NAME_TAKEN: /);
    assert.equal([...on.state(1).networkNames.all()].length, 1);
    assert.equal([...on.state(1).logicals.all()].length, 1);
  });

  it('shares no subnet with another one, though two hosts make them at a time', async () => {
    const on = new Drivers(3);
    const make = async (host: number, v4: string) => {
      const driver = on.driver(host);
      for (const [pool, v6] of [
        [v4, false],
        [V6, true],
      ] as const)
        await driver.requestPool({ pool, options: {}, v6 });
      const data = (pool: string) => [{ addressSpace: 'net-routed', pool, auxAddresses: {} }];
      return driver
        .createNetwork({ network: `n${host}`, options: {}, internal: false, ipv4: data(v4), ipv6: data(V6) })
        .then(
          () => 'made',
          (error: Error) => error.message,
        );
    };
    const said = await on.hosts.until(Promise.all([make(2, V4), make(3, '10.2.0.0/16')]));
    on.hosts.gossip();
    assert.equal(said.filter((one) => one === 'made').length, 1, said.join());
    assert.match(said.find((one) => one !== 'made') ?? '', /^NR_NETWORK_DIFFERS: .*fd00:9::\/64/);
    assert.equal([...on.state(1).logicals.all()].length, 1);
  });

  it('goes at once with the last user, where that is its treasury', async () => {
    const on = new Drivers(2);
    await create(on, 1, { subnets: [V4, V6], ...named('mine') });
    await remove(on, 1, [V4, V6]);
    for (const host of [1, 2]) {
      assert.deepEqual([...on.state(host).logicals.all()], []);
      assert.deepEqual([...on.state(host).networkNames.all()], []);
    }
  });

  it('goes when it was left behind without its pools, and so does a name of nothing', async () => {
    const on = new Drivers(2);
    await create(on, 2, { subnets: [V4], ...named('mine') });
    const logical = on.state(1).logicals.get(ID)!;
    const left = { ...logical, id: 'default:10.9.0.0/16', pools: ['default:10.9.0.0/16'] };
    const name = (of: string, network: string) => ({ tenant: 'default', name: of, network });
    await on.hosts.until(
      on.store(2).commit([
        { key: `logical/${left.id}`, value: record(left) },
        { key: 'network-name/default/left', value: name('left', left.id) },
        { key: 'network-name/default/none', value: name('none', 'default:10.8.0.0/16') },
      ]),
    );
    on.hosts.gossip();
    await on.sweep(2);
    assert.equal([...on.state(2).networkNames.all()].length, 3, 'that is for the treasury to say');
    await on.sweep(1);
    assert.deepEqual(
      [...on.state(2).networkNames.all()].map((one) => one.name),
      ['mine'],
    );
    assert.deepEqual([...on.state(2).logicals.all()], [logical]);
  });

  it('stays with its name as long as what they stand on cannot be read, as of a later release', async () => {
    const on = new Drivers(2);
    await create(on, 1, { subnets: [V4, V6], ...named('mine') });
    for (const keys of [[`logical/${ID}`], [`pool/${ID}`, `pool/default:${V6}`]]) {
      const before = keys.map((key) => ({ key, value: on.store(1).get(key)!.value }));
      const later = before.map(({ key, value }) => ({ key, value: { ...(value as object), tenant: 7 } }));
      await on.hosts.until(on.store(1).commit(later));
      await on.sweep(1);
      await on.hosts.until(on.store(1).commit(before));
      on.hosts.gossip();
      assert.equal(byName(on.state(2), 'default', 'mine')?.id, ID, keys[0]);
    }
  });

  it('stays until the last host has removed it, and goes with its name', async () => {
    const on = new Drivers(2);
    await create(on, 1, { subnets: [V4, V6], ...named('mine') });
    await create(on, 2, { ipv6: true, ...named('mine') });
    await remove(on, 1, [V4, V6]);
    assert.ok(byName(on.state(1), 'default', 'mine'));
    await remove(on, 2, [V4, V6]);
    // Its treasury is another host, which waits for a while.
    for (let pass = 0; pass < 3; pass++) {
      on.hosts.pass(61_000);
      on.hosts.gossip();
      await on.sweep(1);
      await on.sweep(2);
    }
    for (const host of [1, 2]) {
      assert.deepEqual([...on.state(host).logicals.all()], []);
      assert.deepEqual([...on.state(host).networkNames.all()], []);
    }
    await create(on, 2, { subnets: ['10.2.0.0/16'], ...named('mine') });
    assert.equal(byName(on.state(1), 'default', 'mine')?.id, 'default:10.2.0.0/16');
  });

  it('is not needed for a network of a pool that stands, where the treasury cannot be reached', async () => {
    const on = new Drivers(3);
    await create(on, 1, { subnets: [V4] });
    // As with a release that knew of none.
    await on.hosts.until(on.store(1).commit([{ key: on.state(1).logicals.key(ID) }]));
    on.hosts.gossip();
    on.hosts.at(0).deaf = true;
    await create(on, 2, { subnets: [V4] });
    assert.ok(on.state(2).networks.get('n2'));
    const asked = refused(on, 3, { subnets: [V4], ...named('mine') });
    assert.match(await asked, /^NR_MEMBER_UNREACHABLE: /, 'but a name is');
  });
});

describe('the name of a logical network', () => {
  it('follows from Docker, where the user has given none', async () => {
    const on = new Drivers(2);
    await create(on, 2, { subnets: [V4] });
    assert.equal(nameOf(on.state(1), ID), undefined);
    await on.name(2, { n2: 'mine', other: 'foreign' });
    assert.equal(byName(on.state(1), 'default', 'mine')?.id, ID);
    assert.equal([...on.state(1).networkNames.all()].length, 1);
    await create(on, 1, { ...named('mine') });
    await on.name(1, { n1: 'ours' });
    assert.equal(nameOf(on.state(1), ID), 'mine', 'and stays');
  });

  it('is not taken from another network, which works without one', async () => {
    const on = new Drivers(3);
    await create(on, 2, { subnets: [V4] });
    await create(on, 3, { subnets: ['10.2.0.0/16'] });
    await on.name(2, { n2: 'mine' });
    await on.name(3, { n3: 'mine' });
    assert.equal(byName(on.state(3), 'default', 'mine')?.id, ID);
    assert.equal(nameOf(on.state(3), 'default:10.2.0.0/16'), undefined);
    assert.match(
      nameTaken(on.state(3), on.state(3).networks.get('n3')!, 'mine') ?? '',
      /network of 10\.1\.0\.0\/16$/,
    );
    assert.equal(nameTaken(on.state(2), on.state(2).networks.get('n2')!, 'mine'), undefined);
    assert.match(await on.address(3, 'default:10.2.0.0/16'), /^10\.2\./);
  });

  it('is decided by the treasury where two hosts tell theirs at a time', async () => {
    const on = new Drivers(3);
    await create(on, 2, { subnets: [V4] });
    await create(on, 3, { subnets: [V4] });
    await Promise.all([on.name(2, { n2: 'two' }), on.name(3, { n3: 'three' })]);
    assert.equal([...on.state(1).networkNames.all()].length, 1);
  });

  it('follows when the treasury can be asked again, and with it a network that the cluster does not know', async () => {
    const on = new Drivers(2);
    await create(on, 2, { subnets: [V4] });
    await on.hosts.until(on.store(2).commit([{ key: on.state(2).logicals.key(ID) }]));
    on.hosts.gossip();
    on.hosts.at(0).deaf = true;
    await on.name(2, { n2: 'mine' });
    assert.deepEqual([...on.state(1).logicals.all()], []);
    on.hosts.at(0).deaf = false;
    await on.name(2, { n2: 'mine' });
    assert.deepEqual(byName(on.state(1), 'default', 'mine')?.pools, [ID]);
  });
});
