import type {
  ClusterView,
  DoctorView,
  ElsewhereView,
  EndpointView,
  FailureView,
  HostView,
  NetworkView,
  PeersView,
  PoolView,
  RoutesView,
  StatusView,
} from '../../../src/api/views.ts';

const id = (start: string) => start.padEnd(64, '0');

const FAILURE: FailureView = {
  lane: 'kernel',
  key: 'route 254 10.1.0.3/32 158',
  code: 'NR_FOREIGN_OBJECT',
  what: 'the route is not ours',
  remedy: 'remove it',
  count: 4,
  seconds: 75,
};

export const POOLS: PoolView[] = [
  {
    id: 'default:10.1.0.0/16',
    tenant: 'default',
    prefix: '10.1.0.0/16',
    gateway: '169.254.7.1',
    automatic: false,
    network: { id: id('aaaa'), name: 'mine' },
    size: '65536',
    held: '2',
    resting: '1',
    free: '65531',
    here: '2',
    owned: '64',
    hosts: [
      { id: 'a1'.repeat(16), name: 'h1', owned: '64', used: '2' },
      { id: 'b2'.repeat(16), name: 'h2', owned: '65472', used: '0' },
    ],
  },
  {
    id: 'default:fd00:9::/64',
    tenant: 'default',
    prefix: 'fd00:9::/64',
    gateway: 'fe80::1',
    automatic: true,
    size: '18446744073709551616',
    held: '0',
    resting: '0',
    free: '18446744073709551615',
    here: '0',
    owned: '0',
    hosts: [],
  },
  {
    id: 'default:10.2.0.0/16',
    tenant: 'default',
    prefix: '10.2.0.0/16',
    range: '10.2.4.0/24',
    gateway: '169.254.7.2',
    automatic: false,
    size: '256',
    held: '3',
    resting: '0',
    free: '253',
    outside: '1',
    here: '1',
    owned: '128',
    hosts: [],
  },
];

export const NETWORK: NetworkView = {
  id: id('aaaa'),
  name: 'mine',
  tenant: 'default',
  encap: 'none',
  mtu: 1500,
  internal: false,
  createdAt: '2026-01-02T03:04:05.000Z',
  endpoints: 2,
  pools: [POOLS[0]!],
  hosts: ['h1', 'h2'],
  madeOn: ['h1'],
  copy: 'propagated',
  clusterName: 'theirs',
};

/** One that this host does not have. */
export const ELSEWHERE: NetworkView = {
  name: 'blue',
  clusterName: 'blue',
  tenant: 'default',
  encap: 'none',
  mtu: 1500,
  internal: false,
  createdAt: '2026-01-02T03:04:05.000Z',
  endpoints: 0,
  pools: [POOLS[1]!],
  hosts: ['h2'],
  madeOn: ['h2'],
  conflict: 'it is not internal: leave --internal out',
};

export const ENDPOINTS: EndpointView[] = [
  {
    id: id('eeee'),
    network: { id: id('aaaa'), name: 'mine' },
    container: { id: id('cccc'), name: 'web' },
    phase: 'joined',
    state: 'up',
    address: '10.1.0.2',
    aliases: ['172.30.0.9'],
    addresses: [
      { address: '10.1.0.2', kind: 'address', announced: true },
      {
        address: '172.30.0.9',
        kind: 'alias',
        announced: false,
        note: 'not announced: outside of the pools',
      },
    ],
    mac: '02:42:0a:01:00:02',
    mtu: 1500,
    interface: 'nreeee000000',
    sandbox: '/var/run/docker/netns/1',
    ingress: [],
    anycast: true,
    ports: [{ protocol: 'tcp', port: 80, hostAddress: '', hostPort: 8080 }],
    createdAt: '2026-01-02T03:04:05.000Z',
    problems: [],
  },
  {
    id: id('ffff'),
    network: { id: id('aaaa') },
    phase: 'joined',
    state: 'failing',
    address: '10.1.0.3',
    aliases: [],
    addresses: [{ address: '10.1.0.3', kind: 'address', announced: false }],
    mac: '02:42:0a:01:00:03',
    mtu: 1500,
    interface: 'nrffff000000',
    anycast: false,
    ports: [],
    createdAt: '2026-01-02T03:04:05.000Z',
    problems: [FAILURE],
  },
];

