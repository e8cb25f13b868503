import assert from 'node:assert/strict';
import { contents, endpoint, POOL, withNetwork, world } from './world.ts';

/** The host is 10.1.0.5, its router 10.1.0.1, and there are others on its link. */
const CLAIMS: Record<string, string> = {
  '10.1.0.5': "the host's own",
  '10.1.0.1': "the host's router",
  '192.0.2.7': 'on the link eth0',
  '169.254.7.7': "the host's own",
};
const change = { claimed: (address: { toString(): string }) => CLAIMS[address.toString()] };

const network = (gateway: string) => ({
  network: 'n2',
  options: { gateway },
  internal: false,
  ipv4: [{ addressSpace: 'net-routed', pool: POOL.pool, auxAddresses: {} }],
  ipv6: [],
});

describe('a gateway', () => {
  const wrong = [
    ...['8.8.8.8', '0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1'],
    ...['10.2.0.1', '192.0.2.7', '10.1.0.5', '10.1.0.1', '169.254.7.7'],
  ];
  for (const gateway of wrong) {
    it(`${gateway} is refused`, async () => {
      const on = world(change);
      await on.driver.requestPool(POOL);
      await on.driver.requestPool({ ...POOL, pool: '10.2.0.0/16' });
      const before = contents(on);
      await assert.rejects(on.driver.createNetwork(network(gateway)), { code: 'NR_ADDRESS_UNUSABLE' });
      assert.equal(contents(on), before);
    });
  }

  it('of --gateway is refused when the host or its router has it', async () => {
    const on = world(change);
    const { id } = await on.driver.requestPool(POOL);
    for (const address of ['10.1.0.5', '10.1.0.1'])
      await assert.rejects(on.driver.requestAddress({ pool: id, address, gateway: true }), {
        code: 'NR_ADDRESS_UNUSABLE',
      });
  });

  it('may be of the subnet, or link-local', async () => {
    for (const gateway of ['10.1.0.2', '169.254.1.1']) {
      const on = world(change);
      const { id } = await on.driver.requestPool(POOL);
      await on.driver.createNetwork(network(gateway));
      await on.driver.createNetwork(network(gateway));
      assert.equal(on.state.pools.get(id)?.gateway, gateway);
    }
  });
});

describe('an alias', () => {
  const wrong = [
    '0.0.0.0',
    '127.0.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '169.254.1.1',
    '10.1.0.1',
    '192.0.2.7',
  ];
  for (const alias of wrong) {
    it(`${alias} is refused`, async () => {
      const on = await withNetwork(change);
      await on.driver.requestAddress({ pool: on.pool, address: '10.1.0.2', gateway: false });
      const before = contents(on);
      await assert.rejects(endpoint(on, 'e1', '10.1.0.2', { 'ip-aliases': alias }), {
        code: 'NR_ADDRESS_UNUSABLE',
      });
      assert.equal(contents(on), before);
    });
  }
});

describe('an address of the host or its router', () => {
  it('is not chosen', async () => {
    const on = await withNetwork(change);
    const given = [];
    for (let count = 0; count < 5; count++)
      given.push((await on.driver.requestAddress({ pool: on.pool, gateway: false })).address);
    assert.deepEqual(given, ['10.1.0.2/32', '10.1.0.3/32', '10.1.0.4/32', '10.1.0.6/32', '10.1.0.7/32']);
  });

  it('is no endpoint’s, and can be set apart', async () => {
    const on = await withNetwork(change);
    for (const address of ['10.1.0.1', '10.1.0.5'])
      await assert.rejects(endpoint(on, 'e1', address), { code: 'NR_ADDRESS_UNUSABLE' });
    const other = world(change);
    const { id } = await other.driver.requestPool(POOL);
    await other.driver.requestAddress({ pool: id, address: '10.1.0.1', gateway: false });
    const aside = { ...network('169.254.1.1') };
    const [ipv4] = aside.ipv4;
    assert.ok(ipv4);
    await other.driver.createNetwork({
      ...aside,
      ipv4: [{ ...ipv4, auxAddresses: { router: '10.1.0.1/32' } }],
    });
    assert.equal(other.driver.addresses.get(other.driver.pools.get(id), '10.1.0.1')?.use, 'auxiliary');
  });
});
