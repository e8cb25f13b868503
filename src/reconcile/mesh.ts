import { isDeepStrictEqual } from 'node:util';
import { type SpeakerRecord, sinceNow, speakerSchema } from '../model/speaker.ts';
import type { HostView } from '../plan/endpoint.ts';
import { type Lingering, linger, type MeshHost, type MeshPlan, planMesh } from '../plan/mesh.ts';
import { type Clock, wallOf } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Peer, speakerKey } from '../ports/speaker.ts';
import type { Json, Store } from '../ports/store.ts';

/** After the first of many changes, in milliseconds. */
const SETTLE_MS = 100;
/** Without a session for so long, a reflector is told to be missing, in milliseconds: longer than it needs to begin anew. */
const MISSING_MS = 20_000;
/** A session that is planned for a shorter time may just not be up yet, in milliseconds. */
const YOUNG_MS = 20_000;
/** Pause before what could not be written is tried again, in milliseconds. */
const AGAIN_MS = 5_000;
/** Of the rules in plan/mesh.ts. */
const VERSION = 1;

const NOTHING: MeshPlan = { peers: [], reflectors: [], without: [] };

/** Who this host is to its peers. */
interface Who {
  readonly asn: number;
  readonly routerId: string;
}

export interface MeshParts {
  readonly store: Pick<Store, 'origin' | 'get' | 'all' | 'observe' | 'commit'>;
  /** The cluster's hosts that are in and complete, with what people call them. */
  readonly members: () => Iterable<{ readonly id: string; readonly name: string }>;
  readonly host: () => HostView;
  /** Tells one run of the host from the next. */
  readonly incarnation: () => string;
  readonly settings: {
    readonly peering: 'mesh' | 'fabric';
    readonly meshLimit: number;
    readonly listenPort: number;
    /** The configured peers, which the mesh leaves alone. */
    readonly peers: readonly { readonly address?: string | undefined }[];
  };
  readonly clock: Clock;
  readonly log: Log;
  /** There are other sessions to be had. */
  readonly changed: () => void;
}

/**
 * The sessions with the other hosts of the cluster: tells them what they need to know of this one, in a record of its
 * own, and plans by theirs.
 */
export class Mesh {
  readonly #parts: MeshParts;
  readonly #key: string;
  readonly #configured: ReadonlySet<string>;
  readonly #stops: (() => void)[];
  /** Keys of the sessions that are up. */
  readonly #up = new Set<string>();
  /** Since when sessions are planned that were not up yet, by key, in milliseconds. */
  readonly #young = new Map<string, number>();
  /** Reflectors without a session: what ends the wait for it; undefined once it was in vain. */
  readonly #waits = new Map<string, (() => void) | undefined>();
  readonly #unreadable = new Set<string>();
  #who: Who | undefined;
  /** What this host said last since it was started. */
  #said: SpeakerRecord | undefined;
  #plan = NOTHING;
  #sessions: readonly Lingering[] = [];
  #soon: (() => void) | undefined;
  #later: (() => void) | undefined;
  #again: (() => void) | undefined;
  #writing = false;
  #closed = false;

  constructor(parts: MeshParts) {
    this.#parts = parts;
    this.#key = `speaker/${parts.store.origin}`;
    this.#configured = new Set(parts.settings.peers.flatMap(({ address }) => address ?? []));
    this.#stops = ['speaker', 'member', 'gone'].map((namespace) =>
      parts.store.observe(namespace, () => this.#lookSoon()),
    );
  }

  /** Whether this host peers with others of its cluster at all. */
  get isOn(): boolean {
    return this.#parts.settings.peering === 'mesh';
  }

  /** The peers that are to be there now. */
  get peers(): readonly Peer[] {
    return this.#sessions.map(({ peer }) => peer);
  }

  /** The same with whom they are. */
  get sessions(): readonly Lingering[] {
    return this.#sessions;
  }

  get plan(): MeshPlan {
    return this.#plan;
  }

  /** Whether a session was planned a moment ago and was not up yet: that it is not says nothing. */
  isYoung(key: string): boolean {
    const since = this.#young.get(key);
    return since !== undefined && this.#parts.clock.now() - since < YOUNG_MS;
  }

  /** This host is somebody from now on, or somebody else. What `peers` says holds for it at once. */
  become(who: Who): void {
    this.#who = who;
    this.#look();
  }

  /** The host may have other addresses. */
  hostChanged(): void {
    this.#lookSoon();
  }

  /** A session came up, or is not up. */
  session(key: string, established: boolean): void {
    if (established) {
      this.#up.add(key);
      this.#young.delete(key);
    } else this.#up.delete(key);
    if (this.#plan.reflectors.length > 0) this.#lookSoon();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    for (const cancel of [this.#soon, this.#later, this.#again, ...this.#waits.values()]) cancel?.();
  }

  #lookSoon(): void {
    if (this.#closed || !this.#who) return;
    this.#soon ??= this.#parts.clock.after(SETTLE_MS, () => {
      this.#soon = undefined;
      if (this.#look()) this.#parts.changed();
    });
  }

