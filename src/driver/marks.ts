import { intersect, type Range } from '../allocator/ranges.ts';

/** Values in a block: as many as two words have bits. */
const BLOCK = 64n;
const WORDS = 2;

/** Which values of a space each host holds, and which it lets rest: two bits each, in blocks with any. */
export class Marks {
  /** Words of what is held, then of what rests, by host, by block. */
  readonly #blocks = new Map<bigint, Map<string, Uint32Array>>();

  /** What a host has a value for from now on. */
  set(host: string, value: bigint, mark: 'held' | 'resting' | 'none'): void {
    const [number, offset] = [value / BLOCK, Number(value % BLOCK)];
    const block = this.#blocks.get(number) ?? new Map<string, Uint32Array>();
    const words = block.get(host) ?? new Uint32Array(2 * WORDS);
    const [word, bit] = [offset >>> 5, 1 << (offset & 31)];
    words[word]! &= ~bit;
    words[word + WORDS]! &= ~bit;
    if (mark !== 'none') words[mark === 'held' ? word : word + WORDS]! |= bit;
    if (words.some((one) => one !== 0)) block.set(host, words);
    else block.delete(host);
    if (block.size > 0) this.#blocks.set(number, block);
    else this.#blocks.delete(number);
  }

  /** A host has none of the values any more. */
  drop(host: string): void {
    for (const [number, block] of this.#blocks) {
      block.delete(host);
      if (block.size === 0) this.#blocks.delete(number);
    }
  }

  /** How many values each host holds. */
  byHost(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const block of this.#blocks.values())
      for (const [host, words] of block) {
        const held = words.slice(0, WORDS).reduce((sum, word) => sum + ones(word), 0);
        if (held > 0) counts.set(host, (counts.get(host) ?? 0) + held);
      }
    return counts;
  }

  /** How many values within a range somebody holds, one host holds, and nobody holds but rest with another host. */
  count(within: Range, host: string): { held: number; here: number; resting: number } {
    let [held, here, resting] = [0, 0, 0];
    for (const [number, block] of this.#blocks) {
      const first = number * BLOCK;
      const part = intersect(within, { first, last: first + BLOCK - 1n });
      if (part.last < part.first) continue;
      for (let word = 0; word < WORDS; word++) {
        const mask = maskOf(Number(part.first - first), Number(part.last - first), word);
        let [used, rests] = [0, 0];
        for (const [owner, words] of block) {
          used |= words[word]!;
          if (owner === host) here += ones(words[word]! & mask);
          else rests |= words[word + WORDS]!;
        }
        held += ones(used & mask);
        resting += ones(rests & ~used & mask);
      }
    }
    return { held, here, resting };
  }
}

/** The bits of a word that lie from one offset in the block to another. */
function maskOf(first: number, last: number, word: number): number {
  const low = Math.max(0, first - 32 * word);
  const high = Math.min(31, last - 32 * word);
  if (low > 31 || high < 0) return 0;
  return (0xffffffff << low) & (0xffffffff >>> (31 - high));
}

/** How many bits of a word are set. */
function ones(word: number): number {
  let rest = word - ((word >>> 1) & 0x55555555);
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return (((rest + (rest >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
