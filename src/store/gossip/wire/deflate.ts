import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { DICTIONARY } from './dictionary.ts';
import { FrameError, malformed } from './error.ts';

/** Fewer bytes than this are not worth the time. */
const LEAST = 48;
/** Up to so many bytes zlib gets a small window and searches well: it takes 0.04 ms, half of that to set up. */
const SMALL = 8 * 1024;
const SMALL_OPTIONS = { level: 9, windowBits: 12, memLevel: 5, dictionary: DICTIONARY } as const;
/** Level 6 takes five times as long for 2 % less. */
const LARGE_OPTIONS = { level: 1, windowBits: 15, memLevel: 8, dictionary: DICTIONARY } as const;

/** Deflated (RFC 1951) with the dictionary, or undefined where that does not make it smaller. */
export function deflate(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < LEAST) return undefined;
  const deflated = deflateRawSync(bytes, bytes.length <= SMALL ? SMALL_OPTIONS : LARGE_OPTIONS);
  return deflated.length < bytes.length ? deflated : undefined;
}

/** @throws FrameError for what was not deflated, and when it would become more than `max` bytes: no more are made */
export function inflate(bytes: Uint8Array, max: number): Uint8Array {
  // zlib is given room in steps of this; four times is what records deflate to at most, as a rule.
  const chunkSize = Math.min(Math.max(4 * bytes.length, 1024), 64 * 1024);
  try {
    return inflateRawSync(bytes, { dictionary: DICTIONARY, maxOutputLength: max, chunkSize });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new FrameError('too-large', `a frame inflates to more than ${max} bytes`, { cause: error });
    throw malformed('a frame cannot be inflated', { cause: error });
  }
}
