import type { VectorView } from '../../crdt/vector.ts';
import type { Hello, Message, Range, Reply } from '../messages.ts';
import { malformed } from './error.ts';
import { DEPTH_MAX, FRAME_MAX, NAME_MAX, WHAT_MAX } from './limits.ts';
import type { Reader } from './reader.ts';
import { type Fields, natural, readRecord, recordFields, trimmed } from './records.ts';
import { isId, type TableReader, type TableWriter } from './table.ts';

const ID_BYTES = 16;
const HASH_BYTES = 8;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PURPOSES: readonly Hello['purpose'][] = ['link', 'call'];

/** How a kind of message becomes fields and is read from them. Positions and types are for ever. */
interface Body<M extends Message> {
  readonly type: number;
  readonly write: (message: M, table: TableWriter) => Fields;
  /** The array of fields is open. @throws FrameError */
  readonly read: (reader: Reader, table: TableReader) => M;
}

type Bodies = { readonly [K in Message['kind']]: Body<Extract<Message, { kind: K }>> };

/** Type of a hello: read whatever its version says, so that both learn what the other speaks. */
export const HELLO = 1;

const BODIES: Bodies = {
  hello: {
    type: HELLO,
    write: (hello) =>
      trimmed([
        natural(hello.protocol),
        hexBytes(checked(hello.cluster, UUID).replaceAll('-', ''), ID_BYTES),
        hexBytes(hello.id, ID_BYTES),
        named(hello.boot),
        natural(hello.bootSequence),
        PURPOSES.indexOf(hello.purpose),
        natural(hello.wallMs),
        hello.founder === undefined ? null : hexBytes(hello.founder, ID_BYTES),
      ]),
    read: (reader) => ({
      kind: 'hello',
      protocol: reader.integer(),
      cluster: hexOf(reader, ID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
      id: hexOf(reader, ID_BYTES),
      boot: reader.text(NAME_MAX),
      bootSequence: reader.integer(),
      purpose: PURPOSES[reader.integer(PURPOSES.length - 1)]!,
      wallMs: reader.integer(),
      ...(!reader.absent() && { founder: hexOf(reader, ID_BYTES) }),
    }),
  },
  vector: {
    type: 2,
    write: ({ vector, isAnswer }) => [...vectorFields(vector), ...(isAnswer ? [1] : [])],
    read: (reader) => {
      const vector = readVector(reader);
      const isAnswer = !reader.absent() && reader.integer(1) === 1;
      return { kind: 'vector', vector, ...(isAnswer && { isAnswer }) };
    },
  },
  probe: {
    type: 3,
    write: ({ hash, wallMs }) => [
      hexBytes(hash, HASH_BYTES),
      ...(wallMs === undefined ? [] : [natural(wallMs)]),
    ],
    read: (reader) => {
      const hash = hexOf(reader, HASH_BYTES);
      return { kind: 'probe', hash, ...(!reader.absent() && { wallMs: reader.integer() }) };
    },
  },
  ranges: {
    type: 4,
    write: ({ ranges }, table) => [ranges.map((range) => rangeFields(range, table))],
    read: (reader, table) => ({ kind: 'ranges', ranges: rows(reader, () => readRange(reader, table)) }),
  },
  report: {
    type: 5,
    write: ({ id, life, number, vector }, table) => [
      table.id(id),
      natural(life),
      natural(number),
      ...vectorFields(vector),
    ],
    read: (reader, table) => ({
      kind: 'report',
      id: table.id(reader.integer()),
      life: reader.integer(),
      number: reader.integer(),
      vector: readVector(reader),
    }),
  },
  request: {
    type: 6,
    write: ({ id, method, body }, table) => trimmed([natural(id), named(method), json(body, table)]),
    read: (reader, table) => ({
      kind: 'request',
      id: reader.integer(),
      method: reader.text(NAME_MAX),
      body: readJson(reader, table),
    }),
  },
  reply: {
    type: 7,
    write: ({ id, body, ranges, error }, table) =>
      trimmed([
        natural(id),
        json(body, table),
        error ? named(error.code) : null,
        error ? sentence(error.what) : null,
        ranges ? ranges.map((range) => rangeFields(range, table)) : null,
      ]),
    read: readReply,
  },
  word: {
    type: 9,
    write: ({ vector }) => vectorFields(vector),
    read: (reader) => ({ kind: 'word', vector: readVector(reader) }),
  },
  want: {
    type: 10,
    write: ({ lacking }) => vectorFields(lacking, natural),
    read: (reader) => ({ kind: 'want', lacking: readVector(reader, natural) }),
  },
  beacon: {
    type: 11,
    write: ({ root, number, hops }) => [hexBytes(root, ID_BYTES), natural(number), natural(hops)],
    read: (reader) => ({
      kind: 'beacon',
      root: hexOf(reader, ID_BYTES),
      number: reader.integer(),
      hops: reader.integer(),
    }),
  },
  branch: {
    type: 12,
    write: ({ isParent }) => [Number(isParent)],
    read: (reader) => ({ kind: 'branch', isParent: reader.integer(1) === 1 }),
  },
  goodbye: {
    type: 8,
    write: ({ code, what }) => [named(code), sentence(what)],
    read: (reader) => ({ kind: 'goodbye', code: reader.text(NAME_MAX), what: reader.text(WHAT_MAX) }),
  },
};

const BY_TYPE = new Map(Object.values(BODIES).map((body) => [body.type, body] as const));

/** The type of a message, and its fields. @throws FrameError for a message that must not be sent */
export function write(message: Message, table: TableWriter): { type: number; fields: Fields } {
  const body = BODIES[message.kind] as Body<Message>;
  return { type: body.type, fields: body.write(message, table) };
}

/** Whether messages of this type can be read. */
export function known(type: number): boolean {
  return BY_TYPE.has(type);
}

/** Reads the array of fields. @throws FrameError */
export function read(type: number, reader: Reader, table: TableReader): Message {
  const body = BY_TYPE.get(type)!;
  reader.open();
  const message = body.read(reader, table);
  reader.close();
  return message;
}

function rangeFields({ origin, from, to, records }: Range, table: TableWriter): Fields {
  let before = natural(from);
  const fields = records.map((one) => {
    if (one.origin !== origin) throw malformed('record of another origin in a range');
    const gap = positive(one.sequence - before);
    before = one.sequence;
    return recordFields(table, one, [gap]);
  });
  return [table.id(origin), from, natural(natural(to) - before), fields];
}

/** `to` is sent as what it is beyond the last record. */
function readRange(reader: Reader, table: TableReader): Range {
  const origin = table.id(reader.integer());
  const from = reader.integer();
  const beyond = reader.integer();
  let sequence = from;
  const records = rows(reader, () => {
    sequence = sum(sequence, reader.integer());
    return readRecord(reader, table, { origin, sequence });
  });
  return { origin, from, to: natural(sequence + beyond), records };
}

function readReply(reader: Reader, table: TableReader): Reply {
  const id = reader.integer();
  const body = readJson(reader, table);
  const code = reader.absent() ? undefined : reader.text(NAME_MAX);
  const what = reader.absent() ? '' : reader.text(WHAT_MAX);
  const ranges = reader.absent() ? undefined : rows(reader, () => readRange(reader, table));
  return {
    kind: 'reply',
    id,
    ...(body !== undefined && { body }),
    ...(ranges && { ranges }),
    ...(code !== undefined && { error: { code, what } }),
  };
}

/** Ids in one byte string, and their sequences. */
function vectorFields(vector: VectorView, check: (sequence: number) => number = positive): Fields {
  const ids = [...vector.keys()];
  if (!ids.every(isId)) throw malformed('an id has 32 hexadecimal digits');
  return [Buffer.from(ids.join(''), 'hex'), [...vector.values()].map(check)];
}

function readVector(reader: Reader, check: (sequence: number) => number = positive): VectorView {
  const ids = Buffer.from(reader.bytes(FRAME_MAX)).toString('hex');
  const vector = new Map<string, number>();
  const width = 2 * ID_BYTES;
  list(reader, (at) => vector.set(ids.slice(at * width, (at + 1) * width), check(reader.integer())));
  if (vector.size * width !== ids.length) throw malformed('a vector has as many ids as sequences, each once');
  return vector;
}

/** The items of an array which are arrays themselves, opened and closed. */
function rows<T>(reader: Reader, row: () => T): T[] {
  return list(reader, () => {
    reader.open();
    const value = row();
    reader.close();
    return value;
  });
}

/** The items of an array, read one after the other. */
function list<T>(reader: Reader, item: (at: number) => T): T[] {
  const items: T[] = [];
  reader.open();
  while (reader.more) items.push(item(items.length));
  reader.close();
  return items;
}

/** JSON text, or null for undefined. */
function json(body: unknown, table: TableWriter): string | null {
  const text = JSON.stringify(body) as string | undefined;
  return text === undefined ? null : table.text(text);
}

function readJson(reader: Reader, table: TableReader): unknown {
  if (reader.absent()) return undefined;
  const text = table.text(reader.text(FRAME_MAX));
  try {
    return shallow(JSON.parse(text), 0);
  } catch (error) {
    throw malformed('a body is not JSON', { cause: error });
  }
}

/** The value, unless it is nested so deep that whoever walks through it may run out of stack. */
function shallow(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === DEPTH_MAX) throw malformed('a body is nested too deep');
  for (const part of Object.values(value)) shallow(part, depth + 1);
  return value;
}

function hexBytes(hex: string, bytes: number): Uint8Array {
  return Buffer.from(checked(hex, new RegExp(`^[0-9a-f]{${2 * bytes}}$`)), 'hex');
}

function hexOf(reader: Reader, bytes: number): string {
  const value = reader.bytes(bytes);
  if (value.length !== bytes) throw malformed(`${value.length} bytes instead of ${bytes}`);
  return Buffer.from(value).toString('hex');
}

function named(name: string): string {
  if (!name.isWellFormed() || Buffer.byteLength(name) > NAME_MAX) throw malformed('name is too long');
  return name;
}

/** Cut to what is allowed: a person loses less by it than the connection by its refusal. */
function sentence(what: string): string {
  const text = what.toWellFormed();
  return Buffer.byteLength(text) > WHAT_MAX ? `${text.slice(0, WHAT_MAX / 4)}…`.toWellFormed() : text;
}

function checked(text: string, pattern: RegExp): string {
  if (!pattern.test(text)) throw malformed('an id of the wrong form');
  return text;
}

function positive(value: number): number {
  if (value === 0) throw malformed('a sequence is at least 1');
  return natural(value);
}

function sum(sequence: number, gap: number): number {
  return natural(sequence + positive(gap));
}
