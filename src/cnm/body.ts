import type { Readable } from 'node:stream';
import { badRequest, entityTooLarge } from '@hapi/boom';

/** Longest body of a request, in bytes. */
export const MAX_BODY = 1024 * 1024;

/**
 * The JSON value of a request's body; undefined for one of zero length. A body that is too long is thrown away as
 * it comes, so that the answer is still read and the connection stays of use: hapi's own reader would cut it.
 * @throws Boom 400, 413
 */
export async function readBody(stream: Readable): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    length += part.length;
    if (length <= MAX_BODY) parts.push(part);
    else parts.length = 0;
  }
  if (length > MAX_BODY) throw entityTooLarge();
  if (length === 0) return undefined;
  return parse(Buffer.concat(parts).toString());
}

function parse(text: string): unknown {
  try {
    // Most bodies cannot have the key at all, and a reviver is slow.
    return /proto|\\u/.test(text) ? JSON.parse(text, refusePrototype) : JSON.parse(text);
  } catch (error) {
    throw badRequest(error instanceof PrototypeKey ? error.message : 'the body is not JSON');
  }
}

class PrototypeKey extends Error {
  override readonly message = 'the body has the key __proto__';
}

/** Such a key changes what an object is, once somebody copies it carelessly. */
function refusePrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new PrototypeKey();
  return value;
}
