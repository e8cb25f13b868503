import type { ApiParts, Shown } from '../../../src/api/api.ts';
import type { Member } from '../../../src/api/joining.ts';
import type { Metrics } from '../../../src/api/metrics.ts';
import type { Pulse } from '../../../src/api/pulse.ts';
import { systemClock } from '../../../src/clock.ts';
import type { ClusterFacts } from '../../../src/cluster/membership/facts.ts';
import type { Context } from '../../../src/driver/context.ts';
import { Current } from '../../../src/driver/current.ts';
import { Driver } from '../../../src/driver/driver.ts';
import { Janitor } from '../../../src/driver/janitor.ts';
import type { Services } from '../../../src/driver/services.ts';
import { PoolSpaces } from '../../../src/driver/spaces.ts';
import { MemoryFirewall } from '../../../src/firewall/memory.ts';
import { MemoryKernel } from '../../../src/kernel/memory.ts';
import { MemoryFlows } from '../../../src/kernel/memoryflows.ts';
import { Address } from '../../../src/net/address.ts';
import { vethNames } from '../../../src/net/ifname.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import { type HostView, NOTHING, planEndpoint } from '../../../src/plan/endpoint.ts';
import { State } from '../../../src/plan/state.ts';
import type { DockerNetwork } from '../../../src/ports/docker.ts';
import type { Peer } from '../../../src/ports/speaker.ts';
import { hostView } from '../../../src/reconcile/host.ts';
import { Learned } from '../../../src/reconcile/learned.ts';
import { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { MemoryFabric } from '../../../src/speaker/fabric.ts';
import { MemorySpeaker } from '../../../src/speaker/memory.ts';
import { digest } from '../../../src/store/digest.ts';
import { clusterOf, founded } from '../driver/world.ts';

export const HOST = '192.0.2.1';
export const TOR = '192.0.2.254';
/** What Docker says: an answer, an error, or nothing at all. */
type DockerMode = readonly DockerNetwork[] | Error | 'silent';

const quiet = () => {};
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** Ids as Docker makes them: 64 hex digits. */
export const id = (start: string) => start.padEnd(64, '0');

function peerTo(address: string, peerAs: number, localAs: number): Peer {
  const any = [{ prefix: '0.0.0.0/0', ge: 1, le: 32 }];
  return {
    kind: 'peer',
    address,
    peerAs,
    localAs,
    holdTime: 90,
    keepalive: 30,
    connectRetry: 5,
    multihop: 1,
    port: 179,
    passive: false,
    gracefulRestart: 0,
    maximumPrefix: 0,
    import: any,
    export: any,
  };
}

/** A running daemon's parts on memory adapters, with a router next to it that it peers with. */
export async function world() {
  const store = founded();
  const state = new State(store);
  const spaces = new PoolSpaces(store, state);
  const cluster = clusterOf(store, spaces, { timer: { now: () => systemClock.now(), after: () => quiet } });
  const kernel = new MemoryKernel();
  const firewall = new MemoryFirewall();
  const fabric = new MemoryFabric();
  const speaker = new MemorySpeaker(fabric, [HOST]);
  const tor = new MemorySpeaker(fabric, [TOR]);
  const clock = systemClock;
  const host = { docker: [] as DockerMode, aliases: [] as string[], out: false };

  kernel.hostFacts = {
    incarnation: 'this boot',
    uplink: { name: 'eth0', mtu: 1500 },
    addresses: [{ link: 'eth0', address: `${HOST}/24` }],
  };
  kernel.host.plantLink('eth0', [`${HOST}/24`]);
  kernel.ways.set(TOR, { via: TOR, dev: 'eth0' });

  const exportable = () => [...[...state.pools.all()].map(({ prefix }) => prefix), ...host.aliases];
  const view = (): HostView => hostView(kernel.hostFacts, {}, exportable());
  const alive = (endpoint: { sandbox?: string | undefined; phase: string }) =>
    endpoint.phase === 'created' || kernel.sandboxAlive(endpoint.sandbox ?? '');
  const planOf = (endpointId: string) => {
    const endpoint = state.endpoints.get(endpointId);
    const network = endpoint && state.networks.get(endpoint.network);
    if (!network) return NOTHING;
    return planEndpoint(endpoint, network, state.poolsOf(network), view(), alive(endpoint));
  };
  const endpoints = () => [...state.endpoints.all()].map((endpoint) => endpoint.id);
  const reconciler = new Reconciler({
    kernel,
    firewall,
    flows: new MemoryFlows(),
    speaker,
    clock,
    log,
    planOf,
    endpoints,
    lost: quiet,
  });
  const learned = new Learned({ kernel, reconciler, source: () => ({ 4: HOST }), clock });
  const context: Context = {
    store,
    state,
    cluster,
    spaces,
    clock,
    log,
    making: new Set(),
    automatic: [Prefix.parse('10.128.0.0/9')],
    spread: 0n,
    restMs: 60_000,
    incarnation: () => 'this boot',
    alive,
    present: () => true,
    expect: quiet,
    holder: (address) => learned.holder(address),
    claimed: () => undefined,
    listeners: (port) => kernel.listeners(port),
    settled: (endpoint, ms) => reconciler.settled(endpoint, ms),
    mark: (endpoint) => reconciler.mark(endpoint),
  };
  const driver = new Driver(context);
  const docker = {
    networks: () => {
      if (host.docker === 'silent') return new Promise<never>(() => {});
      return host.docker instanceof Error ? Promise.reject(host.docker) : Promise.resolve(host.docker);
    },
    watch: () => quiet,
  };
  store.observe('pool', () => speaker.permit(exportable()));

  tor.start({ asn: 65000, routerId: TOR, listenPort: 179, listenAddresses: [] }, quiet);
  tor.permit(['10.9.0.0/16']);
  speaker.permit(exportable());
  reconciler.wantPeers([peerTo(TOR, 65000, 65001)]);
  await reconciler.start();
  const identity = { asn: 65001, routerId: HOST, listenPort: 179, listenAddresses: [] };
  speaker.start(identity, (event) => {
    if (event.kind === 'learned' || event.kind === 'learned-all') learned.take(event);
    else if (event.kind === 'up' || event.kind === 'down') reconciler.speakerUp(event.kind === 'up');
  });
  const torPeer = peerTo(HOST, 65001, 65000);
  await tick();
  await tor.apply([{ do: 'put', key: `peer ${HOST}`, resource: torPeer }]);
  await settle(reconciler);

  const services: Services = {
    version: '1.2.3',
    startedAt: clock.now() - 3_600_000,
    clock,
    log,
    state,
    driver,
    janitor: new Janitor(context, driver, docker),
    propagation: { obstacles: [] },
    reconciler,
    learned,
    mesh: { sessions: [], plan: { peers: [], reflectors: [], without: [] }, isYoung: () => false },
    kernel,
    firewall,
    speaker,
    docker,
    identity: () => identity,
    identityStale: () => false,
    facts: () => kernel.hostFacts,
    host: view,
    storeCounts: () => store.counts,
    storeRefusal: () => store.refusal,
    storeRecords: () => store.size,
    storeDigest: () => digest(store),
    membership: { describe: () => ALONE },
    standing: () => ({ out: host.out }),
    store,
    paths: {
      stateDir: '/tmp',
      runDir: '/nowhere/run',
      pluginDir: '/nowhere/plugins',
      dockerSocket: '/nowhere/docker.sock',
    },
  };
  const close = async () => {
    await reconciler.close();
    await learned.close();
    await speaker.close();
    await tor.close();
  };
  return { services, store, state, kernel, firewall, speaker, tor, driver, reconciler, learned, host, close };
}

/** A host in no cluster. */
export const ALONE: ClusterFacts = { state: 'alone', id: 'a'.repeat(32), name: 'h1' };

/** What the operator API is made of. */
export function apiOf(
  services: Services,
  pulse: Pulse,
  metrics: Metrics,
  member: Partial<Member> = {},
): ApiParts {
  const current = new Current<Shown>();
  current.set({ services, pulse });
  const { clock, docker, log } = services;
  return {
    current,
    metrics,
    docker,
    clock,
    log,
    membership: { ...services.membership, ...member } as Member,
  };
}

export type World = Awaited<ReturnType<typeof world>>;

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Until the loop has nothing left to do, and the engine has been told. */
export async function settle(reconciler: Reconciler): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await reconciler.spoken();
    await tick();
  }
}

