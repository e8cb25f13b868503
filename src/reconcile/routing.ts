import { Address } from '../net/address.ts';
import { privateAsn } from '../net/asn.ts';
import { splitCidr } from '../net/prefix.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Identity, Peer, Speaker, SpeakerEvent } from '../ports/speaker.ts';
import type { Host } from './host.ts';
import { RouterId } from './identity.ts';
import type { Learned } from './learned.ts';
import type { Reconciler } from './reconciler.ts';

/** What the user may have settled about who this host is. */
export interface RoutingSettings {
  /** Own AS number; one made of the router id by default. */
  readonly as?: number | undefined;
  readonly routerId?: string | undefined;
  readonly listenPort: number;
}

/** Runs the engine as who this host is, from when that is known, and hands on what the engine tells. */
export class Routing {
  readonly #speaker: Speaker;
  readonly #reconciler: Reconciler;
  readonly #learned: Learned;
  readonly #host: Host;
  readonly #settings: RoutingSettings;
  readonly #peers: (asn: number) => readonly Peer[];
  readonly #log: Log;
  readonly #routerId: RouterId;
  #identity: Identity | undefined;
  #started = false;

  constructor(parts: {
    speaker: Speaker;
    reconciler: Reconciler;
    learned: Learned;
    host: Host;
    settings: RoutingSettings;
    /** The configured peers, for the host's own AS number. */
    peers: (asn: number) => readonly Peer[];
    /** Whether the engine is ours, and can be started anew as somebody else. */
    supervised: boolean;
    clock: Clock;
    log: Log;
  }) {
    this.#speaker = parts.speaker;
    this.#reconciler = parts.reconciler;
    this.#learned = parts.learned;
    this.#host = parts.host;
    this.#settings = parts.settings;
    this.#peers = parts.peers;
    this.#log = parts.log;
    this.#routerId = new RouterId({
      configured: parts.settings.routerId,
      changeable: parts.supervised,
      clock: parts.clock,
      changed: (routerId) => this.#become(routerId),
    });
  }

  /** Who the engine is; undefined while the host has no address to make a router id of, and the engine is not run. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** Whether the router id was made of an address that the host has no more. */
  get stale(): boolean {
    return this.#routerId.stale;
  }

  /** Runs the engine, as soon as it is known who the host is. */
  start(): void {
    this.#started = true;
    this.hostChanged();
    if (!this.#identity) this.#log.warn({}, 'the host has no address to make a router id of: no routing yet');
  }

  /** The host may have come to be somebody, or somebody else. */
  hostChanged(): void {
    if (!this.#started) return;
    const addresses = this.#host.facts.addresses.map(({ address }) => splitCidr(address).address.toString());
    this.#routerId.follow(this.#host.view, new Set(addresses));
  }

  async close(): Promise<void> {
    this.#routerId.close();
  }

  #become(routerId: string): void {
    const before = this.#identity;
    const asn = this.#settings.as ?? privateAsn(Address.parse(routerId));
    const peers = this.#peers(asn);
    const listenPort = peers.length > 0 ? this.#settings.listenPort : 0;
    this.#identity = { asn, routerId, listenPort, listenAddresses: [] };
    if (before)
      this.#log.warn({ before, now: this.#identity }, 'the router id is another one: sessions begin anew');
    else this.#log.info({ ...this.#identity }, 'BGP identity');
    // What comes from here on is for the next engine.
    if (before) this.#reconciler.speakerUp(false);
    this.#reconciler.wantPeers(peers);
    this.#speaker.start(this.#identity, (event) => this.#heard(event));
  }

  #heard(event: SpeakerEvent): void {
    switch (event.kind) {
      case 'learned':
      case 'learned-all':
        this.#learned.take(event);
        break;
      case 'up':
        this.#log.info({ engine: event.engine }, 'routing engine is up');
        this.#reconciler.speakerUp(true);
        break;
      case 'down':
        this.#log.warn({ reason: event.reason }, 'routing engine is down; routes stay');
        this.#reconciler.speakerUp(false);
        break;
      case 'peer':
        this.#log.info({ ...event.peer }, 'peer');
        this.#routerId.session(event.peer.key, event.peer.state === 'established');
    }
  }
}
