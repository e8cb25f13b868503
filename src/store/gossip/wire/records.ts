import type { Class } from '../../../ports/store.ts';
import { KEY_MAX, ownerIn, VALUE_MAX, type Versioned } from '../../crdt/record.ts';
import { FrameError, malformed } from './error.ts';
import { SEAL_MAX } from './limits.ts';
import type { Reader } from './reader.ts';
import type { TableReader, TableWriter } from './table.ts';

/** Numbers of the classes that are sent. */
const CLASSES: readonly Class[] = ['owned', 'ownership', 'shared'];
/** Bits of a record's first field: its class, and whether its origin was taken out of the key. */
const CLASS_BITS = 3;
const OWNED_KEY = 4;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const KEY = /^[a-z][a-z0-9-]*\/[^\u0000-\u001f\u007f]+$/;

/** What is encoded. Positions are for ever; what ends in nulls is cut there. */
export type Fields = unknown[];

/**
 * The fields of a record without its dot, which each kind of message sends in its own way, after those that are given:
 * flags, key, value, rank if it is not the sequence, seal.
 * @throws FrameError for what must not be sent
 */
export function recordFields(table: TableWriter, record: Versioned, before: Fields): Fields {
  const number = CLASSES.indexOf(record.class);
  if (number < 0) throw malformed(`records of class ${record.class} are not sent`);
  checkKey(record.key);
  checkSize('key', record.key, KEY_MAX);
  if (record.text !== undefined) checkSize('value', record.text, VALUE_MAX);
  if (record.seal && record.seal.length > SEAL_MAX) throw tooLarge('seal', SEAL_MAX);
  const owned = ownerIn(record.key) === record.origin;
  const start = record.key.indexOf('/') + 1;
  const key = owned
    ? record.key.slice(0, start) + record.key.slice(start + record.origin.length)
    : record.key;
  return trimmed([
    ...before,
    number | (owned ? OWNED_KEY : 0),
    table.text(key),
    record.text === undefined ? null : table.text(record.text),
    record.rank === record.sequence ? null : natural(record.rank),
    record.seal ?? null,
  ]);
}

/** Reads the fields that recordFields has made, of an array which is open. @throws FrameError */
export function readRecord(
  reader: Reader,
  table: TableReader,
  dot: Pick<Versioned, 'origin' | 'sequence'>,
): Versioned {
  const flags = reader.integer(CLASS_BITS | OWNED_KEY);
  const of = CLASSES[flags & CLASS_BITS];
  if (of === undefined) throw malformed('record of an unknown class');
  // What refers to the table is never longer than what it becomes.
  let key = table.text(reader.text(KEY_MAX));
  if (flags & OWNED_KEY) {
    const start = key.indexOf('/') + 1;
    key = key.slice(0, start) + dot.origin + key.slice(start);
  }
  checkKey(key);
  checkSize('key', key, KEY_MAX);
  const text = reader.absent() ? undefined : table.text(reader.text(VALUE_MAX + 1));
  if (text !== undefined) checkSize('value', text, VALUE_MAX);
  const rank = reader.absent() ? dot.sequence : reader.integer();
  const seal = reader.absent() ? undefined : reader.bytes(SEAL_MAX);
  return { class: of, key, text, ...dot, rank, ...(seal && { seal }) };
}

/** @throws FrameError for what is no safe integer from 0 */
export function natural(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw malformed(`${value} is not a natural number`);
  return value + 0; // -0 would be sent as a fraction
}

/** Without the nulls at its end. */
export function trimmed(fields: Fields): Fields {
  return fields.slice(0, fields.findLastIndex((field) => field !== null) + 1);
}

function checkKey(key: string): void {
  if (!KEY.test(key)) throw malformed('key of a record is not namespace/id');
}

function checkSize(what: string, text: string, max: number): void {
  if (text.length * 3 > max && Buffer.byteLength(text) > max) throw tooLarge(what, max);
}

function tooLarge(what: string, max: number): FrameError {
  return new FrameError('too-large', `${what} of a record has more than ${max} bytes`);
}
