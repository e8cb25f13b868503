import { encode as encodeCbor } from 'cborg';
import type { Message } from './messages.ts';
import { HELLO, known, read, write } from './wire/bodies.ts';
import { deflate, inflate } from './wire/deflate.ts';
import { FrameError, malformed } from './wire/error.ts';
import { FRAME_MAX, VERSION } from './wire/limits.ts';
import { Reader } from './wire/reader.ts';
import { type Frame, HEADER_BYTES, join } from './wire/splitter.ts';
import { TableReader, TableWriter } from './wire/table.ts';

/** Set in the type of a frame whose fields are deflated. */
const DEFLATED = 0x80;

/** A hello is read by those who know none of our dictionaries; the others are of ids, which do not get smaller. */
const PLAIN: ReadonlySet<Message['kind']> = new Set([
  'hello',
  'vector',
  'probe',
  'word',
  'want',
  'beacon',
  'branch',
  'report',
]);

/**
 * A message as a frame: u32 length of the rest, u8 version, u8 type, then a sequence of two CBOR items (RFC 8742): the
 * table of ids, and the array of fields, which may be deflated. `sender` is the id that the receiver knows us by.
 * @throws FrameError for what must not be sent: `too-large`, or `malformed` for what the protocol has no form for
 */
export function encode(message: Message, sender: string): Uint8Array {
  const table = new TableWriter(sender);
  const { type, fields } = write(message, table);
  const head = encodeCbor(table.entries());
  const plain = encodeCbor(fields);
  if (HEADER_BYTES + head.length + plain.length > FRAME_MAX)
    throw new FrameError('too-large', `a ${message.kind} of ${plain.length} bytes`);
  const deflated = PLAIN.has(message.kind) ? undefined : deflate(plain);
  return join(VERSION, deflated ? type | DEFLATED : type, [head, deflated ?? plain]);
}

/**
 * The message of a frame, undefined for a type that is not known.
 * @throws FrameError
 */
export function decode({ version, type, body }: Frame, sender: string): Message | undefined {
  const plain = type & ~DEFLATED;
  if (version === 0) throw malformed('frame of version 0');
  if (version > VERSION && plain !== HELLO) throw new FrameError('version', `frame of version ${version}`);
  if (!known(plain)) return undefined;
  const head = new Reader(body);
  const table = new TableReader(sender, head);
  const rest = body.subarray(head.position);
  const reader = new Reader(type & DEFLATED ? inflate(rest, FRAME_MAX) : rest);
  const message = read(plain, reader, table);
  reader.end();
  return message;
}