  /** Plans anew. @returns whether other sessions are to be had */
  #look(): boolean {
    const { store, settings, clock } = this.#parts;
    const hosts = this.isOn && this.#who ? this.#hosts() : [];
    const plan = planMesh(store.origin, hosts, settings.meshLimit);
    const now = clock.now();
    const wanted = plan.peers.filter(({ peer }) => !this.#configured.has(peer.address ?? ''));
    const before = this.#sessions.map(({ peer }) => peer);
    this.#plan = plan;
    this.#sessions = linger(this.#sessions, wanted, hosts, now);
    const [old, keys] = [before.map(speakerKey), this.peers.map(speakerKey)];
    for (const key of keys) if (!old.includes(key)) this.#young.set(key, now);
    for (const key of this.#young.keys()) if (!keys.includes(key)) this.#young.delete(key);
    this.#wait();
    this.#later?.();
    const next = Math.min(...this.#sessions.map(({ until }) => until ?? Number.POSITIVE_INFINITY));
    this.#later = Number.isFinite(next) ? clock.after(next - now, () => this.#lookSoon()) : undefined;
    this.#publish();
    return !isDeepStrictEqual(before, this.peers);
  }

  /** The hosts that peer, this one as it is now. */
  #hosts(): MeshHost[] {
    const records = this.#records();
    const own = this.#own(records);
    if (own) records.set(this.#parts.store.origin, own);
    return [...this.#parts.members()].flatMap(({ id, name }) => {
      const record = records.get(id);
      return record ? [{ ...record, id, name }] : [];
    });
  }

  /** What all hosts say, by id. What cannot be read is left out, and logged once. */
  #records(): Map<string, SpeakerRecord> {
    const found = new Map<string, SpeakerRecord>();
    for (const { key, value } of this.#parts.store.all('speaker')) {
      const { data, error } = speakerSchema.safeParse(value);
      if (data) {
        found.set(key.slice('speaker/'.length), data);
        this.#unreadable.delete(key);
      } else if (!this.#unreadable.has(key)) {
        this.#unreadable.add(key);
        this.#parts.log.warn(
          { key, err: error },
          'a host says something of its speaker that cannot be understood',
        );
      }
    }
    return found;
  }

  /**
   * This host as it is. An address that goes is mostly a link that is down: it is kept until there is another one, or
   * until the next start.
   */
  #own(records: ReadonlyMap<string, SpeakerRecord>): SpeakerRecord | undefined {
    const { store, host, incarnation, settings, clock } = this.#parts;
    if (!this.#who) return undefined;
    const known = this.#said ?? records.get(store.origin);
    const run = incarnation();
    const address = host().address ?? this.#said?.address;
    const addressV6 = host().addressV6 ?? this.#said?.addressV6;
    if (address === undefined && addressV6 === undefined) return undefined;
    const others = [...records].flatMap(([id, record]) => (id === store.origin ? [] : [record]));
    this.#said = {
      version: VERSION,
      as: this.#who.asn,
      routerId: this.#who.routerId,
      ...(address !== undefined && { address }),
      ...(addressV6 !== undefined && { addressV6 }),
      port: settings.listenPort,
      since: known?.run === run ? known.since : sinceNow(wallOf(clock), others),
      run,
      missing: [...this.#waits].flatMap(([id, cancel]) => (cancel ? [] : [id])).sort(),
    };
    return this.#said;
  }

  /** Waits for the sessions with the reflectors, each for a while. */
  #wait(): void {
    const { reflectors } = this.#plan;
    const keys = new Map(this.#plan.peers.map(({ host, peer }) => [host, speakerKey(peer)]));
    const lost = reflectors.filter((id) => !this.#up.has(keys.get(id) ?? ''));
    for (const [id, cancel] of this.#waits) {
      if (lost.includes(id)) continue;
      cancel?.();
      this.#waits.delete(id);
      if (!cancel) this.#lookSoon();
    }
    for (const id of lost) {
      if (this.#waits.has(id)) continue;
      const cancel = this.#parts.clock.after(MISSING_MS, () => {
        this.#waits.set(id, undefined);
        this.#lookSoon();
      });
      this.#waits.set(id, cancel);
    }
  }

  /** Has the record say what is so, if it does not yet. */
  #publish(): void {
    const { store, log, clock } = this.#parts;
    const value = this.isOn ? this.#said : undefined;
    const written = store.get(this.#key)?.value;
    if (this.#writing || this.#again || (this.isOn && !value) || isDeepStrictEqual(written, value)) return;
    this.#writing = true;
    store.commit([{ key: this.#key, ...(value && { value: value as Json }) }]).then(
      () => {
        this.#writing = false;
        // It may be different by now.
        this.#lookSoon();
      },
      (error: unknown) => {
        this.#writing = false;
        log.warn({ err: error }, 'could not tell the others how to peer with this host');
        if (this.#closed) return;
        this.#again = clock.after(AGAIN_MS, () => {
          this.#again = undefined;
          this.#lookSoon();
        });
      },
    );
  }
}
