import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { checkForward } from './api/doctor/forward.ts';
import { enableForwarding } from './api/doctor/forwarding.ts';
import { run } from './api/doctor/program.ts';
import { sysctls } from './api/doctor/sysctl.ts';
import { Metrics } from './api/metrics.ts';
import { Pulse } from './api/pulse.ts';
import { createApi } from './api/server.ts';
import { systemClock } from './clock.ts';
import { inheritedSockets } from './cnm/inherited.ts';
import { createPlugins, NETWORK_PLUGIN } from './cnm/plugins.ts';
import { peersOf } from './config/peers.ts';
import type { Settings } from './config/settings.ts';
import { DockerClient } from './docker/client.ts';
import type { Context } from './driver/context.ts';
import { Driver } from './driver/driver.ts';
import { Janitor } from './driver/janitor.ts';
import type { Services } from './driver/services.ts';
import { asCoded } from './errors.ts';
import { NftFirewall } from './firewall/nft.ts';
import { IprouteKernel } from './kernel/iproute.ts';
import type { Endpoint } from './model/endpoint.ts';
import { Address } from './net/address.ts';
import { privateAsn } from './net/asn.ts';
import { vethNames } from './net/ifname.ts';
import { Prefix } from './net/prefix.ts';
import { type HostView, NOTHING, planEndpoint } from './plan/endpoint.ts';
import { Sandboxes } from './plan/sandboxes.ts';
import { State } from './plan/state.ts';
import type { HostFacts } from './ports/kernel.ts';
import type { Identity, SpeakerEvent } from './ports/speaker.ts';
import { hostView, routerIdOf } from './reconcile/host.ts';
import { Learned } from './reconcile/learned.ts';
import { Liveness } from './reconcile/liveness.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { Underlay } from './reconcile/underlay.ts';
import { GobgpSpeaker } from './speaker/gobgp/speaker.ts';
import { JournalStore } from './store/journal.ts';

/** One host's daemon: the only place that knows every adapter. */
export class Daemon {
  /** What is counted, from before the start on. */
  readonly metrics = new Metrics();
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #version: string;
  readonly #clock = systemClock;
  #ends: (() => Promise<void> | void)[] = [];
  #pulse: Pulse | undefined;

  constructor(settings: Settings, log: Logger, version: string) {
    this.#settings = settings;
    this.#log = log;
    this.#version = version;
  }

