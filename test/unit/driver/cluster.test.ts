import assert from 'node:assert/strict';
import { Drivers } from './hosts.ts';

const NET = '10.1.0.0/24';

describe('a pool of several hosts', () => {
  it('is one, whoever asks for it first', async () => {
    const on = new Drivers(3);
    const id = await on.network(2, NET);
    const made = on.state(1).pools.get(id);
    assert.ok(made, 'the treasury has made it');
    await on.network(3, NET);
    for (const host of [1, 2, 3]) assert.deepEqual(on.state(host).pools.get(id), made);
    assert.deepEqual([...on.state(1).poolUses.all()], [], 'which does not use it');
  });

  it('is one, when two hosts ask in the same moment', async () => {
    const on = new Drivers(3);
    const ask = (host: number) => on.driver(host).requestPool({ pool: NET, options: {}, v6: false });
    const [one, other] = await on.hosts.until(Promise.all([ask(2), ask(3)]));
    assert.deepEqual(one, other);
  });

  it('overlaps none that the treasury knows, and the network is named where it is known', async () => {
    const on = new Drivers(3);
    await on.say(2, (driver) => driver.requestPool({ pool: NET, options: {}, v6: false }));
    // Nobody has told host 3 yet.
    const ask = () =>
      on.refused(3, (driver) => driver.requestPool({ pool: '10.1.0.0/16', options: {}, v6: false }));
    assert.match(
      await ask(),
      /NR_POOL_OVERLAP: 10\.1\.0\.0\/16 overlaps 10\.1\.0\.0\/24 of a network that is/,
    );
    await on.network(2, NET);
    assert.match(await ask(), /of network n2 on host h2 in tenant default/);
    on.hosts.gossip();
    assert.match(await ask(), /of network n2 on host h2 in tenant default/, 'without asking the treasury');
    const own = on.refused(2, (driver) =>
      driver.requestPool({ pool: '10.1.0.0/16', options: {}, v6: false }),
    );
    assert.match(await own, /of network n2 in tenant default/);
  });

  it('is refused by the name of the treasury that cannot be reached, unless it exists', async () => {
    const on = new Drivers(2);
    await on.network(1, NET);
    on.hosts.at(0).deaf = true;
    await on.network(2, NET);
    const ask = on.refused(2, (driver) =>
      driver.requestPool({ pool: '10.2.0.0/24', options: {}, v6: false }),
    );
    assert.match(await ask, /NR_MEMBER_UNREACHABLE: 1+ does not answer/);
  });

  it('that the driver chooses is another one on each host', async () => {
    const on = new Drivers(3);
    const ask = (host: number) => on.driver(host).requestPool({ options: {}, v6: false });
    const pools = await on.hosts.until(Promise.all([ask(1), ask(2), ask(3), ask(2)]));
    assert.equal(new Set(pools.map(({ pool }) => pool)).size, 4);
  });

  it('has one gateway and one set of auxiliary addresses, which no container gets', async () => {
    const on = new Drivers(3);
    const attributes = { gateway: '10.1.0.1', aux: ['10.1.0.2'] };
    const id = await on.network(1, NET, attributes);
    await on.network(2, NET, attributes);
    assert.match(await on.network(3, NET, { gateway: '10.1.0.3' }).catch(String), /NR_OPTION_CONFLICT/);
    assert.match(
      await on.network(3, NET, { aux: ['10.1.0.3'] }).catch(String),
      /NR_OPTION_CONFLICT: host h1 has/,
    );
    for (const host of [1, 2])
      for (const taken of ['10.1.0.1', '10.1.0.2'])
        assert.match(
          await on.address(host, id, taken).catch(String),
          /NR_ADDRESS_RESERVED/,
          `${host} ${taken}`,
        );
    assert.match(await on.address(1, id), /^10\.1\.0\.(?![12]$)/);
    // Who has made it goes, and the addresses are nobody's all the same.
    await on.say(1, (driver) => driver.releasePool(id));
    on.hosts.gossip();
    assert.match(await on.address(2, id, '10.1.0.1').catch(String), /NR_ADDRESS_RESERVED/);
    assert.equal(on.state(2).pools.get(id)?.gateway, '10.1.0.1');
  });

  it('has no gateway that another host has given it and this one cannot have', async () => {
    const on = new Drivers(2);
    on.claims.set('2 10.1.0.1', "the host's router");
    await on.network(1, NET, { gateway: '10.1.0.1' });
    const refused = /NR_ADDRESS_UNUSABLE: 10\.1\.0\.1 is the host's router/;
    assert.match(await on.network(2, NET).catch(String), refused);
    assert.match(await on.network(2, NET, { gateway: '10.1.0.1' }).catch(String), refused);
    assert.deepEqual([...on.state(2).networks.all()], []);
  });

  it('makes no network of what is given back before the gateway is got', async () => {
    const on = new Drivers(2);
    const { id } = await on.say(2, (driver) => driver.requestPool({ pool: NET, options: {}, v6: false }));
    const ipv4 = [{ addressSpace: 'net-routed', pool: NET, auxAddresses: {} }];
    const call = { network: 'n2', options: { gateway: '10.1.0.77' }, internal: false, ipv4, ipv6: [] };
    const made = on.driver(2).createNetwork(call);
    await Promise.all([
      assert.rejects(on.hosts.until(made), { code: 'NR_IPAM_FOREIGN' }),
      on.say(2, (driver) => driver.releasePool(id)),
    ]);
    assert.deepEqual([...on.state(2).networks.all()], []);
    assert.deepEqual([...on.state(2).allocations.all()], []);
  });

  it('has the attributes of who makes a network of it when nobody else has one', async () => {
    const on = new Drivers(2);
    const id = await on.network(2, NET, { gateway: '10.1.0.1', aux: ['10.1.0.2'] });
    await on.say(2, (driver) => driver.releasePool(id));
    assert.ok(on.state(1).pools.get(id), 'its treasury has not removed it yet');
    await on.network(2, NET, { gateway: '10.1.0.7' });
    const { gateway, auxiliary } = on.state(2).pools.get(id)!;
    assert.deepEqual([gateway, auxiliary], ['10.1.0.7', []]);
  });
});

