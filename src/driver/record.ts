import type { Json } from '../ports/store.ts';

/** A plain object as a record's value: members that are undefined are absent. */
export function record(value: object): Json {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
