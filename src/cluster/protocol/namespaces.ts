import type { Class } from '../../ports/store.ts';

/** The namespaces that the protocol itself works with, and who may write in them. */
export const CLUSTER_CLASSES: ReadonlyMap<string, Class> = new Map([
  /** Who was admitted: `member/ID`. */
  ['member', 'shared'],
  /** Who left or was forgotten, and up to which of its writes it counts: `gone/ID`. */
  ['gone', 'shared'],
  /** Who of those may not come back by itself: `banned/ID`. */
  ['banned', 'shared'],
  /** Who of those has come back, and as whom: `returned/ID`. */
  ['returned', 'shared'],
  /** Integer spaces: `space/UID`. */
  ['space', 'shared'],
  /** Who decides names and owns the unwritten chunks of a domain's spaces: `treasury/DOMAIN`, `treasury/default`. */
  ['treasury', 'ownership'],
  /** Chunks of spaces: `chunk/UID/NUMBER`. */
  ['chunk', 'ownership'],
  /** Chunks and treasuries that were given to two hosts, of which neither gives anything: `dispute/KEY`. */
  ['dispute', 'shared'],
  /** What a host says of itself: `host/ID`. */
  ['host', 'owned'],
  /** Its last start: `boot/ID`. */
  ['boot', 'owned'],
  /** Values that are in use: `allocation/ID/UID/VALUE`. */
  ['allocation', 'owned'],
  /** Values of own chunks that others use: `lent/ID/UID/VALUE`. */
  ['lent', 'owned'],
  /** Borrowed values that the owner does not know yet to be free again: `returning/UID/VALUE`. */
  ['returning', 'local'],
  /** Members that this one has promised to freeze: `promise/ID`. */
  ['promise', 'local'],
  /** What is known of tokens that let a host in: `ticket/ID`. */
  ['ticket', 'shared'],
  /** What this host knows of its own membership: `self/STATE`. */
  ['self', 'local'],
]);

/**
 * Namespaces whose records a domain's treasury makes, and ends, because another member asks it to. Nobody is asked for any
 * other record: what the treasury writes is believed as its own.
 */
export const CREATED: ReadonlySet<string> = new Set(['space', 'pool', 'logical', 'network-name']);
