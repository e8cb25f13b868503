import { Tracker } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import { type Speaker, type SpeakerResource, speakerKey } from '../ports/speaker.ts';
import type { Operation } from '../ports/target.ts';
import { Lane } from './lane.ts';
import type { Repeated } from './repeated.ts';
import { within } from './within.ts';

/** How long the way out of a path waits for its withdrawal, in milliseconds. */
const WITHDRAW_MS = 500;

/**
 * What the speaker is told, beside the passes: it is up or not, and nobody waits for it but, briefly, who takes a path
 * away. An engine that came up is told nothing before it was read back, for it may be another one, which is empty.
 */
export class Speaking {
  readonly lane: Lane<SpeakerResource>;
  readonly #speaker: Speaker;
  readonly #clock: Clock;
  readonly #unknown: () => ReadonlySet<string>;
  readonly #told: () => void;
  readonly #read: Repeated;
  #up = false;
  /** What the engine has is known, since it came up. */
  #known = false;
  /** It is known what is wanted: until then nothing can be told not to be. */
  #begun = false;
  #closed = false;
  #speaking: Promise<void> = Promise.resolve();

  constructor(parts: {
    speaker: Speaker;
    clock: Clock;
    /** Makes the read-back, which is tried again when it fails. */
    repeat: (work: () => Promise<void>) => Repeated;
    /** Prefixes of which nobody knows yet whether they are to be announced: those that are stay so. */
    unknown: () => ReadonlySet<string>;
    /** It was told what there was, or some of that failed. */
    told: () => void;
  }) {
    this.#speaker = parts.speaker;
    this.#clock = parts.clock;
    this.#unknown = parts.unknown;
    this.#told = parts.told;
    this.lane = new Lane('speaker', new Tracker(speakerKey), parts.speaker, parts.clock);
    this.#read = parts.repeat(() => this.#look());
  }

  /** Whether it can be told anything now. */
  get open(): boolean {
    return this.#up && this.#known && this.#begun;
  }

  /** From now on what is not wanted goes. */
  begin(): void {
    this.#begun = true;
    this.kick();
  }

  /** The engine can be talked to, or cannot. */
  engineUp(up: boolean): void {
    this.#up = up;
    this.#known = false;
    this.#read.rest();
    if (!up) return;
    this.lane.hurry();
    void this.#read.now();
  }

  /** Reads back what the engine has, if it is up. Nobody waits for it. */
  readBack(): void {
    if (this.#up) void this.#read.now();
  }

  /** There may be something to tell. */
  kick(): void {
    if (this.#up && !this.#closed) this.#speaking = this.#speaking.then(() => this.#speak());
  }

  /** Takes announcements back before their path goes, but does not let a dead engine hold the path up. */
  async withdraw(): Promise<void> {
    const removals = this.#due().filter(({ do: what }) => what === 'remove');
    if (removals.length === 0 || !this.#up) return;
    this.kick();
    await within(this.#clock, WITHDRAW_MS, this.#speaking);
  }

  /** Resolves when what was to be told by now has been told, or failed. */
  async spoken(): Promise<void> {
    if (this.#up && !this.#known) await this.#read.now();
    await this.#speaking;
  }

  /** Begins nothing more. Resolves when what was to be told by now has been told, or failed. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#read.close();
    await this.#speaking;
  }

  async #speak(): Promise<void> {
    if (!this.open) return;
    // Withdraw first, and announce before peers are added: one that is told the end of our routes after a restart
    // forgets those that it kept and did not hear again.
    const rank = (one: Operation<SpeakerResource>) =>
      (one.do === 'remove' ? 0 : 2) + (one.resource.kind === 'peer' ? 1 : 0);
    await this.lane.apply(this.#due().sort((a, b) => rank(a) - rank(b)));
    this.#told();
  }

  /**
   * What is to be told. What a predecessor announced of addresses inside of sandboxes, which nobody reads back, goes on
   * until it is known that the address is not there.
   */
  #due(): Operation<SpeakerResource>[] {
    const due = this.lane.due();
    if (!due.some(({ do: what }) => what === 'remove')) return due;
    const unknown = this.#unknown();
    return due.filter(
      ({ do: what, resource }) =>
        !(what === 'remove' && resource.kind === 'announcement' && unknown.has(resource.prefix)),
    );
  }

  async #look(): Promise<void> {
    if (!this.#up) return;
    const stamp = this.lane.tracker.stamp();
    this.lane.tracker.found(await this.#speaker.read(), stamp);
    this.#known = true;
    this.kick();
  }
}
