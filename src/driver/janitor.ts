import { asCoded, type CodedError } from '../errors.ts';
import { Ages } from '../ports/clock.ts';
import type { Docker, DockerNetwork } from '../ports/docker.ts';
import type { Change } from '../ports/store.ts';
import type { Addresses } from './addresses.ts';
import type { Context } from './context.ts';
import type { Pools } from './pools.ts';

/** How long something that Docker does not list is left alone, in case that it is being made, in milliseconds. */
const GRACE_MS = 60_000;
/** How long an address is kept for a caller who asked for it and did not come back, in milliseconds. */
const HELD_MS = 300_000;
/** How often it looks by itself, in milliseconds. */
const EVERY_MS = 60_000;
/** Many events of Docker make one comparison, in milliseconds after the first. */
const SETTLE_MS = 1000;
/** Least pause between two comparisons, in milliseconds: where containers come and go there is always an event. */
const PAUSE_MS = 10_000;
/** So many failures in a row are worth a look: dockerd needs its time to boot, and tells when it is there. */
const PERSISTENT = 3;

/** What it did, for the log and for doctor. */
export interface Swept {
  readonly endpoints: readonly string[];
  readonly networks: readonly string[];
  readonly pools: readonly string[];
}

/** A comparison that failed several times in a row. */
export interface Trouble {
  readonly error: CodedError;
  /** How often in a row. */
  readonly count: number;
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
}

/**
 * Compares what Docker knows with what is recorded, always in the background. Docker does not tell a plugin that was
 * down that endpoints and networks have ended, and after a crash it may never say so.
 */
export class Janitor {
  readonly #context: Context;
  readonly #ages: Ages;
  readonly #addresses: Addresses;
  readonly #pools: Pools;
  readonly #docker: Docker;
  readonly #stops: (() => void)[] = [];
  #planned: { readonly at: number; readonly cancel: () => void } | undefined;
  #sweeping: Promise<unknown> | undefined;
  /** Something happened while it compared. */
  #again = false;
  /** When the last comparison by itself ended. */
  #ended = Number.NEGATIVE_INFINITY;
  #failing: Trouble | undefined;
  #closed = false;

  constructor(context: Context, parts: { addresses: Addresses; pools: Pools }, docker: Docker) {
    this.#context = context;
    this.#ages = new Ages(context.clock);
    this.#addresses = parts.addresses;
    this.#pools = parts.pools;
    this.#docker = docker;
  }

  start(): void {
    this.#stops.push(this.#docker.watch(() => this.#plan(SETTLE_MS)));
    this.#plan(SETTLE_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#planned?.cancel();
    for (const stop of this.#stops) stop();
    await this.#sweeping;
  }

  /** Why it cannot compare, if that is so for longer than dockerd's boot takes. */
  get trouble(): Trouble | undefined {
    return this.#failing && this.#failing.count >= PERSISTENT ? this.#failing : undefined;
  }

  /** One comparison. @throws NR_DOCKER_UNAVAILABLE, NR_STORE_FAILED */
  async sweep(graceMs = GRACE_MS): Promise<Swept> {
    const swept = await this.#compare(graceMs);
    if (this.trouble) this.#context.log.info({}, 'compares with Docker again');
    this.#failing = undefined;
    return swept;
  }

  async #compare(graceMs: number): Promise<Swept> {
    const { state, store, mark, present } = this.#context;
    // These need nobody's word, and must not wait for Docker's.
    const expired = this.#addresses.expired(HELD_MS);
    if (expired.length > 0) await store.commit(expired);
    await this.#pools.tidy();
    const listed = await this.#docker.networks();
    const known = new Set(listed.flatMap(({ endpoints }) => endpoints.map(({ id }) => id)));
    // Docker lists an endpoint from before its Join on: what it does not list is not on its way any more.
    const stale = [...state.endpoints.all()].filter(
      (endpoint) =>
        !known.has(endpoint.id) &&
        !present(endpoint) &&
        this.#ages.of(endpoint, endpoint.createdAt) > graceMs,
    );
    const networks = this.#forgotten(
      listed,
      stale.map(({ id }) => id),
      graceMs,
    );
    const gone = new Set(networks);
    const pools = [...state.poolUses.all()].filter((use) => {
      const user = state.networkOf(use.pool);
      return (!user || gone.has(user.id)) && this.#ages.of(use, use.since) > graceMs;
    });
    const changes: Change[] = [
      ...stale.flatMap((endpoint) => this.#addresses.reap(endpoint)),
      ...networks.map((id) => ({ key: state.networks.key(id) })),
      ...pools.flatMap(({ pool }) => this.#pools.unuse(pool)),
    ];
    if (changes.length > 0) await store.commit(changes);
    for (const { id } of stale) mark(id);
    const swept = { endpoints: stale.map(({ id }) => id), networks, pools: pools.map(({ pool }) => pool) };
    if (stale.length + networks.length + pools.length > 0) {
      this.#context.log.info(swept, 'removed what Docker does not have any more');
    }
    return swept;
  }

  /** Networks that Docker does not list, without endpoints that live. */
  #forgotten(listed: readonly DockerNetwork[], stale: readonly string[], graceMs: number): string[] {
    const { state } = this.#context;
    const known = new Set(listed.map(({ id }) => id));
    const dying = new Set(stale);
    return [...state.networks.all()]
      .filter((network) => !known.has(network.id) && this.#ages.of(network, network.createdAt) > graceMs)
      .filter((network) => state.endpointsOf(network.id).every(({ id }) => dying.has(id)))
      .map(({ id }) => id);
  }

  /** Sooner than what was planned before, if it is. */
  #plan(ms: number): void {
    const { clock } = this.#context;
    const now = clock.now();
    const at = Math.max(now + ms, this.#ended + PAUSE_MS);
    if (this.#closed || (this.#planned && this.#planned.at <= at)) return;
    this.#planned?.cancel();
    this.#planned = { at, cancel: clock.after(at - now, () => void this.#run()) };
  }

  async #run(): Promise<void> {
    this.#planned = undefined;
    if (this.#sweeping) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#sweeping = this.sweep()
      .catch((error: unknown) => this.#failed(asCoded(error)))
      .finally(() => {
        this.#sweeping = undefined;
        this.#ended = this.#context.clock.now();
        this.#plan(this.#again ? SETTLE_MS : EVERY_MS);
      });
  }

  #failed(error: CodedError): void {
    const { clock, log } = this.#context;
    const { count = 0, since = clock.now() } = this.#failing ?? {};
    this.#failing = { error, count: count + 1, since };
    const context = { err: error, count: count + 1 };
    if (count + 1 === PERSISTENT) log.warn(context, 'cannot compare with Docker');
    else log.debug(context, 'could not compare with Docker');
  }
}
