import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type OpenStore, openStore } from './adapters.ts';
import { checkForward } from './api/doctor/forward.ts';
import { enableForwarding } from './api/doctor/forwarding.ts';
import { run } from './api/doctor/program.ts';
import { sysctls } from './api/doctor/sysctl.ts';
import { Metrics } from './api/metrics.ts';
import { createApi } from './api/server.ts';
import { steadyClock } from './clock.ts';
import { isHere } from './cluster/membership/founder.ts';
import type { Upper } from './cluster/membership/life.ts';
import { Membership } from './cluster/membership/membership.ts';
import { SecretFile } from './cluster/membership/secrets.ts';
import type { Cluster } from './cluster/protocol/cluster.ts';
import type { Standing } from './cluster/protocol/standing.ts';
import { inheritedSockets } from './cnm/inherited.ts';
import { createPlugins, IPAM_PLUGIN, NETWORK_PLUGIN } from './cnm/plugins.ts';
import type { Settings } from './config/settings.ts';
import { DockerClient } from './docker/client.ts';
import { Current } from './driver/current.ts';
import { keptOf } from './driver/kept.ts';
import { StandIn } from './driver/standin.ts';
import { type Place, parsePlace } from './net/place.ts';
import { type Clock, wallOf } from './ports/clock.ts';
import { endAll, Serving } from './serving.ts';
import { TrustFolder } from './store/trust/folder.ts';

/** Calls of Docker that go on while the host changes get this long to end, in milliseconds: they are bounded too. */
const DRAIN_MS = 10_000;
/** A host that changes for longer than this hangs, in milliseconds. */
const HANGS_MS = 60_000;

/** For so long, in milliseconds, Docker's calls after a start wait for what the other members know of this host. */
const GREETED_MS = 3000;

/**
 * One host's daemon: from the settings to sockets that answer, and back. The sockets stay while it runs; what stands
 * on the store is replaced, as by a restart, when the host becomes a member of a cluster or is one no more.
 */
export class Daemon {
  /** What is counted, from before the start on. */
  readonly metrics = new Metrics();
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #version: string;
  /** How long something takes or lasts has nothing to do with the computer's clock being set. */
  readonly #clock = steadyClock;
  readonly #startedAt = steadyClock.now();
  readonly #current = new Current<Serving>();
  #opened: OpenStore | undefined;
  /** Since when there is nothing to serve with, on a monotonic clock. */
  #emptySince = performance.now();
  #ends: (() => Promise<void> | void)[] = [];
  #read = () => {};

  constructor(settings: Settings, log: Logger, version: string) {
    this.#settings = settings;
    this.#log = log;
    this.#version = version;
  }