export const ROUTES: RoutesView = {
  routes: [
    {
      prefix: '10.1.0.2/32',
      wanted: 'endpoint',
      endpoint: { id: id('eeee'), container: 'web' },
      kernel: { state: 'ok', detail: 'dev nreeee000000' },
      engine: { state: 'ok', detail: 'via 192.0.2.1' },
    },
    {
      prefix: '10.1.0.3/32',
      wanted: 'endpoint',
      endpoint: { id: id('ffff') },
      kernel: {
        state: 'pending',
        detail: 'dev nrffff000000',
        problem: { code: FAILURE.code, what: FAILURE.what, remedy: FAILURE.remedy },
      },
      engine: { state: 'missing', detail: 'via 192.0.2.1' },
    },
    {
      prefix: '10.9.0.5/32',
      wanted: 'learned',
      kernel: { state: 'ok', detail: 'via 192.0.2.254 dev eth0' },
      learned: { holder: '192.0.2.2', nextHops: ['192.0.2.254'], anycast: false, asPath: [65000] },
    },
  ],
  problems: [],
};

export const PEERS: PeersView = {
  peers: [
    {
      neighbour: '192.0.2.254',
      origin: 'configured',
      as: 65000,
      state: 'established',
      routerId: '192.0.2.254',
      uptime: 90_061,
      received: 3,
      accepted: 2,
      advertised: 1,
    },
    {
      neighbour: 'eth1',
      as: 65002,
      state: 'active',
      uptime: 0,
      received: 0,
      accepted: 0,
      advertised: 0,
      reason: 'no route to host',
    },
    {
      neighbour: '192.0.2.2',
      origin: 'cluster',
      host: 'h2',
      as: 4200000514,
      state: 'established',
      routerId: '192.0.2.2',
      uptime: 5,
      received: 1,
      accepted: 1,
      advertised: 1,
    },
  ],
  problems: [],
};

export const DOCTOR: DoctorView = {
  checks: [
    { name: 'daemon', result: 'ok', what: 'version 1.2.3' },
    { name: 'dockerd', result: 'warn', what: 'is down', remedy: 'start it' },
  ],
  fixed: [],
};

export const CLUSTER: ClusterView = {
  state: 'member',
  id: 'a1'.repeat(16),
  name: 'h1',
  cluster: '0f3b2c1a-0000-4000-8000-1234567890ab',
  address: '192.0.2.1',
  port: 15800,
  holdsKey: true,
  certificateUntil: '2026-04-02T03:04:05.000Z',
  members: { total: 3, heard: 2 },
  problems: [],
};

export const HOSTS: HostView[] = [
  {
    id: 'a1'.repeat(16),
    name: 'h1',
    self: true,
    state: 'present',
    address: '192.0.2.1',
    port: 15800,
    linked: false,
    holdsKey: true,
    chunks: 1,
    blocking: false,
    udpBlocked: false,
  },
  {
    id: 'b2'.repeat(16),
    name: 'h2',
    self: false,
    state: 'silent',
    address: 'fd00::2',
    port: 15800,
    linked: true,
    holdsKey: false,
    heard: 65,
    clockOffset: 61.2,
    chunks: 2,
    trouble: 'no route',
    blocking: true,
    udpBlocked: false,
  },
  {
    id: 'c3'.repeat(16),
    name: 'h3',
    self: false,
    state: 'forgotten',
    linked: false,
    holdsKey: false,
    chunks: 0,
    trouble: 'refused',
    blocking: false,
    udpBlocked: false,
  },
];

export const STATUS: StatusView = {
  version: '1.2.3',
  startedAt: '2026-01-02T03:04:05.000Z',
  uptime: 3725,
  host: { address: '192.0.2.1', uplink: 'eth0', mtu: 1500, routerId: '192.0.2.1', as: 65001 },
  engine: { name: 'gobgp', version: '3.10.0', up: true },
  peers: { established: 1, total: 2 },
  networks: 1,
  endpoints: { total: 2, up: 1 },
  routes: { announced: 1, learned: 1 },
  cluster: CLUSTER,
  loop: { live: true, passes: 12, resyncs: 3, errors: 0, lastPassMs: 2 },
  failures: [FAILURE],
  pools: [POOLS[0]!],
  paths: {
    store: '/var/lib/net-routed/store.db',
    runDir: '/run/net-routed',
    pluginDir: '/run/docker/plugins',
    dockerSocket: '/var/run/docker.sock',
  },
  log: 'journal',
  attention: [{ what: 'peers that are down: eth1', remedy: 'net-routed peers tells why' }],
};

export const ENDPOINTS_ELSEWHERE: ElsewhereView[] = [
  {
    id: 'ab'.repeat(32),
    host: { id: 'b2'.repeat(16), name: 'h2' },
    network: { id: 'cd'.repeat(32), name: 'mine' },
    state: 'lost',
    addresses: [{ address: '10.1.0.9' }, { address: 'fd00:9::9' }],
  },
  {
    id: 'ac'.repeat(32),
    host: { id: 'c3'.repeat(16), name: 'h3' },
    network: { id: 'ce'.repeat(32) },
    state: 'joined',
    addresses: [{ address: '10.1.0.10', lost: '10.1.0.10 is in use on host h2' }],
  },
];
