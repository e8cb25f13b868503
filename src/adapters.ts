import { join } from 'node:path';
import { CLUSTER_CLASSES } from './cluster/protocol/namespaces.ts';
import type { Settings } from './config/settings.ts';
import { PoolSpaces } from './driver/spaces.ts';
import { takeOver } from './driver/takeover.ts';
import { asCoded } from './errors.ts';
import { NftFirewall } from './firewall/nft.ts';
import { Conntrack } from './kernel/conntrack.ts';
import { IprouteKernel } from './kernel/iproute.ts';
import { NAMESPACES } from './plan/namespaces.ts';
import { State } from './plan/state.ts';
import type { Firewall, Flows } from './ports/firewall.ts';
import type { Kernel } from './ports/kernel.ts';
import type { Log } from './ports/log.ts';
import type { Speaker } from './ports/speaker.ts';
import { GobgpSpeaker } from './speaker/gobgp/speaker.ts';
import { removeStore } from './store/files.ts';
import { JournalStore } from './store/journal.ts';

/** What stands behind the ports. */
export interface Adapters {
  readonly kernel: Kernel;
  readonly firewall: Firewall;
  readonly flows: Flows;
  readonly speaker: Speaker;
}

/** The store, with what is read from it as it changes. */
export interface OpenStore {
  readonly store: JournalStore;
  readonly state: State;
  readonly spaces: PoolSpaces;
}

/**
 * Opens the store under an id, and makes what an earlier release has left there one of this. `isEmpty`: all that it had
 * is removed before. `now`: milliseconds since 1970; `wallMs`: the same for stamps.
 * @throws NR_STORE_*
 */
export async function openStore(
  { stateDir }: Settings,
  log: Log,
  given: {
    readonly id: string;
    readonly isEmpty: boolean;
    readonly now: number;
    readonly wallMs: () => number;
  },
): Promise<OpenStore> {
  const file = join(stateDir, 'store.db');
  if (given.isEmpty) removeStore(file);
  const store = new JournalStore({
    file,
    origin: given.id,
    classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]),
    wallMs: given.wallMs,
    report: (error, { key }) =>
      log.error({ err: asCoded(error), key }, 'an observer of the store has failed'),
  });
  try {
    const pools = await takeOver(store, given.now);
    if (pools > 0) log.info({ pools }, 'took over the pools of an earlier release');
    const state = new State(store, (key) => log.error({ key }, 'record does not parse, left out'));
    return { store, state, spaces: new PoolSpaces(store, state) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Gets them ready; none of them does anything yet. `kept`: whether the host forwarded what an engine announced before,
 * asked when the engine is there.
 */
export function openAdapters(settings: Settings, log: Log, kept: () => boolean): Adapters {
  return {
    kernel: new IprouteKernel({ log }),
    firewall: new NftFirewall({ folder: settings.runDir }),
    flows: new Conntrack(),
    speaker: openSpeaker(settings, log, kept),
  };
}

function openSpeaker({ runDir, gobgpd, engineSocket }: Settings, log: Log, kept: () => boolean): Speaker {
  if (engineSocket === undefined)
    return new GobgpSpeaker({ log, kept, supervise: true, folder: runDir, program: gobgpd });
  return new GobgpSpeaker({ log, kept, supervise: false, target: `unix://${engineSocket}` });
}
