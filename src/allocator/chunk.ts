/** Marks for `size` integers that lie together. */
export class Chunk {
  readonly size: number;
  readonly #words: Uint32Array;
  #count = 0;

  constructor(size: number) {
    this.size = size;
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  /** How many are marked. */
  get count(): number {
    return this.#count;
  }

  has(offset: number): boolean {
    return ((this.#words[offset >>> 5]! >>> (offset & 31)) & 1) === 1;
  }

  set(offset: number): void {
    if (this.has(offset)) return;
    this.#words[offset >>> 5]! |= 1 << (offset & 31);
    this.#count++;
  }

  clear(offset: number): void {
    if (!this.has(offset)) return;
    this.#words[offset >>> 5]! &= ~(1 << (offset & 31));
    this.#count--;
  }

  /** The lowest offset from `from` on that is not marked, or `size`. */
  firstClear(from: number): number {
    for (let word = from >>> 5; word < this.#words.length; word++) {
      let clear = ~this.#words[word]! >>> 0;
      if (word === from >>> 5) clear = (clear & (-1 << (from & 31))) >>> 0;
      if (clear !== 0) return Math.min(this.size, word * 32 + 31 - Math.clz32(clear & -clear));
    }
    return this.size;
  }

  /** All marked offsets, lowest first. */
  *marked(): Generator<number> {
    for (let offset = 0; offset < this.size; offset++) if (this.has(offset)) yield offset;
  }
}
