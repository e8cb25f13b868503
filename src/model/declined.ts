import { z } from 'zod';

export const declinedSchema = z.object({
  /** The id of the logical network. */
  network: z.string(),
  /** When that was made: one that is made anew is another one. */
  createdAt: z.number(),
});
/** A network of the cluster that was removed on this host by hand, and is not to come back by itself. */
export type Declined = z.infer<typeof declinedSchema>;