describe('addresses of several hosts', () => {
  it('are each of one host, chosen without asking anybody but for a chunk', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, NET);
    for (const host of [2, 3]) await on.network(host, NET);
    const given: string[] = [];
    for (let round = 0; round < 20; round++)
      for (const host of [1, 2, 3]) given.push(await on.address(host, id));
    assert.equal(new Set(given).size, 60, given.join(' '));
    const all = await Promise.all(
      [1, 2, 3].map((host) => on.driver(host).holdings.usage(on.state(1).pools.get(id)!)),
    );
    assert.deepEqual(
      all.map(({ size, here }) => [size, here]),
      [
        [256n, 20n],
        [256n, 20n],
        [256n, 20n],
      ],
    );
    on.hosts.gossip();
    const { held, free, here } = await on.driver(2).holdings.usage(on.state(2).pools.get(id)!);
    assert.deepEqual([held, free, here], [60n, 194n, 20n]);
  });

  it('come out of the own chunks while nobody can be reached, then it is said who stands in the way', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, NET);
    await on.network(2, NET);
    await on.address(2, id);
    on.hosts.at(0).deaf = true;
    const given: string[] = [];
    let error = '';
    while (error === '' && given.length < 20)
      await on.address(2, id).then(
        (one) => given.push(one),
        (failure: Error) => {
          error = failure.message;
        },
      );
    assert.ok(given.length >= 1 && given.length < 12, `${given.length} of its own chunks`);
    assert.match(
      error,
      /NR_MEMBER_UNREACHABLE: pool 10\.1\.0\.0\/24 has no free address left on this host, and /,
    );
    const [first = ''] = given;
    await on.say(2, (driver) => driver.releaseAddress(id, first));
    assert.equal(await on.address(2, id), first, 'rather one that rests than none');
  });

  it('are full when no host has any left', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, '10.1.0.0/29');
    await on.network(2, '10.1.0.0/29');
    for (const host of [1, 2, 1, 2, 1, 2]) await on.address(host, id);
    assert.match(
      await on.address(2, id).catch(String),
      /NR_POOL_FULL: pool 10\.1\.0\.0\/29 has no free value left/,
    );
  });

  it('come from the range of the host that asks', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, NET, { range: '10.1.0.64/28' });
    await on.network(2, NET, { range: '10.1.0.128/30' });
    await on.network(3, NET);
    assert.match(await on.address(1, id), /^10\.1\.0\.(6[4-9]|7\d)$/);
    for (let count = 0; count < 4; count++)
      assert.match(await on.address(2, id), /^10\.1\.0\.1(28|29|30|31)$/);
    assert.match(await on.address(2, id).catch(String), /NR_POOL_FULL: pool 10\.1\.0\.128\/30 has no free/);
    assert.match(await on.address(3, id), /^10\.1\.0\.\d$/);
  });

  it('that are asked for are got from the host whose chunk they are in', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, NET);
    for (const host of [2, 3]) await on.network(host, NET);
    assert.equal(await on.address(2, id, '10.1.0.77'), '10.1.0.77');
    assert.equal(await on.address(2, id, '10.1.0.77'), '10.1.0.77', 'Docker asked twice');
    for (const host of [1, 3])
      assert.match(
        await on.address(host, id, '10.1.0.77').catch(String),
        /NR_ADDRESS_IN_USE: 10\.1\.0\.77 is in use on host h2/,
      );
    await on.endpoint(2, 'e2', '10.1.0.77');
    await on.say(2, (driver) => driver.deleteEndpoint('n2', 'e2'));
    await on.say(2, (driver) => driver.releaseAddress(id, '10.1.0.77'));
    assert.equal(await on.address(3, id, '10.1.0.77'), '10.1.0.77');
    on.hosts.at(0).deaf = true;
    assert.match(await on.address(2, id, '10.1.0.78').catch(String), /NR_MEMBER_UNREACHABLE/);
  });

  it('of another host stay taken when they pass from a dead endpoint to the next', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, NET);
    for (const host of [2, 3]) await on.network(host, NET);
    const isTaken = async (by: string) => {
      on.hosts.gossip();
      on.hosts.pass(5000);
      assert.match(await on.address(3, id, '10.1.0.77').catch(String), /in use on host h2/, by);
    };
    await on.endpoint(2, 'e1', await on.address(2, id, '10.1.0.77'));
    on.die(2, 'e1');
    await on.address(2, id, '10.1.0.77');
    await isTaken('who asks for it');
    await on.endpoint(2, 'e2', '10.1.0.77');
    on.die(2, 'e2');
    await on.endpoint(2, 'e3', '10.1.0.77');
    await isTaken('who did not ask');
  });

  it('are there before they are asked for', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, NET);
    await on.network(2, NET);
    for (let count = 0; count < 3; count++) await on.address(2, id);
    on.hosts.at(0).deaf = true;
    for (let count = 0; count < 5; count++) await on.address(2, id);
  });

  it('begin at the same place on hosts that know each other', async () => {
    const on = new Drivers(2, 7n);
    const id = await on.network(1, NET);
    assert.equal(await on.address(1, id), '10.1.0.1');
  });

  it('as aliases are all got, or none', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, NET);
    for (const host of [2, 3]) await on.network(host, NET);
    await on.endpoint(3, 'e3', await on.address(3, id), { 'ip-aliases': '10.1.0.90' });
    const own = await on.address(2, id);
    const create = (aliases: string) =>
      on.endpoint(2, 'e2', own, { 'ip-aliases': aliases }).then(() => 'done', String);
    assert.match(await create('10.1.0.91,10.1.0.90'), /NR_ADDRESS_IN_USE: 10\.1\.0\.90 is in use on host h3/);
    assert.equal(on.state(2).endpoints.get('e2'), undefined);
    assert.equal(await create('10.1.0.91'), 'done');
    assert.match(await on.address(3, id, '10.1.0.91').catch(String), /in use on host h2/);
    await on.say(2, (driver) => driver.deleteEndpoint('n2', 'e2'));
    assert.equal(await on.address(3, id, '10.1.0.91'), '10.1.0.91');
    const both = ['10.1.0.92', '10.1.0.93'].map((alias) => create(alias));
    const answers = await Promise.all(both);
    assert.match(answers.join(), /done.*NR_ENDPOINT_EXISTS/);
    assert.equal(await on.address(3, id, '10.1.0.93'), '10.1.0.93', 'what was got in vain is given back');
  });

  it('are shared by anycast endpoints only', async () => {
    const on = new Drivers(4);
    const id = await on.network(1, NET);
    for (const host of [2, 3, 4]) await on.network(host, NET);
    const anycast = { anycast: 'true' };
    for (const [host, name] of [
      [2, 'e2'],
      [3, 'e3'],
      [1, 'e1'],
    ] as const)
      await on.endpoint(host, name, await on.address(host, id, '10.1.0.50'), anycast);
    await on.address(4, id, '10.1.0.50');
    const refused = await on.endpoint(4, 'e4', '10.1.0.50').then(() => 'done', String);
    assert.match(
      refused,
      /NR_ADDRESS_IN_USE: 10\.1\.0\.50 is shared with host h1, host h2, host h3, and this/,
    );
    on.hosts.gossip();
    assert.equal(on.state(4).endpoints.get('e4'), undefined);
    const pool = on.state(4).pools.get(id)!;
    assert.equal(on.driver(4).addresses.get(pool, '10.1.0.50'), undefined, 'given back');
    // Nor without asking, in the place of one that has ended.
    await on.endpoint(4, 'e4', await on.address(4, id, '10.1.0.50'), anycast);
    on.die(4, 'e4');
    const late = await on.endpoint(4, 'e5', '10.1.0.50').then(() => 'done', String);
    assert.match(late, /NR_ADDRESS_IN_USE: 10\.1\.0\.50 is shared with/);
    await on.say(4, (driver) => driver.releaseAddress(id, '10.1.0.50'));
    // Those that share it go one after the other, the owner of the chunk among them.
    for (const [host, name] of [
      [1, 'e1'],
      [2, 'e2'],
    ] as const) {
      await on.say(host, (driver) => driver.deleteEndpoint(`n${host}`, name));
      await on.say(host, (driver) => driver.releaseAddress(id, '10.1.0.50'));
      on.hosts.gossip();
    }
    const last = await on.address(4, id, '10.1.0.50').then(() => 'given', String);
    assert.equal(last, 'given', 'host 3 has it and shares it');
    await on.say(4, (driver) => driver.releaseAddress(id, '10.1.0.50'));
    await on.say(3, (driver) => driver.deleteEndpoint('n3', 'e3'));
    await on.say(3, (driver) => driver.releaseAddress(id, '10.1.0.50'));
    on.hosts.gossip();
    await on.endpoint(4, 'e4', await on.address(4, id, '10.1.0.50'));
    assert.match(await on.address(2, id, '10.1.0.50').catch(String), /in use on host h4/);
  });
});

