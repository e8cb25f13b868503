import { asCoded, CodedError } from '../../errors.ts';
import {
  type Identity,
  type PeerState,
  type SpeakerEvent,
  type SpeakerResource,
  speakerKey,
} from '../../ports/speaker.ts';
import type { Operation, Outcome } from '../../ports/target.ts';
import type { Permit } from '../permit.ts';
import type { LearnedTable } from '../table.ts';
import { Announcing } from './announcing.ts';
import type { Link } from './engine.ts';
import { Learning, sourceOf } from './learning.ts';
import { Peering } from './peering.ts';
import { DEFERRAL, type EnginePeer } from './peers.ts';
import { Policies } from './policies.ts';

/** Milliseconds: between looks at the peers while waiting for them, and after one of them changed. */
const LOOK = 100;
const SETTLE_PEERS = 50;
/** Nothing new for so long, and the peers are through. */
const QUIET = 500;
/** A fresh engine without peers gets this long to be given some, before "nothing is learned" is the truth. */
const EMPTY = 2_000;
/** Seconds after its start during which an engine calls itself restarted. */
const RESTARTING = 120;

export interface SessionOptions {
  readonly identity: Identity;
  /** The host kept forwarding what was announced by an engine before. */
  readonly kept: boolean;
  /** Nobody else uses the engine. */
  readonly exclusive: boolean;
  /** What to write before a command to have it run where the engine runs. */
  readonly wrapper: readonly string[];
  /** Milliseconds to wait for the peers' routes after a restart before what is missing counts as gone. */
  readonly patience: number;
  /** Keys of the peers that were established before: those are waited for, or all if there are none. */
  readonly expected: Set<string>;
  readonly tell: (event: SpeakerEvent) => void;
  /** Has something done when nobody else changes the engine. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
}

/** What is done with one link to an engine, from its first to its last word. */
export class Session {
  readonly #link: Link;
  readonly #options: SessionOptions;
  readonly #table: LearnedTable;
  readonly #announcing: Announcing;
  readonly #peering: Peering;
  readonly #learning: Learning;
  readonly #since = performance.now();
  readonly #states = new Map<string, string>();
  /** Notifications that each peer had been sent when its session was last seen to be up. */
  readonly #notified = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Peers that were established when the link began to be lost. */
  readonly #awaited: Set<string>;
  #looking: NodeJS.Timeout | undefined;
  /** Everything was told once. */
  #ready = false;
  #over = false;

  constructor(link: Link, table: LearnedTable, options: SessionOptions) {
    const { identity, kept, exclusive, wrapper } = options;
    this.#link = link;
    this.#options = options;
    this.#table = table;
    this.#awaited = new Set(options.expected);
    this.#announcing = new Announcing(link.api, identity.asn, identity.routerId);
    const restarting = () => kept && link.fresh && performance.now() - this.#since < RESTARTING * 1000;
    this.#peering = new Peering(link.api, new Policies(link.api, exclusive), restarting, wrapper);
    this.#learning = new Learning(link.api, table, identity, () => this.#news());
  }

