import { z } from 'zod';
import type { Change } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';

/** To whom something is promised, and for which of its attempts: the sequence of its first write. */
const attemptSchema = z.object({ coordinator: z.string(), attempt: z.number() });
export type PromisedTo = z.infer<typeof attemptSchema>;

const promiseSchema = z.object({
  /**
   * The latest last. Those before do not end with it: each coordinator may have done what it was promised for, and that
   * has not arrived here.
   */
  to: z.array(attemptSchema),
  /** Up to which of its writes the member counts: those that were known when it was first promised. */
  limit: z.number(),
  /** It is gone already, and not all that counted of it has arrived here. */
  again: z.boolean().optional(),
});
/** A member that is frozen, for those that forget it. */
type Freeze = z.infer<typeof promiseSchema>;

/** So many may be promised the freezing of one member before the next has to wait. */
export const PROMISED_MAX = 16;

/** What this host has promised of a member. */
export function promiseOf(replica: Replica, id: string): Freeze | undefined {
  const entry = replica.get(promiseKey(id));
  return entry && promiseSchema.parse(entry.value);
}

/** Whom this host has promised to freeze a member for, and has not heard of how that ended. */
export function coordinatorsOf(replica: Replica, id: string): string[] {
  return (promiseOf(replica, id)?.to ?? []).map(({ coordinator }) => coordinator);
}

/** Members that something was promised of. */
export function promisedOf(replica: Replica): string[] {
  return [...replica.list('promise')].map(({ key }) => key.slice(promiseKey('').length));
}

/** Promises the freezing of a member to one more. `again`: it is gone already, see above. */
export function promiseChange(replica: Replica, id: string, to: PromisedTo, again: boolean): Change {
  const before = promiseOf(replica, id);
  const others = (before?.to ?? []).filter(({ coordinator }) => coordinator !== to.coordinator);
  const limit = before?.limit ?? replica.known(id);
  return written(id, { to: [...others, to], limit, again });
}

/** Ends one promise, and with the last one the freezing; without `to`, all of them. */
export function releaseChange(replica: Replica, id: string, to?: PromisedTo): Change[] {
  const before = promiseOf(replica, id);
  if (!before) return [];
  const rest = before.to.filter(
    ({ coordinator, attempt }) => to && (coordinator !== to.coordinator || attempt !== to.attempt),
  );
  if (rest.length === before.to.length) return [];
  return [rest.length > 0 ? written(id, { ...before, to: rest }) : { key: promiseKey(id) }];
}

function written(id: string, { to, limit, again }: Freeze): Change {
  return { key: promiseKey(id), value: { to, limit, ...(again && { again }) } };
}

export function promiseKey(id: string): string {
  return `promise/${id}`;
}
