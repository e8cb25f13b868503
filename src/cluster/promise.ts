import { z } from 'zod';
import type { Change } from '../ports/store.ts';
import type { Replica } from '../store/replica.ts';

export const promiseSchema = z.object({
  coordinator: z.string(),
  attempt: z.number(),
  limit: z.number(),
  /** It is gone already, and not all that counted of it has arrived here. */
  again: z.boolean().optional(),
});
/** A member that is frozen, for one that forgets it. */
export type Freeze = z.infer<typeof promiseSchema>;

const replacedSchema = z.object({ coordinators: z.array(z.string()) });
/** Coordinators of replaced promises that are kept in mind for a member. */
const REPLACED_MAX = 16;

/** What this host has promised of a member. */
export function promiseOf(replica: Replica, id: string): Freeze | undefined {
  const entry = replica.get(`promise/${id}`);
  return entry && promiseSchema.parse(entry.value);
}

/**
 * Whom this host has promised to freeze a member for: the one that it does so for now, and those before of whom it has
 * not heard how that ended. They may have done what they were promised, and it has not arrived here.
 */
export function coordinatorsOf(replica: Replica, id: string): string[] {
  const now = promiseOf(replica, id)?.coordinator;
  const before = replacedSchema.safeParse(replica.get(replacedKey(id))?.value).data?.coordinators ?? [];
  return [...new Set([...(now === undefined ? [] : [now]), ...before])];
}

/** Members that something was promised of. */
export function promisedOf(replica: Replica): Set<string> {
  const ids = [...replica.list('promise'), ...replica.list('replaced')];
  return new Set(ids.map(({ key }) => key.slice(key.indexOf('/') + 1)));
}

/** That a promise is made to another coordinator than those before. */
export function replacedChange(replica: Replica, id: string, coordinator: string): Change[] {
  const before = coordinatorsOf(replica, id).filter((one) => one !== coordinator);
  if (before.length === 0) return [];
  return [{ key: replacedKey(id), value: { coordinators: before.slice(0, REPLACED_MAX) } }];
}

function replacedKey(id: string): string {
  return `replaced/${id}`;
}
