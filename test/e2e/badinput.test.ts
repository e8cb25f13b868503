import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { say, send } from './plugin.ts';
import { peered, unchanged as unchangedOn } from './snapshot.ts';
import { createNetwork, docker, dockerFails, list, release, run, useLab } from './support.ts';

const ID = 'f'.repeat(64);
const OURS = ['-d', 'net-routed', '--ipam-driver', 'ipam-routed'];

describe('bad input', function () {
  this.timeout(60_000);
  const lab = useLab('e2ebad', { hosts: 1 });
  let h1: Host;
  const unchanged = (what: string, work: () => Promise<unknown>) => unchangedOn(lab(), h1, what, work);

  async function poolOf(subnet: string): Promise<string> {
    const pools = await list<{ id: string; prefix: string }>(h1, 'pools');
    const pool = pools.find(({ prefix }) => prefix === subnet);
    assert.ok(pool, subnet);
    return pool.id;
  }

  before(async () => {
    h1 = lab().host('h1');
    const gateways = ['--gateway', '10.1.0.1', '--gateway', 'fd00:9::1'];
    await createNetwork(h1, 'mine', ['10.1.0.0/16', 'fd00:9::/64'], ...gateways);
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--ip6', 'fd00:9::2');
    await peered(lab(), h1);
  });

  const MAPPED = 'an IPv4-mapped subnet';
  /** Flags of a network with an IPv4 subnet that is fine and an IPv6 one. */
  const v6 = (subnet: string) => [...OURS, '--ipv6', '--subnet', '10.5.0.0/16', '--subnet', subnet];
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
    ['a link-local subnet', v6('fe80::/64'), /NR_PREFIX_INVALID/],
    ['a multicast subnet', v6('ff05::/64'), /NR_PREFIX_INVALID/],
    ['an IPv6 subnet that overlaps another', v6('fd00:9::/80'), /NR_POOL_OVERLAP/],
    [MAPPED, v6('::ffff:10.6.0.0/112'), /NR_PREFIX_INVALID|invalid/i],
    // Newer engines refuse these themselves.
    ['a subnet with host bits', [...OURS, '--subnet', '10.5.0.1/16'], /NR_PREFIX_INVALID|invalid subnet/],
    ['an IPv6 subnet with host bits', v6('fd00:b::1/64'), /NR_PREFIX_INVALID|invalid subnet/],
    ['a subnet of length 33', [...OURS, '--subnet', '10.5.0.0/33'], /invalid/i],
    ['a subnet with a leading zero', [...OURS, '--subnet', '010.5.0.0/16'], /invalid/i],
    [
      'a range outside of the subnet',
      [...OURS, '--subnet', '10.5.0.0/16', '--ip-range', '10.6.0.0/24'],
      /NR_POOL_RANGE_INVALID|no matching subnet|invalid ip-range/i,
    ],
    ...['10.5.0.0', '10.5.255.255'].map((gateway): [string, string[], RegExp] => [
      `the gateway ${gateway}`,
      [...OURS, '--subnet', '10.5.0.0/16', '--gateway', gateway],
      /NR_ADDRESS_RESERVED/,
    ]),
    ['the IPv6 gateway fd00:b::', [...v6('fd00:b::/64'), '--gateway', 'fd00:b::'], /NR_ADDRESS_RESERVED/],
    [
      'a gateway that is the broadcast address, as an option',
      [...OURS, '--subnet', '10.5.0.0/16', '-o', 'gateway=10.5.255.255'],
      /NR_ADDRESS_RESERVED/,
    ],
    // The host is 192.168.1.2, and 192.168.1.1 is its router.
    ...['8.8.8.8', '127.0.0.1', '224.0.0.1', '192.168.1.1', '192.168.1.2', '10.1.0.9'].map(
      (gateway): [string, string[], RegExp] => [
        `the gateway ${gateway}, as an option`,
        [...OURS, '--subnet', '10.5.0.0/16', '-o', `gateway=${gateway}`],
        /NR_ADDRESS_UNUSABLE/,
      ],
    ),
    [
      "the gateway that is the host's router",
      [...OURS, '--subnet', '192.168.1.0/24', '--gateway', '192.168.1.1'],
      /NR_ADDRESS_UNUSABLE.*router/,
    ],
    [
      'two gateways that differ',
      [...OURS, '--subnet', '10.5.0.0/16', '--gateway', '10.5.0.1', '-o', 'gateway=10.5.0.2'],
      /NR_OPTION_CONFLICT/,
    ],
    [
      'an address set apart that is the broadcast address',
      [...OURS, '--subnet', '10.5.0.0/16', '--aux-address', 'one=10.5.255.255'],
      /NR_ADDRESS_RESERVED/,
    ],
    ['MTU 1279 with IPv6', [...v6('fd00:b::/64'), '-o', 'mtu=1279'], /NR_MTU_INVALID/],
    ['an MTU that is no number', [...OURS, '--subnet', '10.5.0.0/16', '-o', 'mtu=1e3'], /NR_MTU_INVALID/],
  ];
  for (const [what, args, error] of creations) {
    it(`${what} creates no network`, () =>
      unchanged(what, async () => {
        assert.match(await dockerFails(h1, 'network', 'create', ...args, 'bad'), error);
        // Docker 28 forgets the IPv4 pool when it cannot read an IPv6 one; else it would be free after a minute.
        if (what === MAPPED) await say(h1, 'IpamDriver.ReleasePool', { PoolID: 'default:10.5.0.0/16' });
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
    [
      'outside of the IPv6 subnet',
      'fd00:a::2',
      /NR_ADDRESS_OUTSIDE|no configured subnet|not belong to any|not found in the address pool/i,
    ],
    ['that is the subnet-router anycast address', 'fd00:9::', /NR_ADDRESS_RESERVED/],
    ['that is the IPv6 gateway', 'fd00:9::1', /NR_ADDRESS_RESERVED/],
    ['of IPv6 that another container has', 'fd00:9::2', /NR_ADDRESS_IN_USE.*endpoint/],
    ['of IPv6 with a length', 'fd00:9::3/129', /invalid/i],
    ['of IPv6 with a zone', 'fd00:9::3%eth0', /invalid/i],
    [
      'of IPv4 in IPv6',
      '::ffff:10.1.0.3',
      /NR_ADDRESS_INVALID|invalid|no configured subnet|not belong to any|not found in the address pool/i,
    ],
  ];
  for (const [what, address, error] of addresses) {
    it(`an address ${what} starts no container`, () =>
      unchanged(what, async () => {
        const v6 = address.includes(':');
        const asked = v6 ? ['--ip', '10.1.0.9', '--ip6', address] : ['--ip', address];
        const said = await dockerFails(
          h1,
          'run',
          '--rm',
          '--network',
          'mine',
          ...asked,
          'busybox:local',
          'true',
        );
        assert.match(said, error);
        // dockerd forgets the IPv4 address that it was given before; else it would be free after five minutes.
        if (v6)
          await say(h1, 'IpamDriver.ReleaseAddress', {
            PoolID: await poolOf('10.1.0.0/16'),
            Address: '10.1.0.9',
          });
      }));
  }

  const options: [string, RegExp][] = [
    ['mtu=67', /NR_MTU_INVALID/],
    ['mtu=70000', /NR_MTU_INVALID/],
    ['speed=fast', /NR_OPTION_UNKNOWN.*ip-aliases/],
    ['ip-aliases=10.9.0.0/24', /NR_OPTION_INVALID/],
    ...['0.0.0.0', '169.254.1.1', '255.255.255.255', '192.168.1.1', '192.168.1.2', '192.168.1.7'].map(
      (alias): [string, RegExp] => [`ip-aliases=${alias}`, /NR_ADDRESS_UNUSABLE/],
    ),
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

  it('as one subnet for two networks that are made at a time makes one of them, which lasts', () =>
    unchanged('two networks at a time', async () => {
      for (let round = 0; round < 8; round++) {
        const create = (name: string) =>
          docker(
            h1,
            'network',
            'create',
            ...OURS,
            '--subnet',
            '10.5.0.0/16',
            '--aux-address',
            'x=10.5.0.9',
            name,
          );
        const made = await Promise.allSettled([create('twin1'), create('twin2')]);
        const name = `twin${made.findIndex(({ status }) => status === 'fulfilled') + 1}`;
        const refused = made.filter((one) => one.status === 'rejected');
        assert.equal(refused.length, 1);
        assert.match(String(refused[0]?.reason), /NR_POOL_OVERLAP|NR_ADDRESS_RESERVED/);
        assert.equal(
          (await list<{ prefix: string }>(h1, 'pools')).filter(({ prefix }) => prefix === '10.5.0.0/16')
            .length,
          1,
        );
        await docker(h1, 'run', '--rm', '--network', name, 'busybox:local', 'true');
        await docker(h1, 'network', 'rm', name);
      }
    }));

  it('in what dockerd would have stopped is refused by the driver itself', () =>
    unchanged('raw calls', async () => {
      const [four, six] = [await poolOf('10.1.0.0/16'), await poolOf('fd00:9::/64')];
      const wrong = [
        ...[
          '10.1.0.3/33',
          '10.1.0.3/32',
          '010.0.0.1',
          '::ffff:10.1.0.3',
          '10.1.3',
          '10.1.0.3\n',
          ' 10.1.0.3',
        ],
        ...[
          '0x0a010003',
          '167837699',
          '10.1.0.256',
          '१०.1.0.3',
          'fd00:9:::3',
          'fd00:9::3%eth0',
          'fd00:9::3/128',
        ],
      ];
      const address = (PoolID: string, Address: string, Options = {}) =>
        say(h1, 'IpamDriver.RequestAddress', { PoolID, Address, Options });
      for (const one of wrong) {
        for (const options of [{}, { RequestAddressType: 'com.docker.network.gateway' }]) {
          const { text } = await address(one.includes(':') ? six : four, one, options);
          assert.match(text, /"Error":"NR_ADDRESS_INVALID/, `${one}: ${text}`);
        }
      }
      assert.match((await address(six, '10.1.0.3')).text, /"Error":"NR_ADDRESS_OUTSIDE/);
      assert.match((await address(four, 'fd00:9::3')).text, /"Error":"NR_ADDRESS_OUTSIDE/);

      const pool = (Pool: string, V6: boolean, SubPool = '') =>
        say(h1, 'IpamDriver.RequestPool', { AddressSpace: '', Pool, SubPool, Options: {}, V6 });
      for (const one of [
        '10.5.0.1/16',
        '10.5.0.0/33',
        '010.5.0.0/16',
        '10.5.0.0',
        '10.5/16',
        '/16',
        '10.5.0.0/',
      ]) {
        const { text } = await pool(one, false);
        assert.match(text, /"Error":"NR_PREFIX_INVALID/, `${one}: ${text}`);
      }
      for (const one of [
        'fd00:b::1/64',
        'fd00:b::/129',
        '::ffff:10.5.0.0/112',
        '10.5.0.0/16',
        'fd00:b::%1/64',
      ]) {
        const { text } = await pool(one, true);
        assert.match(text, /"Error":"NR_PREFIX_INVALID/, `${one}: ${text}`);
      }
      assert.match((await pool('10.5.0.0/16', false, '10.6.0.0/24')).text, /"Error":"NR_POOL_RANGE_INVALID/);
      assert.match((await pool('10.5.0.0/16', false, '10.5.0.1/24')).text, /"Error":"NR_PREFIX_INVALID/);
    }));

  it('in form is refused: method, path, JSON, size', () =>
    unchanged('malformed requests', async () => {
      assert.equal((await send(h1, '/NetworkDriver.Nonsense', '{}')).status, 404);
      assert.equal((await send(h1, '/', '{}')).status, 404);
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const reply = await send(h1, '/NetworkDriver.CreateNetwork', undefined, method);
        assert.equal(reply.status, 405, method);
        assert.match(reply.text, /"Err":"NR_METHOD_UNKNOWN/);
      }
      const create = (body?: string) => send(h1, '/NetworkDriver.CreateNetwork', body);
      for (const body of [
        '{"NetworkID":',
        '{"NetworkID":"a"}}',
        "{'NetworkID':'a'}",
        '\0',
        undefined,
        '[]',
        '7',
      ])
        assert.match((await create(body)).text, /"Err":"NR_REQUEST_INVALID/, body);
      assert.match((await send(h1, '/IpamDriver.RequestPool', '[]')).text, /"Error":"NR_REQUEST_INVALID/);
      const large = Buffer.alloc(10 * 1024 * 1024, ' ');
      const reply = await send(h1, '/NetworkDriver.CreateNetwork', large).catch(
        (error: NodeJS.ErrnoException) => error,
      );
      // The driver may close before all of it is sent; what it must not do is take it.
      if (reply instanceof Error) assert.match(reply.code ?? '', /EPIPE|ECONNRESET/);
      else assert.match(reply.text, /NR_REQUEST_TOO_LARGE/);
      assert.match((await say(h1, 'Plugin.Activate')).text, /NetworkDriver/, 'it still answers');
    }));

  it('in ids that nobody gave is refused or has no effect', async () => {
    const NetworkID = (await list<{ id: string }>(h1, 'networks'))[0]?.id;
    const PoolID = 'default:10.9.0.0/16';
    const ids = { NetworkID, EndpointID: ID };
    const Interface = { Address: '10.1.0.9/32' };
    const answers: [string, object, RegExp][] = [
      ['NetworkDriver.Join', { ...ids, SandboxKey: '/x' }, /NR_ENDPOINT_UNKNOWN/],
      ['NetworkDriver.Join', { ...ids, NetworkID: ID, SandboxKey: '/x' }, /NR_NETWORK_UNKNOWN/],
      ['NetworkDriver.Leave', ids, /NR_ENDPOINT_UNKNOWN/],
      ['NetworkDriver.EndpointOperInfo', ids, /NR_ENDPOINT_UNKNOWN/],
      ['NetworkDriver.ProgramExternalConnectivity', ids, /NR_ENDPOINT_UNKNOWN/],
      ['NetworkDriver.RevokeExternalConnectivity', ids, /^\{\}$/],
      ['NetworkDriver.DeleteEndpoint', ids, /^\{\}$/],
      ['NetworkDriver.DeleteNetwork', { NetworkID: ID }, /^\{\}$/],
      ['NetworkDriver.CreateEndpoint', { ...ids, NetworkID: ID, Interface }, /NR_NETWORK_UNKNOWN/],
      ['NetworkDriver.CreateEndpoint', { ...ids, Interface }, /NR_ADDRESS_NOT_HELD/],
      ['NetworkDriver.CreateEndpoint', { ...ids, Interface: {} }, /NR_ENDPOINT_NO_ADDRESS/],
      [
        'NetworkDriver.CreateEndpoint',
        { ...ids, Interface: { Address: '10.1.0.9/33' } },
        /NR_PREFIX_INVALID/,
      ],
      [
        'NetworkDriver.CreateEndpoint',
        { ...ids, Interface: { Address: '10.9.0.9/32' } },
        /NR_ADDRESS_OUTSIDE/,
      ],
      ['NetworkDriver.CreateNetwork', { NetworkID: ID, IPv4Data: [], IPv6Data: [] }, /NR_IPAM_FOREIGN/],
      ['IpamDriver.RequestAddress', { PoolID }, /NR_POOL_UNKNOWN/],
      ['IpamDriver.ReleaseAddress', { PoolID, Address: '10.9.0.2' }, /^\{\}$/],
      ['IpamDriver.ReleasePool', { PoolID }, /^\{\}$/],
    ];
    for (const NetworkID of ['', '../etc', 'a b', 'a'.repeat(129), 7, null]) {
      for (const method of ['CreateNetwork', 'DeleteNetwork'])
        answers.push([`NetworkDriver.${method}`, { NetworkID }, /NR_REQUEST_INVALID/]);
      for (const method of [
        'CreateEndpoint',
        'Join',
        'Leave',
        'DeleteEndpoint',
        'RevokeExternalConnectivity',
      ])
        answers.push([
          `NetworkDriver.${method}`,
          { ...ids, EndpointID: NetworkID, SandboxKey: '/x' },
          /NR_REQUEST_INVALID/,
        ]);
    }
    await unchanged('unknown ids', async () => {
      for (const [method, body, answer] of answers)
        assert.match((await say(h1, method, body)).text, answer, `${method} ${JSON.stringify(body)}`);
    });
  });

  it('is refused on this release of Docker', async () => {
    const version = await docker(h1, 'version', '-f', '{{.Server.Version}}');
    const major = { bookworm: '20', trixie: '26', sid: '28' }[release ?? 'bookworm'];
    assert.equal(version.split('.')[0], major, 'the lab runs what it was asked to run');
  });
});