describe('aliases of several hosts', () => {
  const ALIAS = '10.2.0.9';
  const OTHER = '10.2.0.0/24';
  const isHeld = async (on: Drivers, id: string) =>
    assert.match(await on.address(3, id, ALIAS).catch(String), /10\.2\.0\.9 is in use on host h2/);
  /** Host 2 has an endpoint with an alias of no pool. */
  const outside = async () => {
    const on = new Drivers(3);
    const id = await on.network(2, NET);
    await on.endpoint(2, 'e2', await on.address(2, id), { 'ip-aliases': ALIAS });
    return on;
  };

  it('outside of every pool are not given by one that another host makes later', async () => {
    const on = await outside();
    const id = await on.network(1, OTHER);
    on.hosts.gossip();
    await isHeld(on, id);
    await on.say(2, (driver) => driver.deleteEndpoint('n2', 'e2'));
    on.hosts.gossip();
    assert.equal(await on.address(3, id, ALIAS), ALIAS);
  });

  it('outside of every pool are got later, when their owner does not answer at first', async () => {
    const on = await outside();
    const id = await on.network(1, OTHER);
    on.hosts.at(0).deaf = true;
    on.hosts.gossip();
    on.hosts.pass(5000);
    on.hosts.at(0).deaf = false;
    await on.sweep(2);
    await isHeld(on, id);
  });

  it('outside of every pool that are shared by two hosts are shared in the pool', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, NET);
    for (const host of [2, 3]) await on.network(host, NET);
    const options = { 'ip-aliases': ALIAS, anycast: 'true' };
    for (const host of [2, 3]) await on.endpoint(host, `e${host}`, await on.address(host, id), options);
    const other = await on.say(1, (driver) => driver.requestPool({ pool: OTHER, options: {}, v6: false }));
    for (const host of [2, 3, 2, 3]) {
      on.hosts.gossip();
      await on.sweep(host);
    }
    for (const host of [2, 3]) {
      const allocation = on.driver(host).addresses.get(on.state(host).pools.get(other.id)!, ALIAS);
      assert.deepEqual([allocation?.endpoint, allocation?.shared], [`e${host}`, true]);
    }
    assert.match(
      await on.address(1, other.id, ALIAS).then(() => 'given', String),
      /given/,
      'it may share it',
    );
    const alone = on.endpoint(1, 'e1', ALIAS).then(() => 'done', String);
    assert.match(await alone, /NR_ADDRESS_OUTSIDE|NR_ADDRESS_IN_USE/);
  });

  it('outside of every pool that only one of two hosts shares are the one’s', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, NET);
    for (const host of [2, 3]) await on.network(host, NET);
    const alias = { 'ip-aliases': ALIAS };
    await on.endpoint(2, 'e2', await on.address(2, id), { ...alias, anycast: 'true' });
    await on.endpoint(3, 'e3', await on.address(3, id), alias);
    const other = await on.say(1, (driver) => driver.requestPool({ pool: OTHER, options: {}, v6: false }));
    for (const host of [2, 3]) {
      on.hosts.gossip();
      await on.sweep(host);
    }
    const held = (host: number) =>
      on.driver(host).addresses.get(on.state(host).pools.get(other.id)!, ALIAS)?.endpoint;
    assert.deepEqual([held(2), held(3)], ['e2', undefined]);
  });

  it('stay their endpoint’s when the host gives the pool back', async () => {
    const on = new Drivers(3);
    const id = await on.network(1, OTHER);
    await on.network(2, OTHER);
    // A second network on host 2, with an endpoint that has an alias of the first one's pool.
    const ipv4 = [{ addressSpace: 'net-routed', pool: NET, auxAddresses: {} }];
    const { id: own } = await on.say(2, (driver) =>
      driver.requestPool({ pool: NET, options: {}, v6: false }),
    );
    await on.say(2, (driver) =>
      driver.createNetwork({ network: 'm2', options: {}, internal: false, ipv4, ipv6: [] }),
    );
    const address = await on.address(2, own);
    await on.say(2, (driver) =>
      driver.createEndpoint({
        network: 'm2',
        endpoint: 'e2',
        address: `${address}/32`,
        options: { 'ip-aliases': ALIAS },
      }),
    );
    const held = await on.address(2, id);
    await on.say(2, (driver) => driver.releasePool(id));
    on.hosts.gossip();
    on.hosts.pass(5000);
    assert.equal(await on.address(1, id, held), held, 'that is free');
    await isHeld(on, id);
  });
});

