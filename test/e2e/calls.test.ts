import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { ipamMethods } from '../../src/cnm/ipam.ts';
import { networkMethods } from '../../src/cnm/network.ts';
import type { AddressCalls, NetworkCalls } from '../../src/driver/calls.ts';
import { say } from './plugin.ts';
import { peered, type Snapshot, settled, snapshot } from './snapshot.ts';
import { createNetwork, list, routed, run, useLab } from './support.ts';

type Answer = Record<string, unknown>;

const SPACE = 'net-routed';
const GATEWAY = { RequestAddressType: 'com.docker.network.gateway' };
const POOL = '10.7.0.0/24';
const POOL_V6 = 'fd00:7::/64';
const NetworkID = 'a'.repeat(64);
const EndpointID = 'b'.repeat(64);
const OTHER = 'c'.repeat(64);
const ids = { NetworkID, EndpointID };
const SandboxKey = '/run/netns/replay';

const requestPool = (Pool: string) => ({
  AddressSpace: SPACE,
  Pool,
  SubPool: '',
  Options: null,
  V6: Pool.includes(':'),
});
const NETWORK = {
  NetworkID,
  Options: {},
  IPv4Data: [{ AddressSpace: SPACE, Pool: POOL, Gateway: '10.7.0.1/32' }],
  IPv6Data: [{ AddressSpace: SPACE, Pool: POOL_V6 }],
};
const ENDPOINT = {
  ...ids,
  Interface: { Address: '10.7.0.2/32', AddressIPv6: 'fd00:7::2/128', MacAddress: '' },
  Options: null,
};
const JOIN = { ...ids, SandboxKey, Options: null };
/** `docker run -p 8080:80 -p 81`, the second on any port of the host. */
const PROGRAM = {
  ...ids,
  Options: {
    'com.docker.network.portmap': [
      { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 },
      { Proto: 17, IP: '', Port: 81, HostIP: '', HostPort: 0, HostPortEnd: 0 },
    ],
  },
};
const DISCOVERY = {
  DiscoveryType: 1,
  DiscoveryData: { Address: '192.0.2.7', BindAddress: '192.0.2.7', Self: false },
};