/** A network and one running container in it, as Docker makes them. */
export async function withContainer(it: World, options: Record<string, string> = {}): Promise<void> {
  const { driver, kernel } = it;
  const pool = await driver.requestPool({ pool: '10.1.0.0/16', options: {}, v6: false });
  await driver.createNetwork({
    network: id('aaaa'),
    options: {},
    internal: false,
    ipv4: [{ addressSpace: 'net-routed', pool: '10.1.0.0/16', auxAddresses: {} }],
    ipv6: [],
  });
  const { address } = await driver.requestAddress({ pool: pool.id, address: '10.1.0.2', gateway: false });
  const endpoint = id('eeee');
  await driver.createEndpoint({ network: id('aaaa'), endpoint, address, options });
  const sandbox = '/run/docker/netns/1';
  kernel.host.openSandbox(sandbox);
  await driver.join({ network: id('aaaa'), endpoint, sandbox });
  kernel.host.moveInto(sandbox, vethNames(endpoint).host);
  it.reconciler.mark(endpoint);
  await settle(it.reconciler);
  it.host.docker = [
    {
      id: id('aaaa'),
      name: 'mine',
      endpoints: [{ id: endpoint, container: id('cccc'), name: 'web' }],
    },
  ];
}

/** One more network, and a container in it, that of withContainer() by default. The subnet is the address's /16. */
export async function alsoIn(
  { driver, host }: World,
  network: string,
  name: string,
  endpoint: string,
  address: string,
  container = 'web',
): Promise<void> {
  const subnet = Prefix.around(Address.parse(address), 16).toString();
  const pool = await driver.requestPool({ pool: subnet, options: {}, v6: false });
  const ipv4 = [{ addressSpace: 'net-routed', pool: subnet, auxAddresses: {} }];
  await driver.createNetwork({ network, options: {}, internal: false, ipv4, ipv6: [] });
  const given = await driver.requestAddress({ pool: pool.id, address, gateway: false });
  await driver.createEndpoint({ network, endpoint, address: given.address, options: {} });
  const endpoints = [{ id: endpoint, container: id('cccc'), name: container }];
  host.docker = [...(host.docker as readonly DockerNetwork[]), { id: network, name, endpoints }];
}
