import type { Services } from '../driver/services.ts';
import type { Peer, PeerState } from '../ports/speaker.ts';
import { speakerKey } from '../ports/speaker.ts';
import { bounded } from './bounded.ts';
import { problemOf } from './problem.ts';
import type { PeersView, PeerView } from './views.ts';

/** Longest wait for the engine, in milliseconds. */
export const ENGINE_MS = 3000;

/** The configured peers with what the engine says of each, and those that only the engine has. Never throws. */
export async function showPeers({ reconciler, speaker }: Services): Promise<PeersView> {
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
      return showPeer(key, wanted.get(key), states.get(key), failure?.error.what);
    });
    return { peers, problems: [] };
  } catch (error) {
    const peers = [...wanted].map(([key, peer]) => showPeer(key, peer, undefined, undefined));
    return { peers, problems: [problemOf(error)] };
  }
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
