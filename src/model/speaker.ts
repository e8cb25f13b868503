import { z } from 'zod';
import { Address, type Family } from '../net/address.ts';

/** Later than any clock that is about right, in milliseconds since 1970: the year 2096. */
const LATEST = 4e12;

/** What a host tells the others of its cluster, so that they can peer with it by BGP. Written when it changes. */
export const speakerSchema = z.object({
  /** Which rules of the mesh it knows. A later release that has more of them can tell by this who follows. */
  version: z.int().positive(),
  as: z.int().min(1).max(4294967294),
  routerId: address(4),
  /** What it peers from, and may be peered with at; at least one of the two. */
  address: address(4).optional(),
  addressV6: address(6).optional(),
  /** TCP port that its engine listens on; 0 when it accepts nobody. */
  port: z.int().min(0).max(65535),
  /** Since when its host has run without a break, in milliseconds since 1970; later than those that it knew of. */
  since: z.number().nonnegative().max(LATEST),
  /** Tells one run of the host from the next. */
  run: z.string(),
  /** Route reflectors that it has had no session with for a while. */
  missing: z.array(z.string()).default([]),
});
export type SpeakerRecord = z.infer<typeof speakerSchema>;

function address(family: Family) {
  return z.string().transform((text, context) => {
    const parsed = Address.tryParse(text);
    if (parsed?.family === family) return parsed.toString();
    context.addIssue({ code: 'custom', message: `no IPv${family} address` });
    return z.NEVER;
  });
}

/** The beginning of a run: now, but after the others that are known, so that a newcomer is never the oldest. */
export function sinceNow(now: number, others: Iterable<Pick<SpeakerRecord, 'since'>>): number {
  let since = now;
  for (const other of others) since = Math.max(since, other.since + 1);
  return Math.min(since, LATEST);
}
