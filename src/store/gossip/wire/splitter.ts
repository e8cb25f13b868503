import { FrameError, malformed } from './error.ts';

/** What stands before the body: u32 length of the rest, u8 version, u8 type. */
export const HEADER_BYTES = 6;
const LENGTH_BYTES = 4;
/** First capacity for a frame that comes in pieces, in bytes. It doubles as bytes arrive, whatever was declared. */
const CAPACITY = 4096;

/** A frame as it came. The body may be a part of what was pushed: read it before that is used again. */
export interface Frame {
  readonly version: number;
  readonly type: number;
  readonly body: Uint8Array;
}

/** A frame's bytes. */
export function join(version: number, type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, length - LENGTH_BYTES);
  bytes[4] = version;
  bytes[5] = type;
  let at = HEADER_BYTES;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Cuts a stream of bytes into frames. Holds at most one frame that is not complete, and memory for twice of what has
 * arrived of it.
 */
export class Splitter {
  /** Most bytes of a frame behind its length field. May be changed between frames. */
  limit: number;
  #held = new Uint8Array(0);
  #filled = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes of a frame that is not complete. */
  get pending(): number {
    return this.#filled;
  }

  /**
   * The frames that are complete with these bytes. Take all before the next push.
   * @throws FrameError as soon as a length is known to be beyond the limit, or too small; nothing may follow then
   */
  *push(chunk: Uint8Array): Generator<Frame, void> {
    let at = 0;
    while (at < chunk.length) {
      // A frame that lies within the chunk is not copied.
      if (this.#filled === 0 && chunk.length - at >= LENGTH_BYTES) {
        const end = at + LENGTH_BYTES + this.#declared(chunk, at);
        if (end <= chunk.length) {
          yield frameOf(chunk.subarray(at, end));
          at = end;
          continue;
        }
      }
      at += this.#hold(chunk, at);
      if (this.#filled >= LENGTH_BYTES && this.#filled === LENGTH_BYTES + this.#declared(this.#held, 0)) {
        const whole = this.#held.subarray(0, this.#filled);
        this.#held = new Uint8Array(0);
        this.#filled = 0;
        yield frameOf(whole);
      }
    }
  }

  /** Copies what belongs to the frame that has begun, first its length field; answers how many bytes. */
  #hold(chunk: Uint8Array, at: number): number {
    const whole = this.#filled < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + this.#declared(this.#held, 0);
    const taken = Math.min(whole - this.#filled, chunk.length - at);
    const needed = this.#filled + taken;
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(whole, Math.max(CAPACITY, 2 * this.#filled))));
      grown.set(this.#held.subarray(0, this.#filled));
      this.#held = grown;
    }
    this.#held.set(chunk.subarray(at, at + taken), this.#filled);
    this.#filled += taken;
    return taken;
  }

  #declared(bytes: Uint8Array, at: number): number {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at, LENGTH_BYTES).getUint32(0);
    if (length > this.limit)
      throw new FrameError('too-large', `frame of ${length} bytes; ${this.limit} are allowed`);
    if (length < HEADER_BYTES - LENGTH_BYTES) throw malformed(`frame of ${length} bytes`);
    return length;
  }
}

function frameOf(bytes: Uint8Array): Frame {
  return { version: bytes[4]!, type: bytes[5]!, body: bytes.subarray(HEADER_BYTES) };
}
