import assert from 'node:assert/strict';
import { type Call, type Exchange, fixtures, type Running, running } from './harness.ts';
import { replay } from './replay.ts';

/** The n-th id of a recording. */
const id = (n: number): string => n.toString(16).padStart(4, '0').repeat(16);

const pool = (prefix: string, gateway: string, auxAddresses: Record<string, string> = {}) => ({
  addressSpace: 'net-routed',
  pool: prefix,
  gateway,
  auxAddresses,
});
const v4 = (prefix: string, gateway = '0.0.0.0/0') => [pool(prefix, gateway)];
const v6 = (prefix: string, gateway = '::/0') => [pool(prefix, gateway)];
const network = (n: number, ipv4: object[], ipv6: object[] = [], options = {}, internal = false): Call => [
  'createNetwork',
  { network: id(n), options, internal, ipv4, ipv6 },
];
const RANGE = [
  { protocol: 6, port: 80, hostAddress: '', hostPort: 8080, hostPortEnd: 8089 },
  { protocol: 132, port: 99, hostAddress: '::1', hostPort: 0, hostPortEnd: 0 },
];

/** The calls that each recording makes, written down by hand. */
const EXPECTED: Record<string, Call[]> = {
  'docker-20.10/create-plain': [
    ['requestPool', { pool: '10.1.0.0/16', options: {}, v6: false }],
    network(1, v4('10.1.0.0/16')),
  ],
  'docker-20.10/create-range-gateway-aux': [
    ['requestPool', { pool: '10.2.0.0/16', subPool: '10.2.4.0/24', options: {}, v6: false }],
    ['requestAddress', { pool: 'default 10.2.0.0/16', address: '10.2.4.1', gateway: true }],
    ['requestAddress', { pool: 'default 10.2.0.0/16', address: '10.2.4.9', gateway: false }],
    network(2, [pool('10.2.0.0/16', '10.2.4.1/32', { printer: '10.2.4.9/32' })]),
  ],
  'docker-20.10/create-dual': [
    ['requestPool', { pool: '10.3.0.0/16', options: {}, v6: false }],
    ['requestPool', { pool: 'fd00:3::/64', options: {}, v6: true }],
    network(3, v4('10.3.0.0/16'), v6('fd00:3::/64')),
  ],
  'docker-20.10/create-options': [
    ['requestPool', { pool: '10.4.0.0/16', options: { tenant: 'red' }, v6: false }],
    network(4, v4('10.4.0.0/16'), [], { mtu: '1400', tenant: 'red' }),
  ],
  'docker-20.10/create-internal': [
    ['requestPool', { pool: '10.5.0.0/16', options: {}, v6: false }],
    network(5, v4('10.5.0.0/16'), [], {}, true),
  ],
  'docker-20.10/create-automatic': [
    ['requestPool', { options: {}, v6: false }],
    network(6, v4('10.100.0.0/24')),
  ],
  'docker-20.10/create-foreign-ipam': [
    network(8, [{ ...pool('10.7.0.0/16', '10.7.0.1/16'), addressSpace: 'LocalDefault' }]),
  ],
  'docker-20.10/run-ip-mac-port': [
    ['requestAddress', { pool: 'default 10.1.0.0/16', address: '10.1.0.7', gateway: false }],
    [
      'createEndpoint',
      { network: id(1), endpoint: id(12), address: '10.1.0.7/32', mac: '02:42:0a:01:00:07', options: {} },
    ],
    ['join', { network: id(1), endpoint: id(12), sandbox: '/run/docker/netns/000d000d000d' }],
    [
      'publish',
      id(1),
      id(12),
      [
        { protocol: 6, port: 80, hostAddress: '', hostPort: 8080, hostPortEnd: 8080 },
        { protocol: 17, port: 53, hostAddress: '127.0.0.1', hostPort: 5353, hostPortEnd: 5353 },
      ],
    ],
    ['endpointInfo', id(1), id(12)],
    ['endpointInfo', id(1), id(12)],
  ],
  'docker-20.10/run-driver-opt': [
    ['requestAddress', { pool: 'default 10.1.0.0/16', gateway: false }],
    [
      'createEndpoint',
      {
        network: id(1),
        endpoint: id(15),
        address: '10.1.0.4/32',
        options: { 'com.medallia.routed.network.ingress-allowed': '10.1.0.0/16', 'ip-aliases': '10.1.9.9' },
      },
    ],
    ['join', { network: id(1), endpoint: id(15), sandbox: '/run/docker/netns/001000100010' }],
    ['publish', id(1), id(15), []],
    ['endpointInfo', id(1), id(15)],
    ['endpointInfo', id(1), id(15)],
  ],
  'docker-20.10/run-dual': [
    ['requestAddress', { pool: 'default 10.3.0.0/16', gateway: false }],
    ['requestAddress', { pool: 'default fd00:3::/64', address: 'fd00:3::33', gateway: false }],
    [
      'createEndpoint',
      { network: id(3), endpoint: id(18), address: '10.3.0.6/32', addressV6: 'fd00:3::33/128', options: {} },
    ],
    ['join', { network: id(3), endpoint: id(18), sandbox: '/run/docker/netns/001300130013' }],
    ['publish', id(3), id(18), []],
    ['endpointInfo', id(3), id(18)],
    ['endpointInfo', id(3), id(18)],
  ],
  'docker-20.10/stop': [
    ['unpublish', id(3), id(18)],
    ['leave', id(3), id(18)],
    ['deleteEndpoint', id(3), id(18)],
    ['releaseAddress', 'default 10.3.0.0/16', '10.3.0.6'],
    ['releaseAddress', 'default fd00:3::/64', 'fd00:3::33'],
  ],
  // The pools go before their network does.
  'docker-20.10/network-rm': [
    ['releasePool', 'default 10.3.0.0/16'],
    ['releasePool', 'default fd00:3::/64'],
    ['deleteNetwork', id(3)],
    ['releaseAddress', 'default 10.2.0.0/16', '10.2.4.1'],
    ['releaseAddress', 'default 10.2.0.0/16', '10.2.4.9'],
    ['releasePool', 'default 10.2.0.0/16'],
    ['deleteNetwork', id(2)],
    ['releasePool', 'default 10.5.0.0/16'],
    ['deleteNetwork', id(5)],
    ['releasePool', 'default 10.4.0.0/16'],
    ['deleteNetwork', id(4)],
  ],
  'docker-27.5/run-ports': [
    ['requestAddress', { pool: 'default 10.1.0.0/16', gateway: false }],
    ['createEndpoint', { network: id(1), endpoint: id(12), address: '10.1.0.2/32', options: {} }],
    ['join', { network: id(1), endpoint: id(12), sandbox: '/var/run/docker/netns/001000100010' }],
    ['publish', id(1), id(12), RANGE],
    ['endpointInfo', id(1), id(12)],
    ['endpointInfo', id(1), id(12)],
  ],
  'docker-28.5/create-ipv6-only': [
    ['requestPool', { pool: 'fd00:3::/64', options: { tenant: 'red' }, v6: true }],
    network(3, [], v6('fd00:3::/64'), { tenant: 'red' }),
  ],
  'docker-28.5/create-gateway': [
    ['requestPool', { pool: '10.2.0.0/16', subPool: '10.2.4.0/24', options: {}, v6: false }],
    ['requestAddress', { pool: 'default 10.2.0.0/16', address: '10.2.4.1', gateway: true }],
    network(2, v4('10.2.0.0/16', '10.2.4.1/32')),
  ],
  'docker-28.5/run-ipv6-only': [
    ['requestAddress', { pool: 'default fd00:3::/64', gateway: false }],
    ['createEndpoint', { network: id(3), endpoint: id(18), addressV6: 'fd00:3::2/128', options: {} }],
    ['join', { network: id(3), endpoint: id(18), sandbox: '/var/run/docker/netns/001000100010' }],
    ['publish', id(3), id(18), []],
    ['endpointInfo', id(3), id(18)],
    ['endpointInfo', id(3), id(18)],
  ],
  'docker-28.5/run-portmap-variants': [20, 21, 22, 23].flatMap((n): Call[] => [
    ['requestAddress', { pool: 'default 10.1.0.0/16', gateway: false }],
    ['createEndpoint', { network: id(1), endpoint: id(n), address: '10.1.0.2/32', options: {} }],
    ['join', { network: id(1), endpoint: id(n), sandbox: '/var/run/docker/netns/001000100010' }],
    ['publish', id(1), id(n), []],
  ]),
  'docker-28.5/run-ifname-sysctl-mac': [
    ['requestAddress', { pool: 'default 10.1.0.0/16', gateway: false }],
    [
      'createEndpoint',
      {
        network: id(1),
        endpoint: id(24),
        address: '10.1.0.2/32',
        mac: '02:42:0a:01:00:07',
        options: { mtu: '1400' },
      },
    ],
    ['join', { network: id(1), endpoint: id(24), sandbox: '/var/run/docker/netns/001000100010' }],
    ['publish', id(1), id(24), []],
    ['endpointInfo', id(1), id(24)],
    ['endpointInfo', id(1), id(24)],
  ],
  'docker-29.7/create-aux-address': [
    ['requestPool', { pool: '10.2.0.0/16', options: {}, v6: false }],
    ['requestAddress', { pool: 'default 10.2.0.0/16', address: '10.2.4.9', gateway: false }],
    network(2, [pool('10.2.0.0/16', '0.0.0.0/0', { printer: '10.2.4.9/32' })]),
  ],
  'docker-29.7/run-named-ports': [
    ['requestAddress', { pool: 'default 10.1.0.0/16', address: '10.1.0.7', gateway: false, holder: 'web' }],
    ['createEndpoint', { network: id(1), endpoint: id(12), address: '10.1.0.7/32', options: {} }],
    ['join', { network: id(1), endpoint: id(12), sandbox: '/var/run/docker/netns/001000100010' }],
    ['publish', id(1), id(12), RANGE],
    ['endpointInfo', id(1), id(12)],
    ['endpointInfo', id(1), id(12)],
  ],
  'docker-29.7/run-two-gateways': [
    ['requestAddress', { pool: 'default fd00:3::/64', gateway: false, holder: 'web' }],
    ['createEndpoint', { network: id(3), endpoint: id(13), addressV6: 'fd00:3::2/128', options: {} }],
    ['join', { network: id(3), endpoint: id(13), sandbox: '/var/run/docker/netns/001000100010' }],
    ['unpublish', id(1), id(12)],
    ['publish', id(1), id(12), RANGE],
    ['publish', id(3), id(13), RANGE],
  ],
  'docker-29.7/discover': [],
};

describe('cnm: what a recording asks of the driver', () => {
  let servers: Record<Exchange['socket'], Running>;

  before(async () => {
    const net = await running();
    const ipam = await running({ ipamOnly: true });
    // Both write into one list, so that the order between them shows.
    Object.defineProperty(ipam.calls, 'made', { value: net.calls.made });
    servers = { 'net-routed': net, 'ipam-routed': ipam };
  });
  after(async () => {
    for (const server of Object.values(servers)) await server.stop();
  });

  for (const [name, expected] of Object.entries(EXPECTED)) {
    it(name, async () => {
      const fixture = (await fixtures()).find((one) => one.name === name);
      assert.ok(fixture, 'no such fixture');
      const { made } = servers['net-routed'].calls;
      made.length = 0;
      await replay(fixture, servers);
      assert.deepEqual(made, expected);
    });
  }
});
