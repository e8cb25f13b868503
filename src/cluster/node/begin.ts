import type { CodedError } from '../../errors.ts';
import type { Json } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';
import { memberChange } from '../protocol/members.ts';
import type { Ended } from '../protocol/ports.ts';
import { sponsorOf } from './sponsor.ts';

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
  /** The public key of this start, for probes. */
  readonly probeKey?: string | undefined;
}

/**
 * One that never joined anybody is the founder of a cluster of one. To be called before the host takes part in the
 * protocol.
 * @param key public key, base64 of its SPKI
 * @param name what people call it
 * @throws NR_STORE_FAILED
 */
export async function begin(replica: Replica, key: string, name: string): Promise<void> {
  // One that has joined, and knows nobody yet, is not: a cluster has one founder.
  if ([...replica.list('member')].length > 0 || sponsorOf(replica)) return;
  await replica.commit([memberChange({ id: replica.origin, number: 1, complete: true, key, name })]);
}

/**
 * Has a host say something of itself; nothing is written if it says so already. To be called when its start is known
 * (Arrival): what it writes before could be told of a start that never was.
 */
export function say(replica: Replica, said: Said, done: Ended): void {
  const key = `host/${replica.origin}`;
  const before = (replica.get(key)?.value ?? {}) as Record<string, Json>;
  const news = Object.entries(given(said)).filter(([name, value]) => before[name] !== value);
  if (news.length === 0) return done(undefined);
  replica.write([{ key, value: { ...before, ...Object.fromEntries(news) } }], done);
}

/** say(), for those who wait. @throws NR_STORE_FAILED */
export async function tell(replica: Replica, said: Said): Promise<void> {
  const error = await new Promise<CodedError | undefined>((done) => say(replica, said, done));
  if (error) throw error;
}

function given(said: Said): Record<string, Json> {
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}
