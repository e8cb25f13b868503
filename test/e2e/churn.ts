import type { Host } from '../../lab/host.ts';

/** Something that a host does over and over, in several loops side by side, until it is told to end. */
export class Churn {
  readonly host: Host;
  /** Which refusals are expected, besides those that always are; none usually. */
  excused: RegExp | undefined;
  #loops: readonly Promise<void>[] = [];
  /** Who waits for it to go on. */
  #held:
    | { at: number; readonly full: PromiseWithResolvers<void>; readonly go: PromiseWithResolvers<void> }
    | undefined;
  #going = true;
  #failure: unknown;

  constructor(host: Host) {
    this.host = host;
  }

  /** @throws what was wrongly refused, or the address that was given twice */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Has all that was made stay, and makes no more. @throws as check() */
  async hold(): Promise<void> {
    this.check();
    this.#held ??= { at: 0, full: Promise.withResolvers<void>(), go: Promise.withResolvers<void>() };
    await this.#held.full.promise;
    this.check();
  }

  /** Goes on after hold(). */
  resume(): void {
    this.#held?.go.resolve();
    this.#held = undefined;
  }

  /** Ends when all that was made has gone. @throws as check() */
  async stop(): Promise<void> {
    this.#going = false;
    this.resume();
    await Promise.all(this.#loops);
    this.check();
  }

  /** Ends as soon as it can, when something went wrong. */
  async abandon(): Promise<void> {
    await this.stop();
  }

  /** Begins to do each of these over and over; the first failure ends its loop. Once. */
  protected repeat(rounds: readonly (() => Promise<void>)[]): void {
    const loop = async (round: () => Promise<void>) => {
      while (this.#going) await round();
    };
    this.#loops = rounds.map((round) =>
      loop(round).catch((error: unknown) => {
        this.#failure ??= error;
        this.#held?.full.resolve();
      }),
    );
  }

  /** Where a round waits, once, while the churn is held. */
  protected async halt(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    if (++held.at === this.#loops.length) held.full.resolve();
    await held.go.promise;
  }
}
