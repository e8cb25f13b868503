import { z } from 'zod';
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

/** What this host has promised of a member. */
export function promiseOf(replica: Replica, id: string): Freeze | undefined {
  const entry = replica.get(`promise/${id}`);
  return entry && promiseSchema.parse(entry.value);
}
