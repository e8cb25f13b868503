import type { Class } from '../ports/store.ts';

/** What the records of each namespace are. A release that does not know a namespace keeps its records all the same. */
export const NAMESPACES: ReadonlyMap<string, Class> = new Map([
  /** Networks as Docker knows them on one host. */
  ['network', 'owned'],
  ['endpoint', 'owned'],
  /** Networks of the cluster that were removed on a host by hand: `declined/HOST/ID`. */
  ['declined', 'owned'],
  ['allocation', 'owned'],
  /** Pools that a host's Docker has asked for. */
  ['pool-use', 'owned'],
  ['pool', 'shared'],
  /** Networks as the cluster knows them: `logical/ID`. */
  ['logical', 'shared'],
  /** What they are called: `network-name/TENANT/NAME`. */
  ['network-name', 'shared'],
  /** How a host can be peered with: `speaker/ID`. */
  ['speaker', 'owned'],
]);
