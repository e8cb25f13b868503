import { CodedError } from '../../errors.ts';
import type { Log } from '../../ports/log.ts';
import type { Identity, PeerState, Speaker, SpeakerEvent, SpeakerResource } from '../../ports/speaker.ts';
import type { Operation, Outcome } from '../../ports/target.ts';
import { Permit } from '../permit.ts';
import { LearnedTable } from '../table.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { Session } from './session.ts';

export type GobgpOptions = EngineOptions & {
  readonly log: Log;
  /** Milliseconds after a restart until routes that no peer told again count as gone. Default: 30,000. */
  readonly patience?: number;
  /**
   * Whether the host kept forwarding what an engine announced before this one began: not after a boot. Peers then give
   * up what they kept, instead of sending to containers that are not there yet. Asked at the first link. Default: yes.
   */
  readonly kept?: () => boolean;
};

/** GoBGP as the routing engine, versions 3 and 4: its own gobgpd, or one that is there. */
export class GobgpSpeaker implements Speaker {
  readonly #engine: Engine;
  readonly #options: GobgpOptions;
  readonly #table = new LearnedTable();
  readonly #expected = new Set<string>();
  #permit: Permit | undefined;
  #identity: Identity | undefined;
  #listener: (event: SpeakerEvent) => void = () => {};
  #session: Session | undefined;
  #version = '';
  /** There was a link before: what was announced by it is still forwarded. */
  #linked = false;
  #reason: string | undefined = 'not started';
  /** What changes the engine goes one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: GobgpOptions) {
    this.#options = options;
    this.#engine = new Engine(options, options.log);
  }

  start(identity: Identity, listener: (event: SpeakerEvent) => void): void {
    this.#identity = identity;
    this.#listener = listener;
    this.#reason = 'starting';
    this.#engine.start(
      identity,
      async (link, over) => {
        const kept = this.#linked || (this.#options.kept?.() ?? true);
        this.#linked = true;
        const session = new Session(link, this.#table, {
          kept,
          identity: this.#identity!,
          exclusive: this.#options.supervise,
          wrapper: (this.#options.supervise && this.#options.wrapper) || [],
          patience: this.#options.patience ?? 30_000,
          expected: this.#expected,
          tell: (event) => this.#listener(event),
          inTurn: (work) => this.#inTurn(work),
        });
        this.#version = link.version;
        // Until somebody says what may pass, nothing does; an engine that was found keeps what it has.
        const permit = this.#permit;
        const up = () => {
          this.#session = session;
          if (this.#permit !== permit) this.#repermit();
          this.#reason = undefined;
          this.#listener({ kind: 'up', engine: `gobgp ${link.version}` });
        };
        await session.run(permit ?? (link.fresh ? new Permit([]) : undefined), up, over);
      },
      ({ what }) => {
        const wasUp = this.#session !== undefined;
        this.#session = undefined;
        this.#reason = what;
        if (wasUp) this.#listener({ kind: 'down', reason: what });
      },
    );
  }

  permit(pools: readonly string[]): void {
    const permit = new Permit(pools);
    const same = this.#permit?.pools.join() === permit.pools.join();
    this.#permit = permit;
    if (!same) this.#repermit();
  }

  read(): Promise<ReadonlyMap<string, SpeakerResource>> {
    return this.#inTurn(() => this.#live().read());
  }

  apply(operations: readonly Operation<SpeakerResource>[]): Promise<readonly Outcome[]> {
    return this.#inTurn(() => this.#live().apply(operations, this.#permit ?? new Permit([])));
  }

  async peers(): Promise<readonly PeerState[]> {
    return this.#live().peers();
  }

  engine(): { name: string; version: string; up: boolean; reason?: string } {
    const reason = this.#reason;
    return {
      name: 'gobgp',
      version: this.#version,
      up: this.#session !== undefined,
      ...(reason && { reason }),
    };
  }

  /** Lets go of the engine: a supervised gobgpd goes on, with all its sessions and routes. */
  async close(): Promise<void> {
    this.#listener = () => {};
    await this.#engine.close();
    await this.#turn.catch(() => {});
  }

  /** Ends a supervised gobgpd too; its peers are told and forget its routes. */
  async stop(): Promise<void> {
    this.#listener = () => {};
    await this.#engine.stop();
  }

  #repermit(): void {
    if (!this.#session) return; // the next one begins with it
    this.#inTurn(async () => this.#session?.permit(this.#permit ?? new Permit([]))).catch((error) =>
      this.#options.log.warn({ err: error }, 'the export policy could not be changed'),
    );
  }

  #live(): Session {
    if (this.#session) return this.#session;
    throw new CodedError('NR_SPEAKER_UNAVAILABLE', `GoBGP: ${this.#reason ?? 'not connected'}`);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}
