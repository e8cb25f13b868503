import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { Host } from '../../lab/host.ts';
import { createNetwork, docker, dockerFails, list, ourLinks, release, run, useLab } from './support.ts';

const OURS = ['-d', 'net-routed', '--ipam-driver', 'ipam-routed'];
const ID = 'f'.repeat(64);

interface Reply {
  readonly status: number;
  readonly text: string;
}

/** Calls the plugin as dockerd would, or as it would not. */
function call(host: Host, path: string, body: string | Buffer | undefined, method = 'POST'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socketPath = host.path('/run/docker/plugins/net-routed.sock');
    const sent = request({ socketPath, path, method, headers: { host: '' }, agent: false }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => {
        text += part.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const say = (host: Host, path: string, body: object) => call(host, path, JSON.stringify(body));

describe('bad input', function () {
  this.timeout(60_000);
  const lab = useLab('e2ebad', { hosts: 1 });
  let h1: Host;

  /** All that a refused call must not change. */
  async function everything(): Promise<string> {
    const state = [
      (await list<{ id: string }>(h1, 'networks')).map(({ id }) => id),
      await list(h1, 'endpoints'),
      // Addresses that an attempt was given and gave back rest for a while.
      (await list<{ id: string; held: string }>(h1, 'pools')).map(({ id, held }) => [id, held]),
    ];
    const kernel = await h1.must([
      'sh',
      '-c',
      'ip route show proto 158 metric 158; ip -6 route show proto 158 metric 158',
    ]);
    const table = (await h1.must(['nft', 'list', 'table', 'inet', 'net_routed'])).replace(
      /packets \d+ bytes \d+/g,
      '',
    );
    return JSON.stringify([
      state,
      kernel,
      await ourLinks(h1),
      table,
      await docker(h1, 'network', 'ls', '-q'),
    ]);
  }

  async function unchanged(what: string, work: () => Promise<void>): Promise<void> {
    const before = await everything();
    await work();
    assert.equal(await everything(), before, `${what} changed something`);
  }

  before(async () => {
    h1 = lab().host('h1');
    await createNetwork(h1, 'mine', ['10.1.0.0/16', 'fd00:9::/64'], '--gateway', '10.1.0.1');
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2');
  });

  const creations: [string, string[], RegExp][] = [
    ['a subnet that overlaps another', [...OURS, '--subnet', '10.1.128.0/17'], /NR_POOL_OVERLAP/],
    ['the same subnet again', [...OURS, '--subnet', '10.1.0.0/16'], /NR_POOL_OVERLAP/],
    ['a subnet that contains another', [...OURS, '--subnet', '10.0.0.0/8'], /NR_POOL_OVERLAP/],
    [
      "Docker's own IPAM",
      ['-d', 'net-routed', '--subnet', '10.5.0.0/16'],
      /NR_IPAM_FOREIGN.*--ipam-driver ipam-routed/,
    ],
    [
      'an unknown option',
      [...OURS, '--subnet', '10.5.0.0/16', '-o', 'tennant=x'],
      /NR_OPTION_UNKNOWN.*known: tenant/,
    ],
    [
      'an unknown IPAM option',
      [...OURS, '--subnet', '10.5.0.0/16', '--ipam-opt', 'x=y'],
      /NR_OPTION_UNKNOWN/,
    ],
    [
      'an unknown tenant',
      [...OURS, '--subnet', '10.5.0.0/16', '--ipam-opt', 'tenant=red'],
      /NR_TENANT_UNKNOWN/,
    ],
    ['MTU 67', [...OURS, '--subnet', '10.5.0.0/16', '-o', 'mtu=67'], /NR_MTU_INVALID/],
    ['MTU 70000', [...OURS, '--subnet', '10.5.0.0/16', '-o', 'mtu=70000'], /NR_MTU_INVALID/],
    [
      'an encapsulation that is not there',
      [...OURS, '--subnet', '10.5.0.0/16', '-o', 'encap=vxlan'],
      /NR_ENCAP_UNSUPPORTED/,
    ],
    ['a loopback subnet', [...OURS, '--subnet', '127.0.0.0/8'], /NR_PREFIX_INVALID/],
  ];
  for (const [what, args, error] of creations) {
    it(`${what} creates no network`, () =>
      unchanged(what, async () => {
        assert.match(await dockerFails(h1, 'network', 'create', ...args, 'bad'), error);
      }));
  }

  const addresses: [string, string, RegExp][] = [
    [
      'outside of the subnet',
      '10.2.0.2',
      /NR_ADDRESS_OUTSIDE|no configured subnet|not belong to any|not found in the address pool/i,
    ],
    ['that is the network address', '10.1.0.0', /NR_ADDRESS_RESERVED/],
    ['that is the broadcast address', '10.1.255.255', /NR_ADDRESS_RESERVED/],
    ['that is the gateway', '10.1.0.1', /NR_ADDRESS_RESERVED/],
    ['that another container has', '10.1.0.2', /NR_ADDRESS_IN_USE.*endpoint/],
    ['with a length', '10.1.0.3/33', /invalid/i],
    ['with a leading zero', '010.1.0.3', /invalid/i],
  ];
  for (const [what, address, error] of addresses) {
    it(`an address ${what} starts no container`, () =>
      unchanged(what, async () => {
        const said = await dockerFails(
          h1,
          'run',
          '--rm',
          '--network',
          'mine',
          '--ip',
          address,
          'busybox:local',
          'true',
        );
        assert.match(said, error);
      }));
  }

  const options: [string, RegExp][] = [
    ['mtu=67', /NR_MTU_INVALID/],
    ['mtu=70000', /NR_MTU_INVALID/],
    ['speed=fast', /NR_OPTION_UNKNOWN.*ip-aliases/],
    ['ip-aliases=10.9.0.0/24', /NR_OPTION_INVALID/],
    ['ingress-allowed=10.9.0.1/24', /NR_PREFIX_INVALID/],
    ['anycast=perhaps', /NR_OPTION_INVALID/],
  ];
  for (const [option, error] of options) {
    it(`driver-opt ${option} starts no container`, () =>
      unchanged(option, async () => {
        const network = `name=mine,driver-opt=${option}`;
        assert.match(
          await dockerFails(h1, 'run', '--rm', '--network', network, 'busybox:local', 'true'),
          error,
        );
      }));
  }

  it('in what dockerd would have stopped is refused by the driver itself', () =>
    unchanged('raw calls', async () => {
      const pool = (await list<{ id: string; prefix: string }>(h1, 'pools')).find(
        ({ prefix }) => prefix === '10.1.0.0/16',
      );
      const wrong = [
        '10.1.0.3/33',
        '010.0.0.1',
        '::ffff:10.1.0.3',
        '10.1.3',
        '10.1.0.3\n',
        '0x0a010003',
        '167837699',
      ];
      for (const Address of wrong) {
        const { text } = await say(h1, '/IpamDriver.RequestAddress', {
          PoolID: pool?.id,
          Address,
          Options: {},
        });
        assert.match(text, /"Error":"NR_ADDRESS_INVALID/, `${Address}: ${text}`);
      }
      for (const Pool of ['10.5.0.1/16', '10.5.0.0/33', '010.5.0.0/16', '::ffff:10.5.0.0/112', '10.5.0.0']) {
        const { text } = await say(h1, '/IpamDriver.RequestPool', {
          AddressSpace: '',
          Pool,
          SubPool: '',
          Options: {},
          V6: false,
        });
        assert.match(text, /"Error":"NR_PREFIX_INVALID/, `${Pool}: ${text}`);
      }
    }));

  it('in form is refused: method, path, JSON, size', () =>
    unchanged('malformed requests', async () => {
      assert.equal((await call(h1, '/NetworkDriver.Nonsense', '{}')).status, 404);
      assert.equal((await call(h1, '/', '{}')).status, 404);
      assert.ok(
        [404, 405].includes((await call(h1, '/NetworkDriver.CreateNetwork', undefined, 'GET')).status),
      );
      assert.match(
        (await call(h1, '/NetworkDriver.CreateNetwork', '{"NetworkID":')).text,
        /"Err":"NR_REQUEST_INVALID/,
      );
      assert.match(
        (await call(h1, '/NetworkDriver.CreateNetwork', undefined)).text,
        /"Err":"NR_REQUEST_INVALID/,
      );
      assert.match((await call(h1, '/IpamDriver.RequestPool', '[]')).text, /"Error":"NR_REQUEST_INVALID/);
      const large = Buffer.alloc(10 * 1024 * 1024, ' ');
      const reply = await call(h1, '/NetworkDriver.CreateNetwork', large).catch(
        (error: NodeJS.ErrnoException) => error,
      );
      // The driver may close before all of it is sent; what it must not do is take it.
      if (reply instanceof Error) assert.match(reply.code ?? '', /EPIPE|ECONNRESET/);
      else assert.match(reply.text, /NR_REQUEST_TOO_LARGE/);
      assert.match((await call(h1, '/Plugin.Activate', undefined)).text, /NetworkDriver/, 'it still answers');
    }));

  it('of unknown ids and calls out of order is refused or has no effect', () =>
    unchanged('unknown ids', async () => {
      const networks = await list<{ id: string }>(h1, 'networks');
      const NetworkID = networks[0]?.id;
      const EndpointID = ID;
      const unknown: [string, object, RegExp][] = [
        ['Join', { NetworkID, EndpointID, SandboxKey: '/x', Options: {} }, /NR_ENDPOINT_UNKNOWN/],
        ['Join', { NetworkID: ID, EndpointID, SandboxKey: '/x', Options: {} }, /NR_NETWORK_UNKNOWN/],
        ['Leave', { NetworkID, EndpointID }, /NR_ENDPOINT_UNKNOWN/],
        ['EndpointOperInfo', { NetworkID, EndpointID }, /NR_ENDPOINT_UNKNOWN/],
        [
          'CreateEndpoint',
          { NetworkID: ID, EndpointID, Interface: { Address: '10.1.0.9/32' }, Options: {} },
          /NR_NETWORK_UNKNOWN/,
        ],
        [
          'CreateEndpoint',
          { NetworkID, EndpointID, Interface: { Address: '10.1.0.9/32' }, Options: {} },
          /NR_ADDRESS_NOT_HELD/,
        ],
        ['CreateEndpoint', { NetworkID, EndpointID, Interface: {}, Options: {} }, /NR_ENDPOINT_NO_ADDRESS/],
        ['CreateNetwork', { NetworkID: ID, Options: {}, IPv4Data: [], IPv6Data: [] }, /NR_IPAM_FOREIGN/],
        ['DeleteEndpoint', { NetworkID, EndpointID }, /^\{\}$/],
        ['DeleteNetwork', { NetworkID: ID }, /^\{\}$/],
      ];
      for (const [method, body, answer] of unknown) {
        const { text } = await say(h1, `/NetworkDriver.${method}`, body);
        assert.match(text, answer, `${method} ${JSON.stringify(body)}`);
      }
      assert.match((await say(h1, '/NetworkDriver.DeleteNetwork', { NetworkID })).text, /NR_NETWORK_IN_USE/);
    }));

  it('in the form of replays of every call changes nothing', async () => {
    const pool = { AddressSpace: 'net-routed', Pool: '10.7.0.0/24', SubPool: '', Options: null, V6: false };
    const NetworkID = 'a'.repeat(64);
    const EndpointID = 'b'.repeat(64);
    const ids = { NetworkID, EndpointID };
    const twice = async (path: string, body: object): Promise<Record<string, unknown>> => {
      const first = await say(h1, path, body);
      const before = await everything();
      const second = await say(h1, path, body);
      assert.deepEqual(second, first, path);
      assert.doesNotMatch(first.text, /"Err|"Error/, path);
      assert.equal(await everything(), before, `the replay of ${path} changed something`);
      return JSON.parse(first.text);
    };
    await h1.must(['ip', 'netns', 'add', 'replay']);
    const before = await everything();
    const { PoolID } = await twice('/IpamDriver.RequestPool', pool);
    const ipv4 = [{ AddressSpace: 'net-routed', Pool: '10.7.0.0/24' }];
    await twice('/NetworkDriver.CreateNetwork', { NetworkID, Options: {}, IPv4Data: ipv4, IPv6Data: [] });
    await twice('/IpamDriver.RequestAddress', { PoolID, Address: '10.7.0.2', Options: null });
    await twice('/NetworkDriver.CreateEndpoint', {
      ...ids,
      Interface: { Address: '10.7.0.2/32' },
      Options: null,
    });
    await twice('/NetworkDriver.Join', { ...ids, SandboxKey: '/run/netns/replay', Options: null });
    await twice('/NetworkDriver.EndpointOperInfo', ids);
    await twice('/NetworkDriver.ProgramExternalConnectivity', { ...ids, Options: null });
    await twice('/NetworkDriver.RevokeExternalConnectivity', ids);
    await twice('/NetworkDriver.Leave', ids);
    await twice('/NetworkDriver.DeleteEndpoint', ids);
    await twice('/IpamDriver.ReleaseAddress', { PoolID, Address: '10.7.0.2' });
    await twice('/NetworkDriver.DeleteNetwork', { NetworkID });
    await twice('/IpamDriver.ReleasePool', { PoolID });
    assert.equal(await everything(), before);
    await h1.must(['ip', 'netns', 'del', 'replay']);
  });

  it('is refused on this release of Docker', async () => {
    const version = await docker(h1, 'version', '-f', '{{.Server.Version}}');
    const major = { bookworm: '20', trixie: '26', sid: '28' }[release ?? 'bookworm'];
    assert.equal(version.split('.')[0], major, 'the lab runs what it was asked to run');
  });
});
