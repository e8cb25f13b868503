import { asCoded, CodedError } from '../errors.ts';
import { Prefix } from '../net/prefix.ts';
import {
  type Announcement,
  type Identity,
  type Peer,
  type PeerState,
  type Speaker,
  type SpeakerEvent,
  type SpeakerResource,
  speakerKey,
} from '../ports/speaker.ts';
import type { Operation, Outcome } from '../ports/target.ts';
import { checkPeer } from './check.ts';
import { type End, type Member, MemoryFabric, type Wired } from './fabric.ts';
import { readMark } from './holder.ts';
import { Permit } from './permit.ts';
import { LearnedTable } from './table.ts';

/**
 * A speaker without an engine, for tests and for a host without routing. Wired to others by a MemoryFabric it learns
 * what they announce. It can be made to fail: `crash`, `recover`, `refuse`.
 */
export class MemorySpeaker implements Speaker, Wired {
  readonly #fabric: MemoryFabric;
  readonly #resources = new Map<string, SpeakerResource>();
  readonly #refused = new Map<string, CodedError>();
  readonly #table = new LearnedTable();
  readonly #told = new Map<string, string>();
  readonly #since = new Map<string, number>();
  #identity: Identity | undefined;
  #listener: (event: SpeakerEvent) => void = () => {};
  #permit = new Permit([]);
  #up = false;
  #looking = false;
  /** Somebody had the chance to put again what was lost. */
  #restored = true;
  /** Keys of the peers that were established before a crash. */
  #expected = new Set<string>();
  /** Every pass of `apply`, for tests to count. */
  readonly applied: (readonly Operation<SpeakerResource>[])[] = [];
  /** Crashed, and not told its peers again since. */
  recovering = false;

  constructor(fabric = new MemoryFabric(), addresses: readonly string[] = []) {
    this.#fabric = fabric;
    fabric.attach(this, addresses);
  }

  start(identity: Identity, listener: (event: SpeakerEvent) => void): void {
    const changed =
      this.#identity !== undefined && JSON.stringify(this.#identity) !== JSON.stringify(identity);
    if (changed) this.crash('the identity changed');
    this.#identity = identity;
    this.#listener = listener;
    setImmediate(() => this.recover());
  }

