import { CodedError } from '../../errors.ts';
import type { Members } from '../protocol/members.ts';

/** Of an id a person writes so many digits at least. */
const DIGITS_MIN = 4;

interface Named {
  readonly id: string;
  readonly name?: string | undefined;
}

/**
 * The id of the member that a person calls so: by its id, the beginning of it, or its name; else of one of `gone`, of
 * several with that name the one that was admitted last.
 * @throws NR_MEMBER_UNKNOWN, NR_ID_AMBIGUOUS
 */
export function idOf(members: Members, host: string, gone: readonly string[] = []): string {
  const present = members.present();
  const before = gone.flatMap((id) => members.get(id) ?? []);
  const all = present.some((one) => isExactly(one, host)) ? present : [...present, ...before];
  const exact = all.filter((one) => isExactly(one, host));
  if (all !== present && exact.length > 0) return exact.reduce((a, b) => (a.number > b.number ? a : b)).id;
  const found = exact.length > 0 ? exact : all.filter(({ id }) => beginsWith(id, host));
  const [one, other] = found;
  if (one && other)
    throw new CodedError('NR_ID_AMBIGUOUS', `${host} is ${found.map(({ id }) => id).join(' and ')}`);
  if (!one) throw new CodedError('NR_MEMBER_UNKNOWN', `there is no member ${host}`);
  return one.id;
}

/** Those of the ids that a person calls so, members or not. */
export function idsOf(members: Members, host: string, ids: readonly string[]): string[] {
  return ids.filter((id) => isExactly({ id, name: members.get(id)?.name }, host) || beginsWith(id, host));
}

function isExactly({ id, name }: Named, host: string): boolean {
  return id === host || name === host;
}

function beginsWith(id: string, host: string): boolean {
  return host.length >= DIGITS_MIN && id.startsWith(host);
}
