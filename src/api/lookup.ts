import { CodedError, type ErrorCode } from '../errors.ts';
import { quote } from '../net/address.ts';

/** What something can be found by. */
export interface Keys {
  /** May be shortened. The first is its own, the others are of what it belongs to. */
  readonly ids: readonly [string, ...string[]];
  /** Have to be whole. */
  readonly names: readonly (string | undefined)[];
  /** What it is, for people who have to choose. */
  readonly label?: string;
}

/**
 * The items that `text` names: by a whole id or name, which may be that of several, or else by the beginning of one id.
 * @throws `unknown` when there is none, NR_ID_AMBIGUOUS when several ids begin with it
 */
export function lookUpAll<T>(
  text: string,
  items: readonly T[],
  keysOf: (item: T) => Keys,
  unknown: ErrorCode,
): [T, ...T[]] {
  const keyed = items.map((item) => ({ item, keys: keysOf(item) }));
  const exact = keyed.filter(({ keys: { ids, names } }) => [...ids, ...names].includes(text));
  const begins = (id: string) => text !== '' && id.startsWith(text);
  const found = exact.length > 0 ? exact : keyed.filter(({ keys }) => keys.ids.some(begins));
  const ids = new Set(found.flatMap(({ keys }) => keys.ids.filter(begins)));
  if (exact.length === 0 && found.length > 1 && ids.size > 1) throw ambiguous(text, found);
  const [first, ...more] = found.map(({ item }) => item);
  if (first === undefined) throw new CodedError(unknown, `nothing has the id or name ${quote(text)}`);
  return [first, ...more];
}

/** The one item that `text` names. @throws as lookUpAll(), and NR_ID_AMBIGUOUS when it names several */
export function lookUp<T>(
  text: string,
  items: readonly T[],
  keysOf: (item: T) => Keys,
  unknown: ErrorCode,
): T {
  const [first, ...more] = lookUpAll(text, items, keysOf, unknown);
  if (more.length === 0) return first;
  throw ambiguous(
    text,
    [first, ...more].map((item) => ({ keys: keysOf(item) })),
  );
}

function ambiguous(text: string, found: readonly { readonly keys: Keys }[]): CodedError {
  const names = found.slice(0, 4).map(({ keys: { ids, label } }) => {
    const short = ids[0].slice(0, 12);
    return label === undefined ? short : `${short} (${label})`;
  });
  const more = found.length > names.length ? ', …' : '';
  return new CodedError('NR_ID_AMBIGUOUS', `${quote(text)} may be ${names.join(', ')}${more}`);
}
