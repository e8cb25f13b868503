import type { Clock } from '../../ports/clock.ts';

/** Until whoever asked is told that nothing has come yet, and until nobody waits for it any more, in milliseconds. */
const NACK_MS = 400;
const END_MS = 5000;
/** Open at the same time. */
const MAX = 256;

/** Who is to be told when the answer comes. */
interface Relay<Way> {
  readonly asker: string;
  /** The asker's own. */
  readonly number: number;
  readonly way: Way;
}

/** Pings that this host has sent for others, by number. */
export class Relays<Way> {
  readonly #timer: Clock;
  readonly #open = new Map<
    number,
    { readonly target: string; readonly relay: Relay<Way>; cancel: () => void }
  >();

  constructor(timer: Clock) {
    this.#timer = timer;
  }

  get isFull(): boolean {
    return this.#open.size >= MAX;
  }

  open(target: string, number: number, relay: Relay<Way>, nack: () => void): void {
    const end = () => void this.#open.delete(number);
    const entry = { target, relay, cancel: () => {} };
    entry.cancel = this.#timer.after(NACK_MS, () => {
      nack();
      entry.cancel = this.#timer.after(END_MS - NACK_MS, end);
    });
    this.#open.set(number, entry);
  }

  /** Whose question that answers; once. */
  answered(target: string, number: number): Relay<Way> | undefined {
    const entry = this.#open.get(number);
    if (entry?.target !== target) return undefined;
    entry.cancel();
    this.#open.delete(number);
    return entry.relay;
  }

  stop(): void {
    for (const { cancel } of this.#open.values()) cancel();
    this.#open.clear();
  }
}