  /**
   * Starts in the order of what depends on what. Docker is answered before the routing engine is there.
   * @throws NR_STORE_*, NR_TRUST_FAILED, NR_KERNEL_UNAVAILABLE, NR_SOCKET_IN_USE
   */
  async start(): Promise<void> {
    const { runDir, stateDir, manageForwarding, dockerSocket } = this.#settings;
    mkdirSync(runDir, { recursive: true, mode: 0o755 });
    if (manageForwarding) this.#forward();
    const secret = this.#secret();
    const drivers = { network: NETWORK_PLUGIN, ipam: IPAM_PLUGIN };
    const docker = new DockerClient(dockerSocket, drivers, this.#clock);
    const membership: Membership = new Membership({
      folder: new TrustFolder(stateDir),
      upper: this.#upper((cluster) => this.#serve(cluster, membership, docker)),
      ...this.#place(),
      secret,
      clock: this.#clock,
      random: Math.random,
      log: this.#log,
    });
    this.#ends.push(() => membership.stop());
    await membership.start();
    await this.#servePlugins();
    await this.#serveOperator(membership, docker);
  }

  /** Whether the reconcile loop goes on; for the watchdog. */
  live(): boolean {
    const serving = this.#current.value;
    return serving ? serving.pulse.live() : performance.now() - this.#emptySince < HANGS_MS;
  }

  /** Ends in the reverse order. Routes, interfaces and the engine stay as they are. */
  async stop(): Promise<void> {
    const ends = this.#ends;
    this.#ends = [];
    await endAll(ends, this.#log);
  }

  /** Reads again what may change while it runs. */
  reload(): void {
    this.#read();
  }

  /** The secret of the cluster that this host is to be in. @throws NR_SECRET_FILE */
  #secret(): SecretFile | undefined {
    const { clusterSecretFile } = this.#settings;
    if (clusterSecretFile === undefined) return undefined;
    const secret = new SecretFile(clusterSecretFile, { clock: this.#clock, log: this.#log });
    this.#read = () => secret.read();
    this.#ends.push(() => secret.stop());
    return secret;
  }

  /** Who this host is to others, and where. */
  #place() {
    const { hostName, clusterAddress, clusterPort, clusterAdvertise, discovery } = this.#settings;
    const { founder } = this.#settings;
    const name = hostName ?? hostname();
    const seeds = this.#settings.seeds.map((seed) => parsePlace(seed, clusterPort));
    const [first] = seeds;
    const self = { name, port: clusterPort, advertised: clusterAdvertise };
    const bySeed = (seed: Place) => ({ isSelf: () => isHere(seed, self), name: `host ${seed.address}` });
    return {
      name,
      listen: { address: clusterAddress, port: clusterPort },
      advertised: clusterAdvertise,
      seeds,
      founder:
        founder === undefined
          ? first && bySeed(first)
          : { isSelf: async () => founder === name, name: `host ${founder}` },
      finds: discovery === 'mdns',
    };
  }

  #upper(serve: (cluster: Cluster) => Promise<Serving>): Upper {
    return {
      open: async (id, { isEmpty, wallMs }) => {
        const now = wallOf(this.#clock);
        const opened = await openStore(this.#settings, this.#log, { id, isEmpty, now, wallMs });
        this.#opened = opened;
        const { isUsed, judge, describe } = opened.spaces;
        const restMs = this.#settings.restSeconds * 1000;
        return { replica: opened.store, rules: { restMs, isUsed, judge, describe } };
      },
      attach: async (cluster) => {
        const serving = await serve(cluster);
        // What it cannot give before it has heard of the others would be refused, and no container started again.
        await started(cluster.standing, this.#clock, GREETED_MS);
        this.#current.set(serving);
      },
      detach: async () => {
        const serving = this.#current.value;
        this.#emptySince = performance.now();
        await this.#current.clear(DRAIN_MS);
        await serving?.stop();
      },
      vacate: () => this.#current.use(DRAIN_MS, (serving) => serving.vacate()),
      kept: () => keptOf(this.#opened!.state),
    };
  }

  #serve(cluster: Cluster, membership: Membership, docker: DockerClient): Promise<Serving> {
    return Serving.start({
      settings: this.#settings,
      opened: this.#opened!,
      cluster,
      membership,
      docker,
      version: this.#version,
      startedAt: this.#startedAt,
      clock: this.#clock,
      log: this.#log,
      moved: (addresses) => membership.moved(addresses),
    });
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

  /** From here on Docker is answered. */
  async #servePlugins(): Promise<void> {
    const driver = new StandIn(this.#current);
    const plugins = createPlugins({
      network: driver,
      address: driver,
      activated: () => this.#current.value?.activated(),
      log: this.#log,
      folder: this.#settings.pluginDir,
      inherited: inheritedSockets(process.env, process.pid),
      metrics: this.metrics,
    });
    await plugins.start();
    this.#ends.push(() => plugins.stop());
  }

  /** From here on the operator is answered. */
  async #serveOperator(membership: Membership, docker: DockerClient): Promise<void> {
    const [clock, log] = [this.#clock, this.#log];
    const api = createApi(
      { current: this.#current, metrics: this.metrics, membership, docker, clock, log },
      join(this.#settings.runDir, 'api.sock'),
    );
    await api.start();
    this.#ends.push(() => api.stop());
  }
}

/** Ends when the protocol's part of a start is over, after `ms` milliseconds at the latest. */
function started(standing: Standing, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    standing.whenStarted(() => {
      cancel();
      resolve();
    });
  });
}
