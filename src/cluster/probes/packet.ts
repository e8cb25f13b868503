/** What one packet says, in bytes. Integers are big-endian; everything has its place, so that nothing need be parsed. */
import type { Incarnation, Statement, Verdict } from './statements.ts';

/**
 * ping: are you there? ack: yes, to that number. ask: ping another one for me. nack: I did, and it has not answered yet.
 * word: news only.
 */
const KINDS = ['ping', 'ack', 'ask', 'nack', 'word'] as const;
const VERDICTS: readonly Verdict[] = ['alive', 'suspect', 'dead'];

/** Statements of one packet: it stays below 1,200 bytes, which every network passes in one piece. */
export const STATEMENTS_MAX = 24;
/** What is asked is at least as long as an answer with so many statements, so that no answer is longer. */
export const ANSWER_STATEMENTS = 5;

const HEAD_BYTES = 1 + 4 + 10 + 1;
const ID_BYTES = 16;
const STATEMENT_BYTES = ID_BYTES + 1 + 10 + 4;
const LEAST_BYTES = HEAD_BYTES + ANSWER_STATEMENTS * STATEMENT_BYTES;
const ID = /^[0-9a-f]{32}$/;

export interface Packet {
  readonly kind: (typeof KINDS)[number];
  /** What an answer refers to, by who asks. */
  readonly number: number;
  /** The sender's own. */
  readonly incarnation: Incarnation;
  /** Who is to be pinged; of an `ask` only. */
  readonly target?: string | undefined;
  readonly statements: readonly Statement[];
}

/** Statements that do not fit in so many bytes are left out; undefined if the rest does not fit either. */
export function encodePacket(packet: Packet, maxBytes = Number.POSITIVE_INFINITY): Buffer | undefined {
  const { kind, number, incarnation, target, statements } = packet;
  const fixed = HEAD_BYTES + (kind === 'ask' ? ID_BYTES : 0);
  const count = Math.min(statements.length, STATEMENTS_MAX, Math.floor((maxBytes - fixed) / STATEMENT_BYTES));
  if (count < 0) return undefined;
  const length = fixed + count * STATEMENT_BYTES;
  const isQuestion = kind === 'ping' || kind === 'ask';
  const bytes = Buffer.alloc(isQuestion ? Math.max(length, LEAST_BYTES + fixed - HEAD_BYTES) : length);
  let at = bytes.writeUInt8(KINDS.indexOf(kind), 0);
  at = bytes.writeUInt32BE(number, at);
  at = writeIncarnation(bytes, incarnation, at);
  at = bytes.writeUInt8(count, at);
  if (kind === 'ask') at += bytes.write(target ?? '', at, ID_BYTES, 'hex');
  for (const { id, verdict, incarnation: its, by } of statements.slice(0, count)) {
    at += bytes.write(id, at, ID_BYTES, 'hex');
    at = bytes.writeUInt8(VERDICTS.indexOf(verdict), at);
    at = writeIncarnation(bytes, its, at);
    at += bytes.write(by, at, 4, 'hex');
  }
  return bytes;
}

/** Undefined for what is none of ours, or of a kind that this release does not know. */
export function decodePacket(bytes: Buffer): Packet | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const kind = KINDS[bytes.readUInt8(0)];
  const count = bytes.readUInt8(HEAD_BYTES - 1);
  const fixed = HEAD_BYTES + (kind === 'ask' ? ID_BYTES : 0);
  if (!kind || count > STATEMENTS_MAX || bytes.length < fixed + count * STATEMENT_BYTES) return undefined;
  const statements: Statement[] = [];
  for (let at = fixed; statements.length < count; at += STATEMENT_BYTES) {
    const verdict = VERDICTS[bytes.readUInt8(at + ID_BYTES)];
    if (!verdict) return undefined;
    statements.push({
      id: bytes.toString('hex', at, at + ID_BYTES),
      verdict,
      incarnation: readIncarnation(bytes, at + ID_BYTES + 1),
      by: bytes.toString('hex', at + STATEMENT_BYTES - 4, at + STATEMENT_BYTES),
    });
  }
  return {
    kind,
    number: bytes.readUInt32BE(1),
    incarnation: readIncarnation(bytes, 5),
    ...(kind === 'ask' && { target: bytes.toString('hex', HEAD_BYTES, fixed) }),
    statements,
  };
}

/** Whether this is an id that fits in a packet. */
export function isPacketId(id: string): boolean {
  return ID.test(id);
}

function writeIncarnation(bytes: Buffer, { start, count }: Incarnation, at: number): number {
  return bytes.writeUInt32BE(count, bytes.writeUIntBE(start, at, 6));
}

function readIncarnation(bytes: Buffer, at: number): Incarnation {
  return { start: bytes.readUIntBE(at, 6), count: bytes.readUInt32BE(at + 6) };
}
