import { isUtf8 } from 'node:buffer';
import { type Token, Tokenizer, Type } from 'cborg';
import { FrameError, malformed } from './error.ts';

const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: false,
  allowInfinity: false,
  allowNaN: false,
};
const NULL = 0xf6;
const BOM = [0xef, 0xbb, 0xbf];

/**
 * Reads CBOR item by item, each of a kind and size that is expected: nothing is built from bytes that nobody asked for.
 * Only unsigned integers, byte strings, texts, null and arrays are read; others may be skipped.
 * @throws FrameError from each of its methods
 */
export class Reader {
  readonly #data: Uint8Array;
  readonly #tokens: Tokenizer;
  /** Items that are left of each array which is open, outermost first. */
  readonly #open: number[] = [];

  constructor(data: Uint8Array) {
    // A Buffer's slice shares memory; the tokenizer's byte strings shall be copies.
    this.#data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#tokens = new Tokenizer(this.#data, STRICT);
  }

  /** How many bytes were read. */
  get position(): number {
    return this.#tokens.pos();
  }

  /** Begins an array; answers how many items it has, which is never more than there are bytes. */
  open(): number {
    const count = this.#next(Type.array).value as number;
    if (count > this.#data.length - this.position) throw malformed('array is longer than its frame');
    this.#open.push(count);
    return count;
  }

  /** Whether the array that was opened last has more items. */
  get more(): boolean {
    return (this.#open.at(-1) ?? 0) > 0;
  }

  /** Ends the array. What a later version has added to it is skipped. */
  close(): void {
    while (this.more) this.#skip();
    this.#open.pop();
  }

  /** Whether the next item is null or the array ends here: it is passed over. */
  absent(): boolean {
    if (!this.more) return true;
    if (this.#data[this.position] !== NULL) return false;
    this.#token();
    return true;
  }

  /** An integer from 0 to `max`, by default the greatest safe one. */
  integer(max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#next(Type.uint).value as number;
    if (value > max) throw malformed(`${value} is more than ${max}`);
    return value;
  }

  bytes(max: number): Uint8Array {
    const value = this.#next(Type.bytes).value as Uint8Array;
    if (value.length > max) throw tooLarge(value.length, max);
    return value;
  }

  /** Of at most so many bytes of UTF-8, which has to be valid. */
  text(max: number): string {
    const start = this.position;
    const value = this.#next(Type.string).value as string;
    const bytes = this.#data.subarray(start + headBytes(this.#data[start]!), this.position);
    if (bytes.length > max) throw tooLarge(bytes.length, max);
    if (!isUtf8(bytes)) throw malformed('text is not UTF-8');
    // The decoder behind the tokenizer takes the first character for a byte order mark.
    return BOM.every((byte, i) => bytes[i] === byte) ? `\ufeff${value}` : value;
  }

  /** @throws FrameError if something follows */
  end(): void {
    if (!this.#tokens.done()) throw malformed('bytes follow the last item');
  }

  #next(type: Type): Token {
    const token = this.#token();
    if (token.type !== type) throw malformed(`${token.type.name} instead of ${type.name}`);
    return token;
  }

  #token(): Token {
    const depth = this.#open.length - 1;
    if (depth >= 0) {
      if (this.#open[depth] === 0) throw malformed('array has too few items');
      this.#open[depth]! -= 1;
    }
    if (this.#tokens.done()) throw malformed('frame ends within an item');
    try {
      return this.#tokens.next();
    } catch (error) {
      throw malformed(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  /** One item with all that is in it. Not recursive, so that depth does no harm. */
  #skip(): void {
    this.#open[this.#open.length - 1]! -= 1;
    this.#open.push(Number.POSITIVE_INFINITY);
    let left = 1;
    while (left > 0) {
      const token = this.#token();
      left -= 1;
      if (token.type === Type.tag) left += 1;
      else if (token.type === Type.array || token.type === Type.map) {
        left += (token.value as number) * (token.type === Type.map ? 2 : 1);
        if (left > this.#data.length - this.position) throw malformed('array is longer than its frame');
      }
    }
    this.#open.pop();
  }
}

/** Length of an item's head, by the first byte (RFC 8949, 3). */
function headBytes(first: number): number {
  const minor = first & 31;
  return minor < 24 ? 1 : 1 + 2 ** (minor - 24);
}

function tooLarge(bytes: number, max: number): FrameError {
  return new FrameError('too-large', `${bytes} bytes; ${max} are allowed`);
}
