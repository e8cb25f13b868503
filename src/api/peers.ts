import type { Services } from '../driver/services.ts';
import type { Peer, PeerState } from '../ports/speaker.ts';
import { speakerKey } from '../ports/speaker.ts';
import { bounded } from './bounded.ts';
import { problemOf } from './problem.ts';
import type { PeersView, PeerView } from './views.ts';

/** Longest wait for the engine, in milliseconds. */
export const ENGINE_MS = 3000;

/**
 * The peers of the settings and of the cluster with what the engine says of each, those that only the engine has, and
 * hosts of the cluster that cannot be peered with. Never throws.
 */
export async function showPeers(services: Services): Promise<PeersView> {
  const { reconciler, speaker, mesh } = services;
  const wanted = new Map<string, Peer>();
  for (const resource of reconciler.speaker.tracker.allWanted()) {
    if (resource.kind === 'peer') wanted.set(speakerKey(resource), resource);
  }
  const failures = reconciler.speaker.failures;
  try {
    const states = new Map<string, PeerState>();
    for (const state of await bounded(speaker.peers(), ENGINE_MS, 'routing engine'))
      states.set(state.key, state);
    const keys = [...new Set([...wanted.keys(), ...states.keys()])];
    const peers = keys.map((key) => {
      const failure = failures.get(key);
      return {
        ...showPeer(key, wanted.get(key), states.get(key), failure?.error.what),
        ...whoseOf(services, key),
      };
    });
    return { peers: [...peers, ...strangers(mesh)], problems: [] };
  } catch (error) {
    const peers = [...wanted].map(([key, peer]) => ({
      ...showPeer(key, peer, undefined, undefined),
      ...whoseOf(services, key),
    }));
    return { peers: [...peers, ...strangers(mesh)], problems: [problemOf(error)] };
  }
}

/** Whether there should be a session and is none: not one that has not had the time. */
export function isDown({ state, young }: PeerView): boolean {
  return state !== 'established' && young !== true;
}

function showPeer(
  key: string,
  peer: Peer | undefined,
  state: PeerState | undefined,
  failure: string | undefined,
): PeerView {
  const reason = failure ?? state?.reason;
  return {
    neighbour: key.replace(/^peer /, ''),
    ...(peer && { as: peer.peerAs }),
    state: state?.state ?? 'unknown',
    ...(state?.routerId !== undefined && { routerId: state.routerId }),
    uptime: state?.uptime ?? 0,
    received: state?.received ?? 0,
    accepted: state?.accepted ?? 0,
    advertised: state?.advertised ?? 0,
    ...(reason !== undefined && { reason }),
  };
}

/** Who wants a peer, which host it is, and whether it is one since a moment only. */
function whoseOf({ reconciler, mesh }: Services, key: string): Pick<PeerView, 'origin' | 'host' | 'young'> {
  const owner = reconciler.speaker.tracker.ownerOf(key);
  // A configured peer may be a host of the cluster too.
  const session = [...mesh.sessions, ...mesh.plan.peers].find(({ peer }) => speakerKey(peer) === key);
  return {
    ...(owner !== undefined && { origin: owner === 'mesh' ? 'cluster' : 'configured' }),
    ...(session && { host: session.name }),
    ...(mesh.isYoung(key) && { young: true }),
  };
}

/** Hosts that there should be a session with and cannot be one. */
function strangers({ plan }: Services['mesh']): PeerView[] {
  const counts = { uptime: 0, received: 0, accepted: 0, advertised: 0 };
  return plan.without.map(({ name, why }) => ({
    neighbour: name,
    origin: 'cluster',
    host: name,
    state: 'idle',
    ...counts,
    reason: why,
  }));
}
