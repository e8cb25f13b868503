import { createHash } from 'node:crypto';

const CHECK_BYTES = 4;

/** Bytes as text that survives copying: a prefix that tells what it is, base64url, and a checksum. */
export function textOf(prefix: string, bytes: Uint8Array): string {
  return prefix + Buffer.concat([bytes, checksum(prefix, bytes)]).toString('base64url');
}

/**
 * The bytes of textOf; undefined for a text with a mistake in it (one in four thousand million is missed), or of another
 * kind. Line breaks and blanks that a terminal has put in are passed over.
 */
export function bytesOf(prefix: string, text: string): Buffer | undefined {
  const squeezed = text.replace(/\s/g, '');
  if (!squeezed.startsWith(prefix)) return undefined;
  const all = Buffer.from(squeezed.slice(prefix.length), 'base64url');
  const bytes = all.subarray(0, -CHECK_BYTES);
  return textOf(prefix, bytes) === squeezed ? bytes : undefined;
}

function checksum(prefix: string, bytes: Uint8Array): Buffer {
  return createHash('sha256').update(prefix).update(bytes).digest().subarray(0, CHECK_BYTES);
}

/** A UUID's 16 bytes. */
export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

export function uuidOf(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