  /**
   * Starts in the order of what depends on what. Docker is answered before the routing engine is there.
   * @throws NR_STORE_*, NR_KERNEL_UNAVAILABLE, NR_SOCKET_IN_USE
   */
  async start(): Promise<Services> {
    const { stateDir, runDir, dockerSocket, pluginDir } = this.#settings;
    const clock = this.#clock;
    const log = this.#log;
    mkdirSync(runDir, { recursive: true, mode: 0o755 });
    if (this.#settings.manageForwarding) this.#forward();

    const store = new JournalStore({
      file: join(stateDir, 'store.db'),
      report: (error, { key }) =>
        log.error({ err: asCoded(error), key }, 'an observer of the store has failed'),
    });
    this.#ends.push(() => store.close());
    const state = new State(store, (key) => log.error({ key }, 'record does not parse, left out'));

    const kernel = new IprouteKernel({ log });
    this.#ends.push(() => kernel.close());
    const firewall = new NftFirewall({ folder: runDir });
    this.#ends.push(() => firewall.close());
    let kept = true;
    const speaker = this.#speaker(() => kept);
    this.#ends.push(() => speaker.close());

    let facts: HostFacts = await kernel.facts();
    const exportable = () => [
      ...[...state.pools.all()].map(({ prefix }) => prefix),
      ...this.#settings.aliasPrefixes,
    ];
    const view = (): HostView => hostView(facts, this.#settings, exportable());
    let host = view();
    const identity = this.#identity(host);

    const liveness = new Liveness(
      (path) => kernel.sandboxAlive(path),
      () => facts.incarnation,
      clock,
    );
    const alive = (endpoint: Endpoint) => liveness.alive(endpoint);
    store.observe('endpoint', ({ before, after }) => {
      if (before && !after) liveness.forget(before.key.slice('endpoint/'.length));
    });
    const sandboxes = new Sandboxes(store, (id) => reconciler.mark(id));
    const planOf = (id: string) => {
      const endpoint = state.endpoints.get(id);
      const network = endpoint && state.networks.get(endpoint.network);
      if (!network) return NOTHING;
      const siblings = [...sandboxes.of(endpoint.sandbox)]
        .filter((other) => other !== id)
        .map((other) => state.endpoints.get(other))
        .filter((other) => other !== undefined)
        .filter((other) => other.phase === 'joined');
      return planEndpoint(endpoint, network, state.poolsOf(network), host, alive(endpoint), siblings);
    };
    const endpoints = function* () {
      for (const { id } of state.endpoints.all()) yield id;
    };
    const lost = (endpoint: string) => liveness.lost(endpoint);
    const reconciler = new Reconciler({ kernel, firewall, speaker, clock, log, planOf, endpoints, lost });
    const source = () => ({ 4: host.address, 6: host.addressV6 });
    const learned = new Learned({ kernel, reconciler, source, clock });

    const context: Context = {
      store,
      state,
      clock,
      log,
      automatic: this.#settings.automaticPools.map(Prefix.parse),
      spread: BigInt(`0x${store.origin.slice(0, 12)}`),
      restMs: this.#settings.restSeconds * 1000,
      incarnation: () => facts.incarnation,
      alive,
      present: (endpoint) => liveness.present(endpoint),
      expect: (endpoint) => liveness.expect(endpoint),
      holder: (address) => learned.holder(address),
      settled: (endpoint, ms) => reconciler.settled(endpoint, ms),
      mark: (endpoint) => reconciler.mark(endpoint),
    };
    const driver = new Driver(context);
    const docker = new DockerClient(dockerSocket, NETWORK_PLUGIN, clock);
    const janitor = new Janitor(context, driver.addresses, docker);

    const refresh = () => {
      host = view();
      speaker.permit(exportable());
      for (const endpoint of state.endpoints.all()) reconciler.mark(endpoint.id);
    };
    store.observe('pool', () => {
      host = view();
      speaker.permit(exportable());
      for (const endpoint of state.endpoints.all())
        if (endpoint.aliases.length > 0) reconciler.mark(endpoint.id);
    });
    const underlay = new Underlay({
      kernel,
      clock,
      repeat: (lane, key, work) => reconciler.repeat(lane, key, work),
      facts,
      isOurs: (link) => reconciler.kernel.tracker.ownerOf(`link ${link.replace(/c$/, '')}`) !== undefined,
      changed: () => {
        facts = underlay.facts;
        refresh();
        learned.underlayChanged();
      },
    });
    this.#ends.push(() => underlay.close());

    const found = await kernel.read();
    // After a boot nothing of before is there.
    kept = [...found.values()].some(({ kind }) => kind === 'route');
    learned.adopt(found.values());
    for (const endpoint of state.endpoints.all()) {
      if (found.has(`link ${vethNames(endpoint.id).host}`)) liveness.expect(endpoint.id);
      else if (endpoint.phase !== 'created') liveness.lost(endpoint.id);
    }
    speaker.permit(exportable());
    reconciler.wantPeers(peersOf(this.#settings.peers, identity.asn));
    const starting = reconciler.start();
    speaker.start(identity, (event) => this.#heard(event, reconciler, learned));
    await starting;
    this.#ends.push(
      () => reconciler.close(),
      () => learned.close(),
    );

    janitor.start();
    this.#ends.push(() => janitor.close());
    const plugins = createPlugins({
      network: driver,
      address: driver,
      log,
      folder: pluginDir,
      inherited: inheritedSockets(process.env, process.pid),
      metrics: this.metrics,
    });
    await plugins.start();
    this.#ends.push(() => plugins.stop());

    const services: Services = {
      version: this.#version,
      startedAt: clock.now(),
      clock,
      log,
      state,
      driver,
      janitor,
      reconciler,
      learned,
      kernel,
      firewall,
      speaker,
      docker,
      identity: () => identity,
      facts: () => facts,
      host: () => host,
      storeCounts: () => store.counts,
      paths: { stateDir, runDir, pluginDir, dockerSocket, gobgpd: this.#ownEngine() },
    };
    const pulse = new Pulse(services);
    this.#ends.push(() => pulse.stop());
    const api = createApi({ services, pulse, metrics: this.metrics }, join(runDir, 'api.sock'));
    await api.start();
    this.#ends.push(() => api.stop());
    this.#pulse = pulse;
    return services;
  }

  /** Whether the reconcile loop goes on; for the watchdog. */
  live(): boolean {
    return this.#pulse?.live() ?? false;
  }

  /** Ends in the reverse order. Routes, interfaces and the engine stay as they are. */
  async stop(): Promise<void> {
    const ends = this.#ends.reverse();
    this.#ends = [];
    for (const end of ends) {
      try {
        await end();
      } catch (error) {
        this.#log.error({ err: asCoded(error) }, 'could not end a part');
      }
    }
  }

  #ownEngine(): string | undefined {
    return this.#settings.engineSocket === undefined ? this.#settings.gobgpd : undefined;
  }

  /** A router forwards; that this host has to is not left to the moment when Docker does it, dropping all else. */
  #forward(): void {
    const { done, left } = enableForwarding(sysctls());
    if (done.length > 0) this.#log.info({ set: done }, 'switched forwarding on');
    if (left.length > 0) this.#log.warn({ left }, 'could not switch forwarding on');
    // Docker may have been here first. Its rules are not ours to change; nobody waits for the look at them.
    void checkForward(run).then((checks) => {
      for (const { result, name, what, remedy } of checks) {
        if (result !== 'ok') this.#log.warn({ name, what, remedy }, 'another firewall stands in the way');
      }
    });
  }

  #identity(host: HostView): Identity {
    const routerId = this.#settings.routerId ?? routerIdOf(host);
    return {
      asn: this.#settings.as ?? privateAsn(Address.parse(routerId)),
      routerId,
      listenPort: this.#settings.peers.length > 0 ? this.#settings.listenPort : 0,
      listenAddresses: [],
    };
  }

  #speaker(kept: () => boolean): GobgpSpeaker {
    const { runDir, gobgpd, engineSocket } = this.#settings;
    const log = this.#log;
    if (engineSocket === undefined)
      return new GobgpSpeaker({ log, kept, supervise: true, folder: runDir, program: gobgpd });
    return new GobgpSpeaker({ log, kept, supervise: false, target: `unix://${engineSocket}` });
  }

  #heard(event: SpeakerEvent, reconciler: Reconciler, learned: Learned): void {
    switch (event.kind) {
      case 'learned':
      case 'learned-all':
        learned.take(event);
        break;
      case 'up':
        this.#log.info({ engine: event.engine }, 'routing engine is up');
        reconciler.speakerUp(true);
        break;
      case 'down':
        this.#log.warn({ reason: event.reason }, 'routing engine is down; routes stay');
        reconciler.speakerUp(false);
        break;
      case 'peer':
        this.#log.info({ ...event.peer }, 'peer');
    }
  }
}
