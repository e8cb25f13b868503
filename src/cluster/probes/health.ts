const WORST = 8;

/**
 * How well this host itself does: 0, or more the likelier it is that what it misses is its own fault. All that it waits
 * for takes so many times longer (Lifeguard, IV-A).
 */
export class Health {
  #score = 0;

  get score(): number {
    return this.#score;
  }

  /** By how much it is slowed down. */
  get factor(): number {
    return this.#score + 1;
  }

  change(by: number): void {
    this.#score = Math.min(WORST, Math.max(0, this.#score + by));
  }
}
