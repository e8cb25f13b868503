import { ANY_BUT_DEFAULT, type Peer, type PrefixRule } from '../ports/speaker.ts';
import type { PeerSettings } from './settings.ts';

/** The speaker's peers from the configuration's. */
export function peersOf(settings: readonly PeerSettings[], localAs: number): Peer[] {
  return settings.map((peer) => ({
    kind: 'peer',
    ...(peer.address !== undefined && { address: peer.address }),
    ...(peer.interface !== undefined && { interface: peer.interface }),
    peerAs: peer.as,
    localAs,
    ...(peer.localAddress !== undefined && { localAddress: peer.localAddress }),
    ...(peer.password !== undefined && { password: peer.password }),
    holdTime: peer.holdTime,
    keepalive: peer.keepalive ?? Math.max(1, Math.floor(peer.holdTime / 3)),
    connectRetry: peer.connectRetry,
    multihop: peer.multihop,
    port: peer.port,
    passive: peer.passive,
    gracefulRestart: peer.gracefulRestart,
    maximumPrefix: peer.maximumPrefix,
    import: rules(peer.import),
    export: rules(peer.export),
  }));
}

function rules(given: PeerSettings['import']): readonly PrefixRule[] {
  if (!given) return ANY_BUT_DEFAULT;
  return given.map(({ prefix, ge, le }) => ({
    prefix,
    ...(ge !== undefined && { ge }),
    ...(le !== undefined && { le }),
  }));
}
