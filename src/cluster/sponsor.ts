import { z } from 'zod';
import type { Replica } from '../store/replica.ts';

const sponsorSchema = z.object({ id: z.string(), address: z.string(), port: z.number().int().positive() });

/** Where a newcomer asks to be let in: of whoever decides on it, as far as it knows. */
export type Sponsor = z.infer<typeof sponsorSchema>;

/** The local record of it: on every host that has joined a cluster, and on none that has made one. */
export const SPONSOR = 'self/sponsor';

export function sponsorOf(replica: Replica): Sponsor | undefined {
  return sponsorSchema.safeParse(replica.get(SPONSOR)?.value).data;
}