  async read(): Promise<ReadonlyMap<string, SpeakerResource>> {
    this.#live();
    return new Map(this.#resources);
  }

  async apply(operations: readonly Operation<SpeakerResource>[]): Promise<readonly Outcome[]> {
    this.#live();
    this.applied.push(operations);
    this.#restored = true;
    const outcomes = operations.map((operation) => {
      try {
        this.#one(operation);
        return { key: operation.key };
      } catch (error) {
        return { key: operation.key, error: asCoded(error) };
      }
    });
    this.#fabric.changed();
    return outcomes;
  }

  permit(pools: readonly string[]): void {
    this.#permit = new Permit(pools);
    for (const [key, resource] of this.#resources) {
      if (resource.kind === 'announcement' && !this.#permit.allows(Prefix.parse(resource.prefix))) {
        this.#resources.delete(key);
      }
    }
    this.#fabric.changed();
  }

  async peers(): Promise<readonly PeerState[]> {
    this.#live();
    return this.#fabric.ends(this).map((end) => this.#state(end));
  }

  engine(): { name: string; version: string; up: boolean; reason?: string } {
    return { name: 'memory', version: '1', up: this.#up, ...(!this.#up && { reason: 'not running' }) };
  }

  async close(): Promise<void> {
    this.#listener = () => {};
    this.#up = false;
    this.#fabric.changed();
  }

  /** The engine dies, and with it all that it was told. */
  crash(reason = 'crashed'): void {
    if (!this.#up) return;
    const established = this.#fabric.ends(this).filter(({ state }) => state === 'established');
    this.#expected = new Set(established.map(({ peer }) => speakerKey(peer)));
    this.#up = false;
    this.recovering = true;
    this.#restored = false;
    this.#resources.clear();
    this.#told.clear();
    this.#listener({ kind: 'down', reason });
    this.#fabric.changed();
  }

  /** The engine is there again, empty after a crash. */
  recover(): void {
    if (this.#up || !this.#identity) return;
    this.#up = true;
    this.#listener({ kind: 'up', engine: 'memory 1' });
    if (!this.recovering) this.#tellAll();
    // Who has nothing to put again is not heard from.
    setTimeout(() => {
      this.#restored = true;
      this.look();
    }, 2_000).unref();
    this.#fabric.changed();
  }

  /** From now on operations on this key fail; without an error they succeed again. */
  refuse(key: string, error?: CodedError): void {
    if (error) this.#refused.set(key, error);
    else this.#refused.delete(key);
  }

  /** What the other members see. */
  get member(): Member {
    const all = [...this.#resources.values()];
    return {
      asn: this.#identity?.asn ?? 0,
      routerId: this.#identity?.routerId ?? '',
      running: this.#up,
      peers: all.filter((resource): resource is Peer => resource.kind === 'peer'),
      announcements: all.filter((resource): resource is Announcement => resource.kind === 'announcement'),
      pools: this.#permit.pools,
    };
  }

  /** Something in the fabric changed: looks at it in the next turn of the event loop, once. */
  look(): void {
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      if (this.#up) this.#see();
    });
  }

  #see(): void {
    const ends = this.#fabric.ends(this);
    for (const end of ends) {
      const state = this.#state(end);
      const text = `${state.state} ${state.reason}`;
      if (this.#told.get(state.key) === text) continue;
      this.#told.set(state.key, text);
      this.#listener({ kind: 'peer', peer: state });
    }
    const own = this.member.routerId;
    const paths = ends
      .flatMap((end) => end.paths)
      .filter(({ source, communities }) => source !== own && readMark(communities).holder !== own);
    if (this.recovering) {
      const up = new Set(
        ends.flatMap(({ peer, state }) => (state === 'established' ? speakerKey(peer) : [])),
      );
      if (!this.#restored || [...this.#expected].some((key) => !up.has(key))) return;
      this.recovering = false;
      this.#table.replace(paths);
      this.#tellAll();
      return;
    }
    this.#table.replace(paths);
    const news = this.#table.news();
    if (news.prefixes.length > 0) this.#listener({ kind: 'learned', ...news });
  }

  #tellAll(): void {
    this.#listener({ kind: 'learned-all', routes: this.#table.all() });
  }

  #one({ do: what, key, resource }: Operation<SpeakerResource>): void {
    const refused = this.#refused.get(key);
    if (refused) throw refused;
    if (what === 'remove') {
      this.#resources.delete(speakerKey(resource));
      return;
    }
    if (resource.kind === 'announcement') this.#permit.check(resource);
    else checkPeer(resource);
    // The same peer again is no reason to begin a session anew.
    const there = this.#resources.get(speakerKey(resource));
    if (JSON.stringify(there) !== JSON.stringify(resource))
      this.#resources.set(speakerKey(resource), resource);
  }

  #state({ peer, state, routerId, reason, received, advertised, paths }: End): PeerState {
    const key = speakerKey(peer);
    const up = state === 'established';
    if (!up) this.#since.delete(key);
    else if (!this.#since.has(key)) this.#since.set(key, Date.now());
    return {
      key,
      state,
      ...(routerId !== undefined && { routerId }),
      uptime: up ? Math.floor((Date.now() - this.#since.get(key)!) / 1000) : 0,
      received,
      accepted: up ? paths.length : 0,
      advertised,
      ...(reason !== undefined && { reason }),
    };
  }

  #live(): void {
    if (!this.#up) throw new CodedError('NR_SPEAKER_UNAVAILABLE', 'memory: not running');
  }
}
