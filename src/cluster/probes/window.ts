/** How far behind the highest number one may come, and how many are remembered. */
const SIZE = 512;

/** Numbers that came already, each of which is good for once (as RFC 4303, 3.4.3, has it). */
export class Window {
  readonly #seen = new Uint8Array(SIZE);
  #highest = -1;

  /** Whether this one is new; it is not from then on. */
  take(number: number): boolean {
    if (number <= this.#highest - SIZE) return false;
    if (number > this.#highest) {
      const from = Math.max(this.#highest + 1, number - SIZE + 1);
      for (let passed = from; passed < number; passed++) this.#seen[passed % SIZE] = 0;
      this.#highest = number;
    } else if (this.#seen[number % SIZE] === 1) return false;
    this.#seen[number % SIZE] = 1;
    return true;
  }
}
