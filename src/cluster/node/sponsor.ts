import type { Change } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';
import { type Sponsor, sponsorSchema } from '../../store/trust/folder.ts';

/** The local record of who lets this host in: on every host that has joined a cluster, and on none that has made one. */
const SPONSOR = 'self/sponsor';

export function sponsorChange({ id, address, port, founder }: Sponsor): Change {
  return { key: SPONSOR, value: { id, address, port, ...(founder !== undefined && { founder }) } };
}

export function sponsorOf(replica: Replica): Sponsor | undefined {
  return sponsorSchema.safeParse(replica.get(SPONSOR)?.value).data;
}
