import type { Target } from './target.ts';

/** A prefix that this host originates. */
export interface Announcement {
  readonly kind: 'announcement';
  readonly prefix: string;
  /** Address of this host that the fabric shall send to, of the prefix's family. */
  readonly nextHop: string;
  /** Several hosts announce it on purpose. Told to others in a large community, see docs/design. */
  readonly anycast: boolean;
}

/** A rule on prefixes: those within `prefix` whose length is from `ge` to `le` (default: the prefix itself). */
export interface PrefixRule {
  readonly prefix: string;
  readonly ge?: number;
  readonly le?: number;
}

/** Everything but a default route, of both families. */
export const ANY_BUT_DEFAULT: readonly PrefixRule[] = [
  { prefix: '0.0.0.0/0', ge: 1, le: 32 },
  { prefix: '::/0', ge: 1, le: 128 },
];

/** A BGP neighbour. Times in seconds. */
export interface Peer {
  readonly kind: 'peer';
  /** Its address, or for an unnumbered session the interface it is behind (RFC 8950 next hops). */
  readonly address?: string;
  readonly interface?: string;
  readonly peerAs: number;
  /** Equal to the speaker's AS for iBGP. */
  readonly localAs: number;
  readonly localAddress?: string;
  /** TCP MD5 signature key (RFC 2385). */
  readonly password?: string;
  readonly holdTime: number;
  readonly keepalive: number;
  readonly connectRetry: number;
  /** How many hops away an eBGP neighbour may be; 1 for a direct one. */
  readonly multihop: number;
  readonly port: number;
  /** Only waits for the neighbour to connect. Of two GoBGP one should: both trying, they can miss each other for long. */
  readonly passive: boolean;
  /** Graceful restart (RFC 4724): restart time, 0 turns it off. */
  readonly gracefulRestart: number;
  /** Session is torn down when more prefixes of one family arrive; 0 for no limit. */
  readonly maximumPrefix: number;
  /** What is accepted from it. */
  readonly import: readonly PrefixRule[];
  /** What is announced to it, within the pools. */
  readonly export: readonly PrefixRule[];
  /**
   * Of a peer in the cluster's mesh. `member`: it is told what this host originates, as any other. `client`: besides
   * that, what other peers of the mesh tell, with the next hop as it came (by iBGP a route reflector's client, RFC 4456;
   * by eBGP with our AS number in front). What other peers tell goes on to nobody.
   */
  readonly mesh?: 'member' | 'client';
}

export type SpeakerResource = Announcement | Peer;

/** The key of a resource, unique among all kinds. */
export function speakerKey(resource: SpeakerResource): string {
  return resource.kind === 'peer'
    ? `peer ${resource.address ?? resource.interface}`
    : `announcement ${resource.prefix}`;
}

/** Who this speaker is. A change needs a restart of the engine. */
export interface Identity {
  readonly asn: number;
  /** IPv4 address. */
  readonly routerId: string;
  /** TCP port to listen on; 0 when sessions are only ever opened from here. */
  readonly listenPort: number;
  readonly listenAddresses: readonly string[];
}

/** The best paths to one prefix that others announced. */
export interface LearnedRoute {
  readonly prefix: string;
  /** Addresses of the next hops that are best, sorted; several with multipath. A link-local one has its interface. */
  readonly nextHops: readonly { readonly via: string; readonly dev?: string }[];
  /** Router id of the host that originated it, where it told (large community), else its next hop. */
  readonly holder: string;
  readonly anycast: boolean;
  readonly asPath: readonly number[];
}

export interface PeerState {
  readonly key: string;
  readonly state: 'idle' | 'connect' | 'active' | 'opensent' | 'openconfirm' | 'established';
  readonly routerId?: string;
  /** Seconds since the session is up, 0 when it is not. */
  readonly uptime: number;
  /** Prefixes that came, those of them that the import rules let through, and those that it was told. */
  readonly received: number;
  readonly accepted: number;
  readonly advertised: number;
  /** What stands in the way, where the engine knows. */
  readonly reason?: string;
}

export type SpeakerEvent =
  /** Paths to these prefixes changed; `routes` has those that are reachable now, the other prefixes are gone. */
  | {
      readonly kind: 'learned';
      readonly prefixes: readonly string[];
      readonly routes: readonly LearnedRoute[];
    }
  /**
   * All that is learned now, after a start, a reconnection or a graceful restart: forget what is not in it. Comes when
   * the peers have told what they know, or after a limited wait; until then `learned` only adds.
   */
  | { readonly kind: 'learned-all'; readonly routes: readonly LearnedRoute[] }
  | { readonly kind: 'peer'; readonly peer: PeerState }
  /** The engine can be talked to, and knows nothing of ours unless it was not restarted: read back. */
  | { readonly kind: 'up'; readonly engine: string }
  /** Learned routes stay in force until the next `learned-all`. */
  | { readonly kind: 'down'; readonly reason: string };

/**
 * Of the operations of one `apply`, announcements are carried out before peers whatever their order, for a peer that
 * hears the end of our routes forgets what it kept over a restart: after an `up`, put everything in one go.
 */
export interface Speaker extends Target<SpeakerResource> {
  /** Starts (or finds) the engine and keeps it running with this identity, until close. Returns at once. */
  start(identity: Identity, listener: (event: SpeakerEvent) => void): void;
  /** @throws CodedError NR_SPEAKER_UNAVAILABLE */
  peers(): Promise<readonly PeerState[]>;
  /** Prefixes that may be announced; anything outside of them is refused with NR_EXPORT_DENIED. */
  permit(pools: readonly string[]): void;
  /** Name and version of the engine, and whether it can be talked to. */
  engine(): {
    readonly name: string;
    readonly version: string;
    readonly up: boolean;
    readonly reason?: string;
  };
}
