/** Whose turn it is: everybody once in each round, in another order each time (SWIM, 4.3). */
export class Rotation {
  readonly #random: () => number;
  #ids: string[] = [];
  #at = 0;

  /** `random`: at least 0, below 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** These are the members now. A newcomer's place is by chance, so that not all hosts turn to it at once. */
  set(members: Iterable<string>): void {
    const wanted = new Set(members);
    const passed = this.#ids.slice(0, this.#at).filter((id) => wanted.has(id));
    this.#ids = this.#ids.filter((id) => wanted.has(id));
    this.#at = passed.length;
    for (const id of this.#ids) wanted.delete(id);
    for (const id of wanted) {
      const place = Math.floor(this.#random() * (this.#ids.length + 1));
      this.#ids.splice(place, 0, id);
      if (place < this.#at) this.#at++;
    }
  }

  /** The next one that fits; undefined if none does. */
  next(fits: (id: string) => boolean): string | undefined {
    for (let tried = 0; tried <= this.#ids.length; tried++) {
      if (this.#at >= this.#ids.length) {
        shuffle(this.#ids, this.#random);
        this.#at = 0;
      }
      const id = this.#ids[this.#at++];
      if (id !== undefined && fits(id)) return id;
    }
    return undefined;
  }
}

/** So many by chance. */
export function sample<T>(items: readonly T[], count: number, random: () => number): T[] {
  const left = [...items];
  const chosen: T[] = [];
  while (chosen.length < count && left.length > 0)
    chosen.push(...left.splice(Math.floor(random() * left.length), 1));
  return chosen;
}

function shuffle<T>(items: T[], random: () => number): void {
  for (let at = items.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [items[at], items[other]] = [items[other]!, items[at]!];
  }
}
