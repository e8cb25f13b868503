import type { CheckView } from '../views.ts';

/** What was done to the host, and what could not or must not be, with the reason. */
export interface Repaired {
  readonly done: readonly string[];
  readonly left: readonly string[];
}

export function ok(name: string, what: string): CheckView {
  return { name, result: 'ok', what };
}

export function warn(name: string, what: string, remedy: string): CheckView {
  return { name, result: 'warn', what, remedy };
}

export function fail(name: string, what: string, remedy: string): CheckView {
  return { name, result: 'fail', what, remedy };
}

/** Names for a message: the first of them, and how many more there are. */
export function some(items: readonly string[], most = 3): string {
  const rest = items.length - most;
  return `${items.slice(0, most).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