describe('the end of a pool of several hosts', () => {
  const MINUTE = 60_000;

  it('comes when no host has a network of it, by the treasury, and all chunks are back', async () => {
    const on = new Drivers(3);
    const id = await on.network(2, NET);
    await on.network(3, NET);
    const address = await on.address(2, id);
    await on.say(3, (driver) => driver.releasePool(id));
    await on.say(2, (driver) => driver.releaseAddress(id, address));
    await on.say(2, (driver) => driver.releasePool(id));
    on.hosts.gossip();
    on.hosts.pass(30_000);
    on.hosts.gossip();
    await on.sweep(1);
    assert.ok(on.state(1).pools.get(id), 'an address of it rests');
    on.hosts.pass(40_000);
    on.hosts.gossip();
    await on.sweep(1);
    assert.ok(on.state(1).pools.get(id), 'a minute passes first');
    on.hosts.pass(MINUTE + 1);
    await on.sweep(1);
    for (const host of [1, 2, 3]) {
      assert.equal(on.state(host).pools.get(id), undefined);
      assert.deepEqual(
        [...on.hosts.at(host - 1).cluster.spaces.all()].map((one) => one.id),
        ['s'],
      );
    }
  });

  it('does not come while a host uses it', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, NET);
    await on.network(2, NET);
    await on.say(1, (driver) => driver.releasePool(id));
    for (let minute = 0; minute < 5; minute++) {
      on.hosts.pass(MINUTE);
      await on.sweep(1);
    }
    assert.ok(on.state(2).pools.get(id));
    assert.match(await on.address(2, id), /^10\.1\.0\./);
  });

  it('does not come while a host uses it that has got no address yet', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, NET);
    on.hosts.at(0).deaf = true;
    await on.network(2, NET);
    on.hosts.pass(5000);
    on.hosts.at(0).deaf = false;
    await on.say(1, (driver) => driver.releasePool(id));
    assert.ok(on.state(1).pools.get(id));
  });

  describe('does not come while a host uses it as only a later release can read', () => {
    /** Its host has another release from now on. */
    const later = (on: Drivers, host: number, id: string) => {
      const key = on.state(host).poolUses.key(id);
      on.store(host).write([{ key, value: { pools: [id] } }], (error) => assert.equal(error, undefined));
      on.hosts.gossip();
      assert.equal(on.state(1).poolUses.read(on.store(1).get(key)), undefined);
    };

    it('and the treasury gives it back', async () => {
      const on = new Drivers(2);
      const id = await on.network(1, NET);
      on.hosts.at(0).deaf = true;
      await on.network(2, NET);
      on.hosts.pass(5000);
      on.hosts.at(0).deaf = false;
      later(on, 2, id);
      await on.say(1, (driver) => driver.releasePool(id));
      assert.ok(on.state(1).pools.get(id));
    });

    it('and nobody else has it, nor any chunk of it', async () => {
      const on = new Drivers(2);
      on.hosts.loses = (method) => method === 'want';
      const id = await on.network(2, NET);
      later(on, 2, id);
      for (let minute = 0; minute < 3; minute++) {
        on.hosts.pass(MINUTE);
        await on.sweep(1);
      }
      assert.ok(on.state(1).pools.get(id));
    });

    it('nor do its gateway and auxiliary addresses change', async () => {
      const on = new Drivers(2);
      const id = await on.network(2, NET, { gateway: '10.1.0.1', aux: ['10.1.0.2'] });
      const before = on.state(1).pools.get(id);
      later(on, 2, id);
      const changed = /NR_OPTION_CONFLICT: host h2 has the gateway 10\.1\.0\.1, and not 10\.1\.0\.7/;
      assert.match(await on.network(1, NET, { gateway: '10.1.0.7' }).catch(String), changed);
      assert.deepEqual(on.state(1).pools.get(id), before);
    });
  });

  it('does not come while a host has lent an address of it', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, NET);
    const other = await on.network(2, '10.2.0.0/24');
    await on.endpoint(2, 'e2', await on.address(2, other), { 'ip-aliases': '10.1.0.90' });
    await on.say(1, (driver) => driver.releasePool(id));
    assert.ok(on.state(1).pools.get(id));
    await on.say(2, (driver) => driver.deleteEndpoint('n2', 'e2'));
    on.hosts.gossip();
    for (let minute = 0; minute < 3; minute++) {
      on.hosts.pass(MINUTE + 1);
      await on.sweep(1);
    }
    assert.equal(on.state(1).pools.get(id), undefined);
  });

  it('is followed by a new beginning when a host used it after all', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, NET, { gateway: '10.1.0.1', aux: ['10.1.0.2'] });
    const { space } = on.state(1).pools.get(id)!;
    // Host 2 begins to use it, and that is not heard before it is removed.
    await on.say(2, (driver) => driver.requestPool({ pool: NET, options: {}, v6: false }));
    await on.say(1, (driver) => driver.releasePool(id));
    on.hosts.gossip();
    on.hosts.pass(2000);
    on.hosts.gossip();
    const again = on.state(1).pools.get(id);
    assert.ok(again && again.space !== space, 'it is another one');
    assert.deepEqual([again.gateway, again.auxiliary], ['10.1.0.1', ['10.1.0.2']]);
    assert.match(await on.address(2, id), /^10\.1\.0\.3$/);
  });

  it('is undone by a change of it that nobody knew of, with other addresses to give', async () => {
    const on = new Drivers(2);
    const id = await on.network(1, NET);
    await on.say(2, (driver) => driver.requestPool({ pool: NET, options: {}, v6: false }));
    await on.say(1, (driver) => driver.releasePool(id));
    await on
      .say(2, (driver) => driver.requestAddress({ pool: id, address: '10.1.0.1', gateway: true }))
      .catch(() => {});
    const pool = on.state(2).pools.get(id)!;
    on.store(2).write(
      [{ key: `pool/${id}`, value: { ...pool, gateway: '10.1.0.9', gatewayGiven: true } }],
      () => {},
    );
    on.hosts.gossip();
    await on.sweep(1);
    const healed = on.state(1).pools.get(id)!;
    assert.equal(healed.gateway, '10.1.0.9');
    assert.ok(on.hosts.at(0).cluster.spaces.get(healed.space), 'it has a space');
    assert.match(await on.address(2, id), /^10\.1\.0\./);
  });
});
