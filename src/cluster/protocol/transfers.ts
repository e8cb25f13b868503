import { z } from 'zod';
import type { Versioned } from '../../store/crdt/record.ts';
import type { Replica } from '../../store/replica.ts';
import { LINK_BYTES } from '../../store/seal.ts';
import { TRANSFERS } from '../../store/transfers.ts';
import type { Collector } from './collector.ts';

const pageSchema = z.object({ links: z.base64() });

/**
 * How a record changed hands from a rank on, of what its seal does not carry any more and this host has kept: links, oldest
 * first, without a gap, at most so many.
 */
export function transfersSince(replica: Replica, key: string, rank: number, most: number): Buffer {
  const size = replica.sealer?.linksMax ?? 1;
  const links: Buffer[] = [];
  let next = rank;
  while (next < rank + most) {
    const number = Math.floor((next - 1) / size);
    const page = pageSchema.safeParse(replica.get(`${TRANSFERS}/${key}/${number}`)?.value).data;
    if (!page) break;
    const at = next - 1 - number * size;
    links.push(Buffer.from(page.links, 'base64').subarray(at * LINK_BYTES));
    next += size - at;
  }
  return Buffer.concat(links).subarray(0, most * LINK_BYTES);
}

/** Forgets those of records whose latest version everybody knows. To be called from time to time. */
export function dropTransfers(replica: Replica, { isKnownToAll }: Pick<Collector, 'isKnownToAll'>): void {
  const isOver = (latest: Versioned | undefined) => !latest || isKnownToAll(latest);
  const pages = [...replica.list(TRANSFERS)].filter(({ key }) =>
    isOver(replica.version(key.slice(TRANSFERS.length + 1, key.lastIndexOf('/')))),
  );
  if (pages.length > 0) replica.drop(pages.map(({ key, version }) => ({ key, ...version })));
}