  /** Lasts as long as the link. `permit` is absent until the pools are known. @throws CodedError when it is lost */
  async run(permit: Permit | undefined, up: () => void, over: AbortSignal): Promise<never> {
    const { api, fresh } = this.#link;
    const lost = Promise.withResolvers<never>();
    const ready = Promise.withResolvers<void>();
    lost.promise.catch(() => {});
    over.addEventListener('abort', () =>
      lost.reject(
        new CodedError('NR_SPEAKER_UNAVAILABLE', 'let go', { remedy: 'nothing: it begins again by itself' }),
      ),
    );
    if (fresh) this.#table.forget();
    const stop = api.watch(
      {
        ready: () => ready.resolve(),
        paths: (paths) => this.#learning.hear(paths),
        peer: () => this.#lookSoon(),
      },
      (error) => lost.reject(asCoded(error)),
    );
    try {
      await Promise.race([ready.promise, lost.promise, this.#later(5_000, 'the engine streams no events')]);
      if (permit) await this.permit(permit);
      await this.#look();
      up();
      await Promise.race([lost.promise, this.#settle(lost.reject)]);
      return await lost.promise;
    } finally {
      this.#over = true;
      stop();
      this.#learning.stop();
      clearTimeout(this.#looking);
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  async permit(permit: Permit): Promise<void> {
    await this.#announcing.prune(permit);
    await this.#peering.permit(permit);
  }

  async read(): Promise<ReadonlyMap<string, SpeakerResource>> {
    const found = new Map<string, SpeakerResource>(await this.#announcing.read());
    for (const { key, ours, peer } of (await this.#peering.list()).values()) if (ours) found.set(key, peer);
    return found;
  }

  async peers(): Promise<readonly PeerState[]> {
    const states = (await this.#peering.states(true)).values();
    // The engine counts as accepted what it understood; what the rules let through is in the table.
    return [...states]
      .filter(({ ours }) => ours)
      .map(({ address, state }) => ({
        ...state,
        accepted: this.#table.count(sourceOf({ neighbor: address, routerId: state.routerId ?? '' })),
      }));
  }

  /**
   * Announcements before peers, whatever their order: a peer that is told the end of our routes (End-of-RIB) forgets
   * those that it kept over a restart and that are not among them.
   */
  async apply(
    operations: readonly Operation<SpeakerResource>[],
    permit: Permit,
  ): Promise<readonly Outcome[]> {
    const errors: (CodedError | undefined)[] = operations.map(() => undefined);
    const pick = <R extends SpeakerResource>(kind: R['kind']) =>
      operations.flatMap((operation, at) =>
        operation.resource.kind === kind ? [{ at, operation: operation as Operation<R> }] : [],
      );
    const announcements = pick<Extract<SpeakerResource, { kind: 'announcement' }>>('announcement');
    const peers = pick<Extract<SpeakerResource, { kind: 'peer' }>>('peer');
    const keep = (some: readonly { at: number }[], outcomes: readonly (CodedError | undefined)[]) =>
      some.forEach(({ at }, index) => {
        errors[at] = outcomes[index];
      });
    if (announcements.length > 0) {
      keep(
        announcements,
        await this.#announcing.apply(
          announcements.map(({ operation }) => operation),
          permit,
        ),
      );
    }
    if (peers.length > 0) {
      keep(
        peers,
        await this.#peering.apply(
          peers.map(({ operation }) => operation),
          permit,
        ),
      );
      for (const { operation } of peers) {
        const key = speakerKey(operation.resource);
        if (operation.do !== 'remove') continue;
        this.#options.expected.delete(key);
        this.#awaited.delete(key);
      }
    }
    return operations.map(({ key }, at) => ({ key, error: errors[at] }));
  }

  /**
   * Tells what an engine that was found knows already, waits until the peers are through, then tells everything. An
   * engine that was found may have been started just before, and its peers may have to come yet: it is waited for
   * them as well.
   */
  async #settle(lost: (reason: unknown) => void): Promise<never> {
    try {
      if (!this.#link.fresh) {
        await this.#learning.refill();
        this.#news();
      }
      while (!this.#over && !(await this.#complete()))
        await new Promise<void>((resolve) => this.#in(LOOK, resolve));
      if (!this.#over) {
        await this.#learning.refill();
        this.#ready = true;
        this.#options.tell({ kind: 'learned-all', routes: this.#table.all() });
      }
    } catch (error) {
      lost(asCoded(error));
    }
    return new Promise<never>(() => {});
  }

  async #complete(): Promise<boolean> {
    const age = performance.now() - this.#since;
    if (age > this.#options.patience) return true;
    const peers = [...(await this.#peering.states()).values()].filter(({ ours }) => ours);
    const expected = this.#awaited;
    const awaited = expected.size > 0 ? peers.filter(({ key }) => expected.has(key)) : peers;
    if (awaited.length < expected.size) return false;
    if (awaited.length === 0) return !this.#link.fresh || age > EMPTY;
    return awaited.every((peer) => {
      if (peer.state.state !== 'established') return false;
      // The engine does not wait for the marker of a peer without graceful restart, or one that just restarted itself:
      // silence has to do.
      return peer.endOfRib && peer.state.uptime >= 2 && this.#learning.quiet > QUIET;
    });
  }

  #news(): void {
    const { prefixes, routes } = this.#table.news();
    if (prefixes.length > 0) this.#options.tell({ kind: 'learned', prefixes, routes });
  }

  #lookSoon(): void {
    this.#looking ??= setTimeout(() => {
      this.#looking = undefined;
      if (!this.#over) this.#look().catch(() => {}); // a lost link shows elsewhere
    }, SETTLE_PEERS);
  }

  /** Tells of the peers that are not as they were. */
  async #look(): Promise<void> {
    const peers = await this.#peering.states();
    if (this.#learning.know(peers.values()) && this.#ready) {
      await this.#learning.refill();
      this.#news();
    }
    for (const peer of peers.values()) {
      if (!peer.ours) continue;
      const { key, state } = peer;
      this.#judge(peer);
      const text = `${state.state} ${state.routerId} ${state.reason}`;
      if (this.#states.get(key) === text) continue;
      const was = this.#states.get(key);
      this.#states.set(key, text);
      if (state.state === 'established') {
        this.#options.expected.add(key);
        if (was !== undefined) this.#remind(peer);
      } else if (was?.startsWith('established')) this.#options.expected.delete(key);
      this.#options.tell({ kind: 'peer', peer: state });
    }
    for (const key of this.#states.keys()) if (!peers.has(key)) this.#states.delete(key);
  }

  /**
   * An engine takes the end of the hold time for a graceful restart of the peer, and keeps its routes for the restart
   * time. But then nobody has answered for a while: it is not the peer's engine that crashed, it is the host, or the way
   * to it. In the mesh, where hold times are short because of that, its routes go.
   */
  #judge({ key, meshed, notified, state }: EnginePeer): void {
    const before = this.#notified.get(key);
    if (!meshed) return;
    if (state.state === 'established') this.#notified.set(key, notified);
    else if (before !== undefined) this.#notified.delete(key);
    if (state.state === 'established' || before === undefined || notified <= before) return;
    // A lost link shows elsewhere.
    this.#options.inTurn(async () => void (!this.#over && (await this.#peering.renew(key)))).catch(() => {});
  }

  /**
   * Version 3 forgets to tell anything to a peer without graceful restart when its own restart ends with that of
   * another peer: it is told once more, a little later.
   */
  #remind({ key, graceful, peer }: EnginePeer): void {
    if (!this.#link.fresh || graceful || peer.gracefulRestart === 0) return;
    this.#in((DEFERRAL + 1) * 1000, () => {
      this.#peering.reset(new Set([key]), 'out').catch(() => {});
    });
  }

  #in(ms: number, call: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      call();
    }, ms);
    this.#timers.add(timer);
  }

  #later(ms: number, what: string): Promise<never> {
    return new Promise((_, reject) => {
      this.#in(ms, () => reject(new CodedError('NR_SPEAKER_UNAVAILABLE', what)));
    });
  }
}
