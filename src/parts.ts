import type { Adapters, OpenStore } from './adapters.ts';
import type { Addresses } from './cluster/node/node.ts';
import type { Cluster } from './cluster/protocol/cluster.ts';
import { peersOf } from './config/peers.ts';
import type { Settings } from './config/settings.ts';
import type { Context } from './driver/context.ts';
import { Driver } from './driver/driver.ts';
import { Janitor } from './driver/janitor.ts';
import { Naming } from './driver/naming.ts';
import { Propagation } from './driver/propagation.ts';
import { Regain } from './driver/regain.ts';
import { vethNames } from './net/ifname.ts';
import { Prefix } from './net/prefix.ts';
import type { State } from './plan/state.ts';
import type { Clock } from './ports/clock.ts';
import type { Docker, DockerNetworks } from './ports/docker.ts';
import type { HostFacts, KernelResource } from './ports/kernel.ts';
import type { Log } from './ports/log.ts';
import { Host } from './reconcile/host.ts';
import { Learned } from './reconcile/learned.ts';
import { Liveness } from './reconcile/liveness.ts';
import { Mesh } from './reconcile/mesh.ts';
import { Planner } from './reconcile/planner.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { Routing } from './reconcile/routing.ts';
import { Underlay } from './reconcile/underlay.ts';

/** What works on the adapters, between Docker's calls and the host. */
export interface Parts {
  readonly state: State;
  readonly cluster: Cluster;
  readonly host: Host;
  readonly liveness: Liveness;
  readonly reconciler: Reconciler;
  readonly learned: Learned;
  readonly routing: Routing;
  readonly mesh: Mesh;
  readonly underlay: Underlay;
  readonly driver: Driver;
  readonly janitor: Janitor;
  readonly naming: Naming;
  readonly propagation: Propagation;
  readonly regain: Regain;
}

/** Puts the parts together, and has each told of what it needs to know; nothing is begun yet. */
export function buildParts(given: {
  readonly settings: Settings;
  readonly adapters: Adapters;
  readonly opened: OpenStore;
  readonly cluster: Cluster;
  readonly docker: Docker & DockerNetworks;
  /** What the host is like now. */
  readonly facts: HostFacts;
  readonly clock: Clock;
  readonly log: Log;
  /** The host has other addresses now, by which others reach it. */
  readonly moved: (addresses: Addresses) => void;
}): Parts {
  const { settings, adapters, opened, cluster, docker, facts, clock, log, moved } = given;
  const { kernel, firewall, flows, speaker } = adapters;
  const { store, state, spaces } = opened;
  const restMs = settings.restSeconds * 1000;
  const exportable = () => [...[...state.pools.all()].map(({ prefix }) => prefix), ...settings.aliasPrefixes];
  const host = new Host(facts, settings, exportable);
  const liveness = new Liveness(
    (path) => kernel.sandboxAlive(path),
    () => host.facts.incarnation,
    clock,
  );
  const planner = new Planner({
    store,
    state,
    host: () => host.view,
    alive: (endpoint) => liveness.alive(endpoint),
    isOut: () => cluster.standing.out,
    changed: (endpoint) => reconciler.mark(endpoint),
  });
  const reconciler: Reconciler = new Reconciler({
    kernel,
    firewall,
    flows,
    speaker,
    clock,
    log,
    planOf: (endpoint) => planner.plan(endpoint),
    endpoints: () => planner.endpoints(),
    lost: (endpoint) => liveness.lost(endpoint),
  });
  const source = () => ({ 4: host.view.address, 6: host.view.addressV6 });
  const learned = new Learned({ kernel, reconciler, source, clock });
  const mesh = new Mesh({
    store,
    members: () =>
      cluster.members
        .present()
        .filter(({ complete }) => complete)
        .map(({ id }) => ({ id, name: cluster.members.nameOf(id) })),
    host: () => host.view,
    incarnation: () => host.facts.incarnation,
    settings,
    clock,
    log,
    changed: () => routing.meshChanged(),
  });
  const routing: Routing = new Routing({
    speaker,
    reconciler,
    learned,
    host,
    settings,
    peers: (asn) => peersOf(settings.peers, asn),
    mesh,
    supervised: settings.engineSocket === undefined,
    clock,
    log,
  });
  const context: Context = {
    store,
    state,
    cluster,
    spaces,
    clock,
    log,
    making: new Set(),
    automatic: settings.automaticPools.map(Prefix.parse),
    spread: BigInt(`0x${store.origin.slice(0, 12)}`),
    restMs,
    incarnation: () => host.facts.incarnation,
    alive: (endpoint) => liveness.alive(endpoint),
    present: (endpoint) => liveness.present(endpoint),
    expect: (endpoint) => liveness.expect(endpoint),
    holder: (address) => learned.holder(address),
    claimed: (address) => host.claim(address),
    listeners: (port) => kernel.listeners(port),
    settled: (endpoint, ms) => reconciler.settled(endpoint, ms),
    mark: (endpoint) => reconciler.mark(endpoint),
  };
  const driver = new Driver(context);
  const janitor = new Janitor(context, driver, docker);
  const naming = new Naming(context, driver.logicals, docker);
  const propagation = new Propagation(context, docker, settings.dockerPropagate);
  const regain = new Regain(context, driver);
  cluster.standing.onHalt(() => {
    for (const { id } of state.endpoints.all()) reconciler.mark(id);
  });

  /** The host or the pools have changed, and with them what may be announced, and how. */
  const renew = (concerned: Iterable<{ readonly id: string }>) => {
    speaker.permit(exportable());
    for (const { id } of concerned) reconciler.mark(id);
  };
  const underlay = new Underlay({
    kernel,
    clock,
    repeat: (lane, key, work) => reconciler.repeat(lane, key, work),
    facts,
    isOurs: (link) => reconciler.kernel.tracker.ownerOf(`link ${link.replace(/c$/, '')}`) !== undefined,
    changed: () => {
      host.update(underlay.facts);
      renew(state.endpoints.all());
      learned.underlayChanged();
      routing.hostChanged();
      moved(host.view);
    },
  });
  store.observe('pool', () => {
    host.update();
    renew([...state.endpoints.all()].filter(({ aliases }) => aliases.length > 0));
  });
  store.observe('endpoint', ({ key, after }) => {
    const id = state.endpoints.id(key);
    if (id !== undefined && !after) liveness.forget(id);
  });
  speaker.permit(exportable());
  moved(host.view);
  return {
    state,
    cluster,
    host,
    liveness,
    reconciler,
    learned,
    routing,
    mesh,
    underlay,
    driver,
    janitor,
    naming,
    propagation,
    regain,
  };
}

/** Takes over what an earlier run left in the kernel. To be called before the first pass. */
export function adopt({ learned, liveness, state }: Parts, found: ReadonlyMap<string, KernelResource>): void {
  learned.adopt(found.values());
  for (const endpoint of state.endpoints.all()) {
    if (found.has(`link ${vethNames(endpoint.id).host}`)) liveness.expect(endpoint.id);
    else if (endpoint.phase !== 'created') liveness.lost(endpoint.id);
  }
}
