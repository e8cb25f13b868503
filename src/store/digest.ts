import { createHash, type Hash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Versioned } from './crdt/record.ts';
import type { Replica } from './replica.ts';

/** Records that are read in one turn of the event loop. */
const PAGE = 500;

/** What one host wrote, as a replica has it. */
export interface OriginDigest {
  readonly origin: string;
  /** Up to which of its writes all is known. */
  readonly known: number;
  /** How many of its versions stand, tombstones not counted: hosts collect those at times of their own. */
  readonly records: number;
  /** SHA-256 over those versions, in hexadecimal: alike on two hosts if they have the same ones, byte for byte. */
  readonly hash: string;
}

/**
 * What a replica holds of each host's writes, ordered by origin, local records left out. It takes many turns of the
 * event loop, and what is written meanwhile may be in it or not: two hosts compare only while nothing is written.
 */
export async function digest(replica: Pick<Replica, 'vector' | 'page'>): Promise<OriginDigest[]> {
  const counts = new Map<string, { records: number; hash: Hash }>();
  const of = (origin: string) => {
    const count = counts.get(origin) ?? { records: 0, hash: createHash('sha256') };
    counts.set(origin, count);
    return count;
  };
  for (let after = ''; ; await turn()) {
    const page = replica.page(after, PAGE);
    for (const version of page) {
      if (version.text === undefined) continue;
      const count = of(version.origin);
      count.records++;
      count.hash.update(bytesOf(version));
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.key;
  }
  const known = new Map(replica.vector);
  return [...new Set([...known.keys(), ...counts.keys()])].sort().map((origin) => {
    const { records, hash } = of(origin);
    return { origin, known: known.get(origin) ?? 0, records, hash: hash.digest('hex') };
  });
}

function bytesOf({ key, class: kind, text, sequence, rank, seal }: Versioned): string {
  return `${JSON.stringify([key, kind, text, sequence, rank, seal && Buffer.from(seal).toString('hex')])}\n`;
}
