import type { KeyObject } from 'node:crypto';
import { parseSpki } from '../../trust/identity.ts';
import { malformed } from '../wire/error.ts';

/** Most bytes of what frames carry besides messages. */
export const KEY_MAX = 64;
export const SIGNATURE_MAX = 64;
export const CERTIFICATE_MAX = 2048;

/** The key of one who asks, which came as SubjectPublicKeyInfo. @throws FrameError */
export function keyOf(spki: Uint8Array): KeyObject {
  try {
    return parseSpki(spki);
  } catch (error) {
    throw malformed('a key of who asks is not Ed25519', { cause: error });
  }
}
