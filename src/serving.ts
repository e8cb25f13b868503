import type { Logger } from 'pino';
import { type OpenStore, openAdapters } from './adapters.ts';
import { Pulse } from './api/pulse.ts';
import type { Addresses } from './cluster/node/node.ts';
import type { Cluster } from './cluster/protocol/cluster.ts';
import type { Settings } from './config/settings.ts';
import type { Services } from './driver/services.ts';
import { asCoded } from './errors.ts';
import { adopt, buildParts } from './parts.ts';
import type { Docker, DockerNetworks } from './ports/docker.ts';
import { digest } from './store/digest.ts';

interface Given extends Pick<Services, 'version' | 'startedAt' | 'clock' | 'membership'> {
  readonly docker: Docker & DockerNetworks;
  readonly settings: Settings;
  readonly opened: OpenStore;
  readonly cluster: Cluster;
  readonly log: Logger;
  /** The host has other addresses now, by which others reach it. */
  readonly moved: (addresses: Addresses) => void;
}

/** What stands on one open store: it begins by reading what is there, and leaves routes and interfaces at its end. */
export class Serving {
  readonly services: Services;
  readonly pulse: Pulse;
  /** A dockerd uses the network driver for the first time: what an earlier one was making is left as it is. */
  readonly activated: () => void;
  /** See Propagation. */
  readonly vacate: () => Promise<() => void>;
  readonly #ends: readonly (() => Promise<void> | void)[];
  readonly #log: Logger;

  private constructor(
    parts: Pick<Serving, 'services' | 'pulse' | 'activated' | 'vacate'>,
    ends: readonly (() => Promise<void> | void)[],
    log: Logger,
  ) {
    this.services = parts.services;
    this.pulse = parts.pulse;
    this.activated = parts.activated;
    this.vacate = parts.vacate;
    this.#ends = ends;
    this.#log = log;
  }

  get driver(): Services['driver'] {
    return this.services.driver;
  }

  /**
   * Starts in the order of what depends on what. The routing engine is not waited for.
   * @throws NR_KERNEL_UNAVAILABLE and the like; nothing is left running then
   */
  static async start(given: Given): Promise<Serving> {
    const { settings, opened, cluster, clock, log } = given;
    const ends: (() => Promise<void> | void)[] = [];
    const endWith = (...parts: readonly { close(): Promise<void> }[]) => {
      for (const part of parts) ends.push(() => part.close());
    };
    try {
      let kept = true;
      const adapters = openAdapters(settings, log, () => kept);
      const { kernel, firewall, flows, speaker } = adapters;
      endWith(kernel, firewall, flows, speaker);
      const facts = await kernel.facts();
      const parts = buildParts({ ...given, adapters, opened, facts, cluster, log });
      const { underlay, reconciler, learned, mesh, routing, janitor, naming, propagation, regain } = parts;
      endWith(underlay, reconciler, learned, mesh, routing, janitor, naming, propagation, regain);

      const found = await kernel.read();
      // After a boot nothing of before is there.
      kept = [...found.values()].some(({ kind }) => kind === 'route');
      adopt(parts, found);
      // Whoever is alone has only itself to ask for addresses: before any of them would be withdrawn.
      if (cluster.members.present().length <= 1) await regain.pass();
      const starting = reconciler.start();
      routing.start();
      await starting;
      janitor.start();
      naming.start();
      propagation.start();
      regain.start();

      const { stateDir, runDir, pluginDir, dockerSocket, engineSocket, gobgpd } = settings;
      const services: Services = {
        ...given,
        ...parts,
        ...adapters,
        clock,
        log,
        store: opened.store,
        identity: () => parts.routing.identity,
        identityStale: () => parts.routing.stale,
        facts: () => parts.host.facts,
        host: () => parts.host.view,
        standing: () => cluster.standing,
        storeCounts: () => opened.store.counts,
        storeRefusal: () => opened.store.refusal,
        storeRecords: () => opened.store.size,
        storeDigest: () => digest(opened.store),
        paths: {
          stateDir,
          runDir,
          pluginDir,
          dockerSocket,
          gobgpd: engineSocket === undefined ? gobgpd : undefined,
        },
      };
      const pulse = new Pulse(services);
      ends.push(() => pulse.stop());
      const activated = () => parts.liveness.abandon(parts.state.endpoints.all());
      const vacate = () => propagation.vacate();
      return new Serving({ services, pulse, activated, vacate }, ends, log);
    } catch (error) {
      await endAll(ends, log);
      throw error;
    }
  }

  /** Ends in the reverse order. Routes, interfaces and the engine stay as they are. */
  async stop(): Promise<void> {
    await endAll(this.#ends, this.#log);
  }
}

/** Ends one after the other, the last first; one that cannot be ended does not hold up the others. */
export async function endAll(ends: readonly (() => Promise<void> | void)[], log: Logger): Promise<void> {
  for (const end of ends.toReversed()) {
    try {
      await end();
    } catch (error) {
      log.error({ err: asCoded(error) }, 'could not end a part');
    }
  }
}
