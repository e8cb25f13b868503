import { CodedError, type ErrorCode } from '../errors.ts';
import { quote } from '../net/address.ts';

/**
 * The one item that `text` names: by its whole id or name, or by the beginning of its id.
 * @throws `unknown` when there is none, NR_ID_AMBIGUOUS when there are several
 */
export function lookUp<T extends { readonly id: string }>(
  text: string,
  items: readonly T[],
  namesOf: (item: T) => readonly (string | undefined)[],
  unknown: ErrorCode,
): T {
  const exact = items.filter((item) => item.id === text || namesOf(item).includes(text));
  const found = exact.length > 0 ? exact : items.filter(({ id }) => text !== '' && id.startsWith(text));
  if (found.length === 1) return found[0]!;
  if (found.length === 0) throw new CodedError(unknown, `nothing has the id or name ${quote(text)}`);
  const ids = found.slice(0, 4).map(({ id }) => id.slice(0, 12));
  throw new CodedError(
    'NR_ID_AMBIGUOUS',
    `${quote(text)} may be ${ids.join(', ')}${found.length > 4 ? ', …' : ''}`,
  );
}
