import type { Replica } from '../store/replica.ts';
import { type Sponsor, sponsorSchema } from '../store/trust/folder.ts';

/** The local record of who lets this host in: on every host that has joined a cluster, and on none that has made one. */
export const SPONSOR = 'self/sponsor';

export function sponsorOf(replica: Replica): Sponsor | undefined {
  return sponsorSchema.safeParse(replica.get(SPONSOR)?.value).data;
}
