import { asCoded, CodedError } from '../../errors.ts';
import type { Log } from '../../ports/log.ts';
import type { Identity } from '../../ports/speaker.ts';
import type { Api } from './api.ts';
import { Child } from './child.ts';
import { connect } from './connect.ts';
import { ended, type ProcessId } from './process.ts';

/** Milliseconds: pauses between attempts, of health checks, and how long an engine may take to answer. */
const BACKOFF_MIN = 100;
const BACKOFF_MAX = 5_000;
const HEALTH = 3_000;
const HEALTH_DEADLINE = 2_000;
const START_DEADLINE = 10_000;
const PROBE = 1_000;

export type EngineOptions =
  | {
      readonly supervise: true;
      /** Folder for socket, process id and log of gobgpd. */
      readonly folder: string;
      /** Default: gobgpd. */
      readonly program?: string;
      readonly wrapper?: readonly string[];
    }
  | {
      readonly supervise: false;
      /** Where the engine listens: `unix:///run/gobgp.sock` or `192.0.2.1:50051`. */
      readonly target: string;
    };

/** An engine that answers and knows who it is. */
export interface Link {
  readonly api: Api;
  /** It was empty, and was told its identity just now. */
  readonly fresh: boolean;
  /** Of the engine, or of its API when it is not ours to ask. */
  readonly version: string;
}

/**
 * Keeps one engine running and connected. `use` is called with each link and returns a promise that settles when
 * the link is lost; then the engine is found or started again. Its signal says when to let go of the link.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #log: Log;
  readonly #child: Child | undefined;
  #identity: Identity | undefined;
  #link: Link | undefined;
  #closed = false;
  #pause: (() => void) | undefined;
  #drop: ((reason: CodedError) => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: EngineOptions, log: Log) {
    this.#options = options;
    this.#log = log;
    if (options.supervise) {
      const { folder, program = 'gobgpd', wrapper = [] } = options;
      this.#child = new Child({ folder, program, wrapper });
    }
  }

  get link(): Link | undefined {
    return this.#link;
  }

  /** From now on it is to be this one. A second call with another identity has the engine started anew. */
  start(
    identity: Identity,
    use: (link: Link, over: AbortSignal) => Promise<void>,
    failed: (reason: CodedError) => void,
  ): void {
    this.#identity = identity;
    if (this.#running) {
      this.#drop?.(letGo('the identity changed'));
      this.#pause?.();
    } else this.#running = this.#run(use, failed);
  }

  /** Lets go of the engine, which goes on by itself. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#drop?.(letGo('closed'));
    this.#pause?.();
    await this.#running;
  }

  /** Ends the engine too, if it is ours: its peers are told, and forget its routes. */
  async stop(): Promise<void> {
    await this.close();
    await this.#child?.stop('graceful');
  }

  async #run(
    use: (link: Link, over: AbortSignal) => Promise<void>,
    failed: (reason: CodedError) => void,
  ): Promise<void> {
    let backoff = BACKOFF_MIN;
    while (!this.#closed) {
      const lost = Promise.withResolvers<never>();
      lost.promise.catch(() => {});
      this.#drop = lost.reject;
      const since = performance.now();
      try {
        this.#link = await this.#open();
        const stop = this.#health(this.#link.api, lost.reject);
        const over = new AbortController();
        try {
          await Promise.race([use(this.#link, over.signal), lost.promise]);
        } finally {
          stop();
          over.abort();
        }
      } catch (error) {
        const reason = asCoded(error);
        if (!this.#closed) this.#log.warn({ err: reason }, 'the routing engine is not available');
        failed(reason);
      }
      this.#link?.api.client.close();
      this.#link = undefined;
      if (this.#closed) break;
      // An engine that ran for a while is brought back at once, one that ends at once ever slower.
      if (performance.now() - since > BACKOFF_MAX) backoff = BACKOFF_MIN;
      await this.#sleep(backoff);
      backoff = Math.min(BACKOFF_MAX, backoff * 2);
    }
  }

  async #open(): Promise<Link> {
    const identity = this.#identity!;
    const version = await this.#child?.version();
    let api = await this.#reach();
    try {
      let found = await api.identity();
      if (found && !sameIdentity(found, identity) && this.#child) {
        this.#log.info({ found, identity }, 'the routing engine is somebody else: starting it anew');
        await this.#child.stop('by force');
        api.client.close();
        api = await this.#reach();
        found = await api.identity();
      }
      // The engine of others, or one that has our socket and that we did not start.
      if (found && !sameIdentity(found, identity)) {
        const { asn, routerId, listenPort } = found;
        const whose = this.#child ? `${this.#child.socket} leads to` : 'the external engine is';
        const what = `${whose} AS ${asn}, router id ${routerId}, port ${listenPort}`;
        throw new CodedError('NR_SPEAKER_REFUSED', what);
      }
      if (!found) await api.introduce(identity);
      return { api, fresh: !found, version: version ?? `api ${api.dialect.version}` };
    } catch (error) {
      api.client.close();
      throw error;
    }
  }

  /** Connects to the engine, and starts it before if it is ours and does not run. */
  async #reach(): Promise<Api> {
    const child = this.#child;
    if (!child) return connect((this.#options as { target: string }).target, START_DEADLINE);
    const target = `unix://${child.socket}`;
    let process = child.running();
    if (process) {
      try {
        return await connectAfter(target, process, START_DEADLINE / 2);
      } catch {
        this.#log.warn({ pid: process.pid }, 'gobgpd does not answer: starting it anew');
        await child.stop('by force');
      }
    } else {
      // One whose process is not to be seen from here; whoever answers there is ours to use.
      const api = await connect(target, PROBE).catch(() => undefined);
      if (api) return api;
    }
    process = await child.spawn();
    try {
      return await connectAfter(target, process, START_DEADLINE);
    } catch (error) {
      const words = child.lastWords();
      throw new CodedError('NR_SPEAKER_UNAVAILABLE', `gobgpd does not start: ${words}`, { cause: error });
    }
  }

  #health(api: Api, lost: (reason: CodedError) => void): () => void {
    let failures = 0;
    const timer = setInterval(async () => {
      this.#child?.trim();
      try {
        await api.identity(HEALTH_DEADLINE);
        failures = 0;
      } catch (error) {
        // The stream's end is the quicker sign of a dead engine; this finds the frozen one.
        if (++failures > 1) lost(asCoded(error));
      }
    }, HEALTH);
    timer.unref();
    return () => clearInterval(timer);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#pause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Tries until the process answers, has ended, or `within` milliseconds are over. */
async function connectAfter(target: string, process: ProcessId, within: number): Promise<Api> {
  for (const until = performance.now() + within; ; ) {
    try {
      return await connect(target, PROBE);
    } catch (error) {
      if (performance.now() > until || (await ended(process, 20))) throw error;
    }
  }
}

function sameIdentity(found: Identity, wanted: Identity): boolean {
  const anywhere = wanted.listenAddresses.length === 0 || wanted.listenPort === 0;
  return (
    found.asn === wanted.asn &&
    found.routerId === wanted.routerId &&
    found.listenPort === wanted.listenPort &&
    (anywhere || [...found.listenAddresses].sort().join() === [...wanted.listenAddresses].sort().join())
  );
}

/** Why the engine is let go of on purpose: nothing is wrong with it. */
function letGo(why: string): CodedError {
  return new CodedError('NR_SPEAKER_UNAVAILABLE', why, { remedy: 'nothing: it begins again by itself' });
}
