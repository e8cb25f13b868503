import type { Clock } from '../ports/clock.ts';

/** After the first of many events, in milliseconds. */
const SETTLE_MS = 250;

/**
 * Routes that went away, by us or by others: many events make one look, and only if one is believed to be there that
 * is not.
 */
export class Suspects {
  readonly #clock: Clock;
  readonly #believed: (prefixes: ReadonlySet<string>) => boolean;
  readonly #look: () => void;
  readonly #prefixes = new Set<string>();
  #anything = false;
  #cancel: (() => void) | undefined;

  /** `believed`: whether a route to one of these is thought to be there. `look`: reads what is there. */
  constructor(clock: Clock, believed: (prefixes: ReadonlySet<string>) => boolean, look: () => void) {
    this.#clock = clock;
    this.#believed = believed;
    this.#look = look;
  }

  /** A route went away. Without a prefix something may have, and nobody knows what. */
  add(prefix?: string): void {
    if (prefix === undefined) this.#anything = true;
    else this.#prefixes.add(prefix);
    this.#cancel ??= this.#clock.after(SETTLE_MS, () => {
      this.#cancel = undefined;
      const reason = this.#anything || this.#believed(this.#prefixes);
      this.#prefixes.clear();
      this.#anything = false;
      if (reason) this.#look();
    });
  }

  close(): void {
    this.#cancel?.();
  }
}
