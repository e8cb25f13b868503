import { Address } from '../net/address.ts';
import { privateAsn } from '../net/asn.ts';
import { splitCidr } from '../net/prefix.ts';
import { same } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Identity, type Peer, type Speaker, type SpeakerEvent, speakerKey } from '../ports/speaker.ts';
import type { Host } from './host.ts';
import { RouterId } from './identity.ts';
import type { Learned } from './learned.ts';
import type { Mesh } from './mesh.ts';
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
  readonly #mesh: Mesh;
  readonly #log: Log;
  readonly #routerId: RouterId;
  /** Keys of the peers of the mesh. */
  #meshed: readonly string[] = [];
  /** Once the engine accepts sessions it goes on to: a change would begin all of them anew. */
  #listens: boolean;
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
    /** Those among the cluster's hosts. */
    mesh: Mesh;
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
    this.#mesh = parts.mesh;
    // An engine of others is told once who it is: it may have peers later.
    this.#listens = !parts.supervised && parts.mesh.isOn;
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
    this.#mesh.hostChanged();
  }

  /** Other sessions with hosts of the cluster are to be had. */
  meshChanged(): void {
    if (this.#identity) this.#peer(this.#identity);
  }

  async close(): Promise<void> {
    this.#routerId.close();
  }

  #become(routerId: string): void {
    const asn = this.#settings.as ?? privateAsn(Address.parse(routerId));
    this.#mesh.become({ asn, routerId });
    this.#peer({ asn, routerId });
  }

  /** Has the engine be this one, and have the peers that it is to have. */
  #peer({ asn, routerId }: Pick<Identity, 'asn' | 'routerId'>): void {
    const before = this.#identity;
    const configured = this.#peers(asn);
    const mesh = this.#mesh.peers;
    this.#listens ||= configured.length + mesh.length > 0;
    const now = {
      asn,
      routerId,
      listenPort: this.#listens ? this.#settings.listenPort : 0,
      listenAddresses: [],
    };
    const isSame = same(before, now);
    this.#identity = now;
    if (!before) this.#log.info({ ...now }, 'BGP identity');
    else if (before.routerId !== routerId)
      this.#log.warn({ before, now }, 'the router id is another one: sessions begin anew');
    else if (!isSame)
      this.#log.info({ ...now }, 'the routing engine begins anew to accept sessions: it had none');
    // What comes from here on is for the next engine.
    if (before && !isSame) this.#reconciler.speakerUp(false);
    this.#reconciler.wantPeers(configured, 'peers');
    this.#reconciler.wantPeers(mesh, 'mesh');
    const keys = mesh.map(speakerKey);
    // Of a session that was ended from here nothing more is heard.
    for (const key of this.#meshed) if (!keys.includes(key)) this.#down(key);
    this.#meshed = keys;
    if (!isSame) this.#speaker.start(now, (event) => this.#heard(event));
  }

  #down(key: string): void {
    this.#routerId.session(key, false);
    this.#mesh.session(key, false);
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
        this.#mesh.session(event.peer.key, event.peer.state === 'established');
    }
  }
}