describe("Docker's calls", function () {
  this.timeout(120_000);
  const lab = useLab('e2ecalls', { hosts: 1 });
  let h1: Host;
  /** Ids of the pools of POOL and POOL_V6: the same in every test. */
  let four: string;
  let six: string;

  /** How everything is, where no call has had an effect since; reading it takes a while. */
  let current: Snapshot | undefined;

  /** A call that is answered with something, and may have an effect. */
  async function call(method: string, body?: object): Promise<Answer> {
    current = undefined;
    const { status, text } = await say(h1, method, body);
    assert.equal(status, 200, `${method}: ${text}`);
    const answer = JSON.parse(text) as Answer;
    assert.equal(answer.Err ?? answer.Error, undefined, `${method} ${JSON.stringify(body)}`);
    return answer;
  }

  /** A call that has no effect: it is refused with the code, or answered with nothing where there is none. */
  async function idle(code: string | undefined, method: string, body?: object): Promise<void> {
    const what = `${method} ${JSON.stringify(body)}`;
    current ??= await settled(lab(), h1);
    const { status, text } = await say(h1, method, body);
    assert.equal(status, 200, what);
    if (code === undefined) assert.equal(text, '{}', what);
    else
      assert.match(text, new RegExp(`^{"${method.startsWith('Ipam') ? 'Error' : 'Err'}":"${code}: `), what);
    assert.deepEqual(await snapshot(lab(), h1), current, `${what} changed something`);
  }

  async function createPools(): Promise<void> {
    four = String((await call('IpamDriver.RequestPool', requestPool(POOL))).PoolID);
    six = String((await call('IpamDriver.RequestPool', requestPool(POOL_V6))).PoolID);
  }

  async function makeNetwork(): Promise<void> {
    await createPools();
    await call('IpamDriver.RequestAddress', { PoolID: four, Address: '10.7.0.1', Options: GATEWAY });
    await call('NetworkDriver.CreateNetwork', NETWORK);
  }

  async function requestAddresses(): Promise<void> {
    await call('IpamDriver.RequestAddress', { PoolID: four, Address: '10.7.0.2', Options: null });
    await call('IpamDriver.RequestAddress', { PoolID: six, Address: 'fd00:7::2', Options: null });
  }

  async function joinEndpoint(): Promise<Answer> {
    await requestAddresses();
    await call('NetworkDriver.CreateEndpoint', ENDPOINT);
    return call('NetworkDriver.Join', JOIN);
  }

  async function releaseAddresses(): Promise<void> {
    await call('IpamDriver.ReleaseAddress', { PoolID: four, Address: '10.7.0.2' });
    await call('IpamDriver.ReleaseAddress', { PoolID: six, Address: 'fd00:7::2' });
  }

  async function releasePools(): Promise<void> {
    for (const PoolID of [four, six]) await call('IpamDriver.ReleasePool', { PoolID });
  }

  /** Id of another network. */
  let mine: string;
  let start: Snapshot;
  before(async () => {
    h1 = lab().host('h1');
    mine = await createNetwork(h1, 'mine', ['10.1.0.0/16', 'fd00:9::/64']);
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--ip6', 'fd00:9::2');
    for (const address of ['10.1.0.2', 'fd00:9::2']) await routed(lab().tor, address);
    await peered(lab(), h1);
    // Else what Docker does not know may be removed, a minute after it was made. The container goes on.
    await h1.stopDocker('SIGKILL');
    await h1.must(['ip', 'netns', 'add', 'replay']);
    await h1.must(['ip', 'netns', 'add', 'another']);
  });
  beforeEach(async () => {
    current = undefined;
    start = await settled(lab(), h1);
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'passed')
      assert.deepEqual(await settled(lab(), h1), start, 'nothing is left of the test');
    // One that failed is not to take the others with it.
    await say(h1, 'NetworkDriver.DeleteEndpoint', ids);
    for (const PoolID of [four, six]) await say(h1, 'IpamDriver.ReleasePool', { PoolID });
    await say(h1, 'NetworkDriver.DeleteNetwork', { NetworkID });
  });

  it('made twice have the effect of one, each of them', async () => {
    const replayed = new Set<string>();
    const twice = async (method: string, body?: object): Promise<Answer> => {
      replayed.add(method);
      const first = await call(method, body);
      const before = await settled(lab(), h1);
      assert.deepEqual(await call(method, body), first, `the replay of ${method} is answered otherwise`);
      assert.deepEqual(await snapshot(lab(), h1), before, `the replay of ${method} changed something`);
      return first;
    };
    const refusedTwice = async (method: string, code: string, body: object): Promise<void> => {
      replayed.add(method);
      for (const _ of [1, 2]) await idle(code, method, body);
    };
    await twice('Plugin.Activate');
    await twice('NetworkDriver.GetCapabilities');
    await twice('IpamDriver.GetCapabilities');
    await twice('IpamDriver.GetDefaultAddressSpaces');
    await twice('NetworkDriver.DiscoverNew', DISCOVERY);
    await twice('NetworkDriver.DiscoverDelete', DISCOVERY);
    await refusedTwice('NetworkDriver.AllocateNetwork', 'NR_SWARM_UNSUPPORTED', NETWORK);
    await refusedTwice('NetworkDriver.FreeNetwork', 'NR_SWARM_UNSUPPORTED', { NetworkID });

    await twice('NetworkDriver.GwAllocCheck', { Options: {} });
    four = String((await twice('IpamDriver.RequestPool', requestPool(POOL))).PoolID);
    six = String((await twice('IpamDriver.RequestPool', requestPool(POOL_V6))).PoolID);
    await twice('IpamDriver.RequestAddress', { PoolID: four, Address: '10.7.0.1', Options: GATEWAY });
    await twice('IpamDriver.RequestAddress', { PoolID: six, Address: '', Options: GATEWAY });
    await twice('NetworkDriver.CreateNetwork', NETWORK);
    await twice('IpamDriver.RequestAddress', { PoolID: four, Address: '10.7.0.2', Options: null });
    await twice('IpamDriver.RequestAddress', { PoolID: six, Address: 'fd00:7::2', Options: null });
    const created = await twice('NetworkDriver.CreateEndpoint', ENDPOINT);
    assert.deepEqual(created, { Interface: { MacAddress: '02:42:0a:07:00:02' } });
    await twice('NetworkDriver.Join', JOIN);
    for (const address of ['10.7.0.2', 'fd00:7::2']) await routed(lab().tor, address);
    await twice('NetworkDriver.EndpointOperInfo', ids);
    await twice('NetworkDriver.ProgramExternalConnectivity', PROGRAM);
    const [endpoint] = (await list<{ id: string; ports: { hostPort: number }[] }>(h1, 'endpoints')).filter(
      ({ id }) => id === EndpointID,
    );
    assert.equal(endpoint?.ports.length, 2);
    assert.match((await h1.must(['nft', 'list', 'table', 'inet', 'net_routed'])).toString(), /\b8080\b/);
    await twice('NetworkDriver.RevokeExternalConnectivity', ids);
    await twice('NetworkDriver.Leave', ids);
    await twice('NetworkDriver.DeleteEndpoint', ids);
    await twice('IpamDriver.ReleaseAddress', { PoolID: four, Address: '10.7.0.2' });
    await twice('IpamDriver.ReleaseAddress', { PoolID: six, Address: 'fd00:7::2' });
    await twice('IpamDriver.ReleasePool', { PoolID: four });
    await twice('IpamDriver.ReleasePool', { PoolID: six });
    await twice('NetworkDriver.DeleteNetwork', { NetworkID });

    const served = [...networkMethods({} as NetworkCalls), ...ipamMethods({} as AddressCalls)];
    assert.deepEqual(
      [...replayed].sort(),
      ['Plugin.Activate', ...served.map(({ name }) => name)].sort(),
      'all that is served',
    );
  });

  it('for anything, made twice, give two things, and each can be given back', async () => {
    await makeNetwork();
    const before = await settled(lab(), h1);
    for (const PoolID of [four, six]) {
      const ask = () => call('IpamDriver.RequestAddress', { PoolID, Address: '', Options: {} });
      const given = [(await ask()).Address, (await ask()).Address].map(
        (one) => String(one).split('/')[0] ?? '',
      );
      assert.notEqual(given[0], given[1], 'a replay cannot be told from a request of another container');
      const held = (await snapshot(lab(), h1)).records?.filter((one) => one.includes('"use":"held"'));
      assert.deepEqual(
        held?.map((one) => given.some((address) => one.includes(`"address":"${address}"`))),
        [true, true],
      );
      for (const Address of given) await call('IpamDriver.ReleaseAddress', { PoolID, Address });
      assert.deepEqual(await snapshot(lab(), h1), before);
    }
    for (const V6 of [false, true]) {
      const ask = () => call('IpamDriver.RequestPool', { ...requestPool(''), V6 });
      const given = [await ask(), await ask()];
      assert.notEqual(given[0]?.Pool, given[1]?.Pool);
      for (const { PoolID } of given) await call('IpamDriver.ReleasePool', { PoolID });
      assert.deepEqual(await snapshot(lab(), h1), before);
    }
    await releasePools();
    await call('NetworkDriver.DeleteNetwork', { NetworkID });
  });

  it('too early are refused or have no effect', async () => {
    // The pools do not exist yet, but their ids are what they will be.
    await createPools();
    await releasePools();
    await idle('NR_POOL_UNKNOWN', 'IpamDriver.RequestAddress', { PoolID: four, Address: '', Options: {} });
    await idle('NR_POOL_UNKNOWN', 'IpamDriver.RequestAddress', {
      PoolID: four,
      Address: '10.7.0.1',
      Options: GATEWAY,
    });
    await idle('NR_IPAM_FOREIGN', 'NetworkDriver.CreateNetwork', NETWORK);
    await createPools();
    await idle('NR_NETWORK_UNKNOWN', 'NetworkDriver.CreateEndpoint', ENDPOINT);
    await idle('NR_NETWORK_UNKNOWN', 'NetworkDriver.Join', JOIN);
    await call('NetworkDriver.CreateNetwork', NETWORK);
    await idle('NR_ADDRESS_NOT_HELD', 'NetworkDriver.CreateEndpoint', ENDPOINT);
    for (const [method, body] of [
      ['Join', JOIN],
      ['ProgramExternalConnectivity', PROGRAM],
      ['EndpointOperInfo', ids],
      ['Leave', ids],
    ] as const)
      await idle('NR_ENDPOINT_UNKNOWN', `NetworkDriver.${method}`, body);
    await idle(undefined, 'NetworkDriver.RevokeExternalConnectivity', ids);
    await idle(undefined, 'NetworkDriver.DeleteEndpoint', ids);
    await requestAddresses();
    await call('NetworkDriver.CreateEndpoint', ENDPOINT);
    await idle(undefined, 'NetworkDriver.Leave', ids);
    await idle('NR_ENDPOINT_NOT_JOINED', 'NetworkDriver.ProgramExternalConnectivity', PROGRAM);
    await idle(undefined, 'NetworkDriver.RevokeExternalConnectivity', ids);
    await call('NetworkDriver.Join', JOIN);
    await idle(undefined, 'NetworkDriver.RevokeExternalConnectivity', ids);
    await call('NetworkDriver.Leave', ids);
    await call('NetworkDriver.DeleteEndpoint', ids);
    await releaseAddresses();
    await releasePools();
  });

  it('of earlier, made again later, are refused or have no effect', async () => {
    await makeNetwork();
    const joined = await joinEndpoint();
    await call('NetworkDriver.ProgramExternalConnectivity', PROGRAM);
    const before = await settled(lab(), h1);

    for (const Pool of [POOL, POOL_V6])
      await idle('NR_POOL_OVERLAP', 'IpamDriver.RequestPool', requestPool(Pool));
    await idle(undefined, 'NetworkDriver.CreateNetwork', NETWORK);
    await idle('NR_NETWORK_EXISTS', 'NetworkDriver.CreateNetwork', { ...NETWORK, IPv6Data: [] });
    await idle('NR_POOL_OVERLAP', 'NetworkDriver.CreateNetwork', { ...NETWORK, NetworkID: OTHER });
    // As Docker does then.
    for (const PoolID of [four, six]) await idle(undefined, 'IpamDriver.ReleasePool', { PoolID });
    for (const [PoolID, Address] of [
      [four, '10.7.0.2'],
      [six, 'fd00:7::2'],
    ])
      await idle('NR_ADDRESS_IN_USE', 'IpamDriver.RequestAddress', { PoolID, Address, Options: null });
    const gateway = (Address: string) => ({ PoolID: four, Address, Options: GATEWAY });
    await call('IpamDriver.RequestAddress', gateway('10.7.0.1'));
    await idle('NR_OPTION_CONFLICT', 'IpamDriver.RequestAddress', gateway('10.7.0.9'));
    await idle(undefined, 'IpamDriver.ReleasePool', { PoolID: four });
    const again = await call('NetworkDriver.CreateEndpoint', ENDPOINT);
    assert.deepEqual(again, { Interface: { MacAddress: '02:42:0a:07:00:02' } });
    await idle('NR_ENDPOINT_EXISTS', 'NetworkDriver.CreateEndpoint', {
      ...ENDPOINT,
      Interface: { ...ENDPOINT.Interface, MacAddress: '02:42:0a:07:00:99' },
    });
    await idle('NR_ADDRESS_IN_USE', 'NetworkDriver.CreateEndpoint', { ...ENDPOINT, EndpointID: OTHER });
    assert.deepEqual(await call('NetworkDriver.Join', JOIN), joined);
    await idle('NR_ENDPOINT_JOINED', 'NetworkDriver.Join', { ...JOIN, SandboxKey: '/run/netns/another' });
    await idle(undefined, 'NetworkDriver.ProgramExternalConnectivity', PROGRAM);
    assert.deepEqual(await snapshot(lab(), h1), before);

    // By the id of another network, nothing of this one is reached.
    const wrong = { NetworkID: mine, EndpointID };
    for (const [method, body, code] of [
      ['Join', { ...JOIN, ...wrong }, 'NR_ENDPOINT_UNKNOWN'],
      ['ProgramExternalConnectivity', { ...PROGRAM, ...wrong }, 'NR_ENDPOINT_UNKNOWN'],
      ['RevokeExternalConnectivity', wrong, undefined],
      ['EndpointOperInfo', wrong, 'NR_ENDPOINT_UNKNOWN'],
      ['Leave', wrong, 'NR_ENDPOINT_UNKNOWN'],
      ['DeleteEndpoint', wrong, undefined],
    ] as const)
      await idle(code, `NetworkDriver.${method}`, body);

    await call('NetworkDriver.RevokeExternalConnectivity', ids);
    await call('NetworkDriver.Leave', ids);
    await idle('NR_ENDPOINT_NOT_JOINED', 'NetworkDriver.ProgramExternalConnectivity', PROGRAM);
    await call('NetworkDriver.DeleteEndpoint', ids);
    for (const [method, body] of [
      ['Join', JOIN],
      ['ProgramExternalConnectivity', PROGRAM],
      ['EndpointOperInfo', ids],
      ['Leave', ids],
    ] as const)
      await idle('NR_ENDPOINT_UNKNOWN', `NetworkDriver.${method}`, body);
    await releaseAddresses();
    await idle('NR_ADDRESS_NOT_HELD', 'NetworkDriver.CreateEndpoint', ENDPOINT);
    await call('NetworkDriver.DeleteNetwork', { NetworkID });
    await idle('NR_NETWORK_UNKNOWN', 'NetworkDriver.CreateEndpoint', ENDPOINT);
    await releasePools();
    await idle('NR_IPAM_FOREIGN', 'NetworkDriver.CreateNetwork', NETWORK);
    await idle('NR_POOL_UNKNOWN', 'IpamDriver.RequestAddress', { PoolID: four, Address: '', Options: {} });
    await idle(undefined, 'IpamDriver.ReleaseAddress', { PoolID: four, Address: '10.7.0.2' });
  });

  it('that give back the pools of a refused network leave those of the one that has them', async () => {
    await createPools();
    await makeNetwork();
    await idle('NR_POOL_OVERLAP', 'NetworkDriver.CreateNetwork', { ...NETWORK, NetworkID: OTHER });
    await idle(undefined, 'IpamDriver.ReleaseAddress', { PoolID: four, Address: '10.7.0.1' });
    for (const PoolID of [four, six]) await idle(undefined, 'IpamDriver.ReleasePool', { PoolID });
    await joinEndpoint();
    await call('NetworkDriver.Leave', ids);
    await call('NetworkDriver.DeleteEndpoint', ids);
    await releaseAddresses();
    await releasePools();
    await idle(undefined, 'NetworkDriver.DeleteNetwork', { NetworkID });
  });

  it('that take away what is in use are refused or have no effect', async () => {
    await makeNetwork();
    await joinEndpoint();
    await idle('NR_NETWORK_IN_USE', 'NetworkDriver.DeleteNetwork', { NetworkID });
    for (const PoolID of [four, six]) await idle('NR_POOL_IN_USE', 'IpamDriver.ReleasePool', { PoolID });
    for (const [PoolID, Address] of [
      [four, '10.7.0.2'],
      [six, 'fd00:7::2'],
    ])
      await idle(undefined, 'IpamDriver.ReleaseAddress', { PoolID, Address });
    await call('NetworkDriver.Leave', ids);
    await idle('NR_NETWORK_IN_USE', 'NetworkDriver.DeleteNetwork', { NetworkID });
    for (const PoolID of [four, six]) await idle('NR_POOL_IN_USE', 'IpamDriver.ReleasePool', { PoolID });
    await call('NetworkDriver.DeleteEndpoint', ids);
    await releaseAddresses();
    await call('NetworkDriver.DeleteNetwork', { NetworkID });
    await releasePools();
  });

  it('can join an endpoint again that has left', async () => {
    await makeNetwork();
    const joined = await joinEndpoint();
    const before = await settled(lab(), h1);
    for (let round = 0; round < 3; round++) {
      await call('NetworkDriver.Leave', ids);
      for (const address of ['10.7.0.2', 'fd00:7::2']) await routed(lab().tor, address, false);
      assert.deepEqual(await call('NetworkDriver.Join', JOIN), joined);
      for (const address of ['10.7.0.2', 'fd00:7::2']) await routed(lab().tor, address);
      assert.deepEqual(await settled(lab(), h1), before);
    }
    await call('NetworkDriver.Leave', ids);
    await call('NetworkDriver.DeleteEndpoint', ids);
    await releaseAddresses();
    await releasePools();
  });

  it('leave nothing when DeleteEndpoint comes before Leave', async () => {
    await makeNetwork();
    const before = await settled(lab(), h1);
    await joinEndpoint();
    await call('NetworkDriver.ProgramExternalConnectivity', PROGRAM);
    await call('NetworkDriver.DeleteEndpoint', ids);
    await idle('NR_ENDPOINT_UNKNOWN', 'NetworkDriver.Leave', ids);
    await idle(undefined, 'NetworkDriver.RevokeExternalConnectivity', ids);
    await releaseAddresses();
    assert.deepEqual(await settled(lab(), h1), before);
    await releasePools();
  });

  it('leave nothing when ReleaseAddress comes before DeleteEndpoint', async () => {
    await makeNetwork();
    const before = await settled(lab(), h1);
    await joinEndpoint();
    await call('NetworkDriver.Leave', ids);
    await releaseAddresses();
    await idle(undefined, 'NetworkDriver.DeleteEndpoint', ids);
    assert.deepEqual(await settled(lab(), h1), before);
    await releasePools();
  });

  it('leave nothing when ReleasePool comes before DeleteNetwork, as Docker does it', async () => {
    await makeNetwork();
    await releasePools();
    assert.deepEqual(await settled(lab(), h1), start);
    await idle(undefined, 'NetworkDriver.DeleteNetwork', { NetworkID });
    await idle('NR_NETWORK_UNKNOWN', 'NetworkDriver.CreateEndpoint', ENDPOINT);
    for (const PoolID of [four, six]) await idle(undefined, 'IpamDriver.ReleasePool', { PoolID });
  });

  it('leave nothing when DeleteNetwork comes before ReleasePool', async () => {
    await makeNetwork();
    await call('NetworkDriver.DeleteNetwork', { NetworkID });
    await releasePools();
  });
});
