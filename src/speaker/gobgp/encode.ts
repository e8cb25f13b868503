import { CodedError } from '../../errors.ts';
import type { Field, Schema } from './proto.ts';

/** A message to be sent: plain data whose names and values are those of the .proto files. */
export type Message = { readonly [field: string]: unknown };

const ANY = 'google.protobuf.Any';
const RANGE: Readonly<Record<string, readonly [number, number]>> = {
  TYPE_UINT32: [0, 2 ** 32 - 1],
  TYPE_INT32: [-(2 ** 31), 2 ** 31 - 1],
  TYPE_UINT64: [0, Number.MAX_SAFE_INTEGER],
};

/**
 * Fields whose absence GoBGP takes for zero, with consequences: a prefix without its length is 0.0.0.0/0, a path
 * without a table goes to the global one.
 */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  IPAddressPrefix: ['prefix', 'prefix_len'],
  NextHopAttribute: ['next_hop'],
  AddPathRequest: ['table_type', 'path'],
  DeletePathRequest: ['table_type', 'family', 'path'],
  AddPathStreamRequest: ['table_type', 'paths'],
  ListPathRequest: ['table_type', 'family'],
  GetTableRequest: ['table_type', 'family'],
  Path: ['nlri', 'family'],
  Prefix: ['ip_prefix', 'mask_length_min', 'mask_length_max'],
  MatchSet: ['type', 'name'],
  DefinedSet: ['defined_type', 'name'],
  PolicyAssignment: ['name', 'direction'],
};

/**
 * Verifies a message before it is serialised, because the serialiser drops what it does not know and GoBGP makes the
 * best of the rest.
 * @throws NR_SPEAKER_FIELD for a field, type or enumeration value that the schema does not have, a value of another
 *   type or out of range, undefined and null included, or a required field that is missing
 * @throws NR_EXPORT_DENIED for a path to everything
 */
export function verify(schema: Schema, type: string, message: unknown, where = type): void {
  const fields = schema.messages.get(type);
  if (!fields) throw wrong(where, `${type} is not described`);
  if (!isPlain(message)) throw wrong(where, 'is no message');
  for (const [name, value] of Object.entries(message)) {
    if (name === '@type') continue;
    const field = fields.get(name);
    if (!field) throw wrong(`${where}.${name}`, 'is not described');
    if (!field.repeated) one(schema, field, value, `${where}.${name}`);
    else if (!Array.isArray(value)) throw wrong(`${where}.${name}`, 'is no list');
    else for (const [at, element] of value.entries()) one(schema, field, element, `${where}.${name}[${at}]`);
  }
  const short = type.slice(type.lastIndexOf('.') + 1);
  for (const name of REQUIRED[short] ?? []) {
    if (!(name in message)) throw wrong(`${where}.${name}`, 'is missing');
  }
  if (short === 'IPAddressPrefix' && message.prefix_len === 0) {
    throw new CodedError('NR_EXPORT_DENIED', `${String(message.prefix)}/0 is a default route`);
  }
}

function one(schema: Schema, field: Field, value: unknown, where: string): void {
  switch (field.type) {
    case 'TYPE_MESSAGE':
      verify(schema, field.of === ANY ? typeInside(value, where) : field.of, value, where);
      return;
    case 'TYPE_ENUM':
      if (typeof value === 'string' && schema.enums.get(field.of)?.has(value)) return;
      throw wrong(where, `${JSON.stringify(value)} is no ${field.of}`);
    case 'TYPE_STRING':
      if (typeof value === 'string') return;
      throw wrong(where, 'is no text');
    case 'TYPE_BOOL':
      if (typeof value === 'boolean') return;
      throw wrong(where, 'is neither true nor false');
    default: {
      const range = RANGE[field.type];
      if (!range) throw wrong(where, `${field.type} is never sent`);
      const inRange = typeof value === 'number' && value >= range[0] && value <= range[1];
      if (!inRange || !Number.isInteger(value)) throw wrong(where, `${String(value)} is out of range`);
    }
  }
}

/** The type that an Any says it holds. */
function typeInside(value: unknown, where: string): string {
  const url = isPlain(value) ? value['@type'] : undefined;
  if (typeof url !== 'string' || !url.startsWith('type.googleapis.com/')) throw wrong(where, 'has no @type');
  return url.slice('type.googleapis.com/'.length);
}

function isPlain(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(where: string, what: string): CodedError {
  return new CodedError('NR_SPEAKER_FIELD', `${where} ${what}`);
}
