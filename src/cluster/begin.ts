import { randomBytes } from 'node:crypto';
import type { Change, Json } from '../ports/store.ts';
import type { Replica } from '../store/replica.ts';
import { memberChange } from './members.ts';
import type { Ended } from './ports.ts';
import { sponsorOf } from './sponsor.ts';

/** One start of this host, as it introduces itself with. */
export interface Beginning {
  /** Tells this start from every other. */
  readonly boot: string;
  /** The sequence of the write that made it known. */
  readonly bootSequence: number;
}

/** What a host says of itself in `host/ID`, besides which start of it this is. */
export interface Said {
  /** What people call it. */
  readonly name?: string | undefined;
  /** Where others reach it. */
  readonly address?: string | undefined;
  /** Where hosts that have IPv6 only reach it, if that is another address; null for nowhere. */
  readonly addressV6?: string | null | undefined;
  readonly port?: number | undefined;
  /** It holds the cluster's key, and can let hosts in. */
  readonly holdsKey?: boolean | undefined;
}

/**
 * Makes a start of this host known. One that never joined anybody is the founder of a cluster of one. To be called
 * before the host takes part in the protocol.
 * @param key public key, base64 of its SPKI
 * @throws NR_STORE_FAILED
 */
export async function begin(
  replica: Replica,
  key: string,
  said: Said & { readonly name: string },
): Promise<Beginning> {
  const id = replica.origin;
  const boot = randomBytes(8).toString('hex');
  const changes: Change[] = [{ key: `host/${id}`, value: { ...given(said), boot } }];
  // One that has joined, and knows nobody yet, is not: a cluster has one founder.
  if ([...replica.list('member')].length === 0 && !sponsorOf(replica))
    changes.push(memberChange({ id, number: 1, complete: true, key, name: said.name }));
  const [host] = await replica.commit(changes);
  return { boot, bootSequence: host!.version.sequence };
}

/** Has a host that has begun say something else of itself; nothing is written if it says so already. */
export function say(replica: Replica, said: Said, done: Ended): void {
  const key = `host/${replica.origin}`;
  const before = replica.get(key)?.value as Record<string, Json>;
  const news = Object.entries(given(said)).filter(([name, value]) => before[name] !== value);
  if (news.length === 0) return done(undefined);
  replica.write([{ key, value: { ...before, ...Object.fromEntries(news) } }], done);
}

function given(said: Said): Record<string, Json> {
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}
