import { join } from 'node:path';
import { CLUSTER_CLASSES } from './cluster/namespaces.ts';
import { NETWORK_PLUGIN } from './cnm/plugins.ts';
import type { Settings } from './config/settings.ts';
import { DockerClient } from './docker/client.ts';
import { asCoded } from './errors.ts';
import { NftFirewall } from './firewall/nft.ts';
import { Conntrack } from './kernel/conntrack.ts';
import { IprouteKernel } from './kernel/iproute.ts';
import { NAMESPACES } from './plan/namespaces.ts';
import type { Clock } from './ports/clock.ts';
import type { Docker } from './ports/docker.ts';
import type { Firewall, Flows } from './ports/firewall.ts';
import type { Kernel } from './ports/kernel.ts';
import type { Log } from './ports/log.ts';
import type { Speaker } from './ports/speaker.ts';
import { GobgpSpeaker } from './speaker/gobgp/speaker.ts';
import { JournalStore } from './store/journal.ts';
import { TrustFolder } from './store/trust/folder.ts';
import type { Identity as NodeIdentity } from './store/trust/identity.ts';

/** What stands behind the ports. */
export interface Adapters {
  /** Who this host is to the others of its cluster. */
  readonly node: NodeIdentity;
  readonly store: JournalStore;
  readonly kernel: Kernel;
  readonly firewall: Firewall;
  readonly flows: Flows;
  readonly speaker: Speaker;
  readonly docker: Docker;
}

/**
 * Opens the store and gets the others ready; none of them does anything yet. `kept`: whether the host forwarded what
 * an engine announced before, asked when the engine is there.
 * @throws NR_STORE_*, NR_TRUST_FAILED
 */
export function openAdapters(settings: Settings, log: Log, clock: Clock, kept: () => boolean): Adapters {
  const { stateDir, runDir, dockerSocket } = settings;
  const node = new TrustFolder(stateDir).identity();
  const store = new JournalStore({
    file: join(stateDir, 'store.db'),
    origin: node.id,
    classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]),
    report: (error, { key }) =>
      log.error({ err: asCoded(error), key }, 'an observer of the store has failed'),
  });
  return {
    node,
    store,
    kernel: new IprouteKernel({ log }),
    firewall: new NftFirewall({ folder: runDir }),
    flows: new Conntrack(),
    speaker: openSpeaker(settings, log, kept),
    docker: new DockerClient(dockerSocket, NETWORK_PLUGIN, clock),
  };
}

function openSpeaker({ runDir, gobgpd, engineSocket }: Settings, log: Log, kept: () => boolean): Speaker {
  if (engineSocket === undefined)
    return new GobgpSpeaker({ log, kept, supervise: true, folder: runDir, program: gobgpd });
  return new GobgpSpeaker({ log, kept, supervise: false, target: `unix://${engineSocket}` });
}
