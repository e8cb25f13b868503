import { CodedError } from '../errors.ts';
import { quote } from '../net/address.ts';
import type { Json } from '../ports/store.ts';
import { KEY_MAX, VALUE_MAX } from './crdt/record.ts';

/** Deepest nesting of a value: far more than any record has, far less than the stack or SQLite's JSON bears. */
const DEPTH_MAX = 64;

/**
 * The namespace of a key.
 * @throws NR_STORE_RECORD for a key that is not `namespace/id`
 */
export function namespaceOf(key: string): string {
  const slash = key.indexOf('/');
  const id = key.slice(slash + 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  const plain = id !== '' && id.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(id);
  if (slash < 0 || !plain || Buffer.byteLength(key) > KEY_MAX)
    throw bad(`key ${quote(key)} is not namespace/id`);
  return checkNamespace(key.slice(0, slash));
}

/** @throws NR_STORE_RECORD for what no namespace is called */
export function checkNamespace(namespace: string): string {
  if (!/^[a-z][a-z0-9-]*$/.test(namespace)) throw bad(`${quote(namespace)} is not a namespace`);
  return namespace;
}

/**
 * The value as JSON text. Refuses what JSON.stringify would drop or change in silence.
 * @throws NR_STORE_RECORD for what is not plain JSON, NR_STORE_TOO_LARGE
 */
export function encode(key: string, value: Json): string {
  checkJson(value, key, 0);
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes > VALUE_MAX)
    throw new CodedError('NR_STORE_TOO_LARGE', `record ${quote(key)} has ${bytes} bytes`);
  return text;
}

/** Whether a record from elsewhere is one that this host could have written. */
export function isRecord(key: string, text: string | undefined): boolean {
  try {
    namespaceOf(key);
    if (text === undefined) return true;
    checkJson(JSON.parse(text), key, 0);
    return Buffer.byteLength(text) <= VALUE_MAX;
  } catch {
    return false; // whatever is wrong with it, every replica finds the same
  }
}

function checkJson(value: unknown, path: string, depth: number): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw bad(`${value} at ${quote(path)} is not JSON`);
    return;
  }
  if (typeof value !== 'object') throw bad(`${typeof value} at ${quote(path)} is not JSON`);
  if (depth === DEPTH_MAX) throw bad(`the value at ${quote(path)} is nested too deeply, or in itself`);
  if (Array.isArray(value)) {
    // Not every(): it would pass over the holes of a sparse array.
    for (let i = 0; i < value.length; i++) checkJson(value[i], `${path}[${i}]`, depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw bad(`a class instance at ${quote(path)} is not JSON`);
  if (Object.getOwnPropertySymbols(value).length > 0) throw bad(`a symbol at ${quote(path)} is not JSON`);
  for (const [name, part] of Object.entries(value)) checkJson(part, `${path}.${name}`, depth + 1);
}

function bad(what: string): CodedError {
  return new CodedError('NR_STORE_RECORD', what);
}
