import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Adapters, openAdapters } from './adapters.ts';
import { checkForward } from './api/doctor/forward.ts';
import { enableForwarding } from './api/doctor/forwarding.ts';
import { run } from './api/doctor/program.ts';
import { sysctls } from './api/doctor/sysctl.ts';
import { Metrics } from './api/metrics.ts';
import { Pulse } from './api/pulse.ts';
import { createApi } from './api/server.ts';
import { systemClock } from './clock.ts';
import { Collector } from './cluster/collector.ts';
import { Members } from './cluster/members.ts';
import { Standing } from './cluster/standing.ts';
import { inheritedSockets } from './cnm/inherited.ts';
import { createPlugins } from './cnm/plugins.ts';
import type { Settings } from './config/settings.ts';
import type { Services } from './driver/services.ts';
import { asCoded } from './errors.ts';
import { adopt, buildParts, type Parts } from './parts.ts';

/** How often traces of removed records are looked for, in milliseconds. */
const SWEEP_MS = 10_000;

/** One host's daemon: from the settings to sockets that answer, and back. */
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
    const settings = this.#settings;
    const [log, clock] = [this.#log, this.#clock];
    mkdirSync(settings.runDir, { recursive: true, mode: 0o755 });
    if (settings.manageForwarding) this.#forward();

    let kept = true;
    const adapters = openAdapters(settings, log, clock, () => kept);
    const { store, kernel, firewall, flows, speaker } = adapters;
    this.#endWith(store, kernel, firewall, flows, speaker);
    const parts = buildParts({ settings, adapters, facts: await kernel.facts(), clock, log });
    const { underlay, reconciler, learned, routing, janitor } = parts;
    this.#endWith(underlay, reconciler, learned, routing, janitor);

    const found = await kernel.read();
    // After a boot nothing of before is there.
    kept = [...found.values()].some(({ kind }) => kind === 'route');
    adopt(parts, found);
    const starting = reconciler.start();
    routing.start();
    await starting;
    janitor.start();
    this.#sweep(store);

    const services = this.#services(adapters, parts);
    await this.#servePlugins(services, () => parts.liveness.abandon(parts.state.endpoints.all()));
    await this.#serveOperator(services);
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

  #endWith(...parts: readonly { close(): Promise<void> }[]): void {
    for (const part of parts) this.#ends.push(() => part.close());
  }

  /** Removed records leave a trace for other hosts. A host that is alone forgets them soon. */
  #sweep(store: Adapters['store']): void {
    const members = new Members(store);
    const collector = new Collector({ replica: store, members, standing: new Standing(store, members) });
    let cancel = () => {};
    const later = () => {
      cancel = this.#clock.after(SWEEP_MS, () => {
        collector.collect();
        later();
      });
    };
    later();
    this.#ends.push(() => cancel());
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

  #services(adapters: Adapters, parts: Parts): Services {
    const { stateDir, runDir, pluginDir, dockerSocket, engineSocket, gobgpd } = this.#settings;
    return {
      version: this.#version,
      startedAt: this.#clock.now(),
      clock: this.#clock,
      log: this.#log,
      ...parts,
      ...adapters,
      identity: () => parts.routing.identity,
      identityStale: () => parts.routing.stale,
      facts: () => parts.host.facts,
      host: () => parts.host.view,
      storeCounts: () => adapters.store.counts,
      paths: {
        stateDir,
        runDir,
        pluginDir,
        dockerSocket,
        gobgpd: engineSocket === undefined ? gobgpd : undefined,
      },
    };
  }

  /** From here on Docker is answered. */
  async #servePlugins({ driver, paths }: Services, activated: () => void): Promise<void> {
    const plugins = createPlugins({
      network: driver,
      address: driver,
      activated,
      log: this.#log,
      folder: paths.pluginDir,
      inherited: inheritedSockets(process.env, process.pid),
      metrics: this.metrics,
    });
    await plugins.start();
    this.#ends.push(() => plugins.stop());
  }

  /** From here on the operator is answered, and the watchdog. */
  async #serveOperator(services: Services): Promise<void> {
    const pulse = new Pulse(services);
    this.#ends.push(() => pulse.stop());
    const api = createApi(
      { services, pulse, metrics: this.metrics },
      join(services.paths.runDir, 'api.sock'),
    );
    await api.start();
    this.#ends.push(() => api.stop());
    this.#pulse = pulse;
  }
}
