import { encode } from 'cborg';
import { malformed } from './error.ts';
import { VERSION } from './limits.ts';
import { Reader } from './reader.ts';
import { type Frame, join } from './splitter.ts';

/** Types of the frames that are no messages: what the transport and joining say. */
export const CONTROL = {
  /** Nothing is said, but somebody is there. */
  alive: 0x40,
  /** [key, signature]: who I am, where TLS does not prove it. */
  introduction: 0x41,
  /** [why]: who is refused learns the reason. */
  refusal: 0x42,
  /** [authority's certificate]: whom to join. */
  offer: 0x43,
  /** [token's id, key, signature by the token's key, signature by the key] */
  ask: 0x44,
  /** [certificate]; empty for one that may come back and needs none */
  grant: 0x45,
  /** [id, founder's id]: who answers, and of which founding it is a member; without the latter of none. */
  member: 0x46,
  /** [old key, new key, signature by the old one, signature by the new one, 1 or 0: whether it needs a certificate] */
  again: 0x47,
} as const;

/** Most bytes of such a frame. */
export const CONTROL_MAX = 4096;

export function encodeControl(type: number, fields: readonly unknown[]): Uint8Array {
  return join(VERSION, type, [encode(fields)]);
}

/** Reads the fields of a frame of that type. @throws FrameError, also for another type */
export function readControl<T>(frame: Frame, type: number, read: (reader: Reader) => T): T {
  if (frame.type !== type) throw malformed(`frame of type ${frame.type} instead of ${type}`);
  const reader = new Reader(frame.body);
  reader.open();
  const value = read(reader);
  reader.close();
  reader.end();
  return value;
}
