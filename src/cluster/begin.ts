import { randomBytes } from 'node:crypto';
import type { Change } from '../ports/store.ts';
import type { Replica } from '../store/replica.ts';
import { memberChange } from './members.ts';
import { sponsorOf } from './sponsor.ts';

/** One start of this host, as it introduces itself with. */
export interface Beginning {
  /** Tells this start from every other. */
  readonly boot: string;
  /** The sequence of the write that made it known. */
  readonly bootSequence: number;
}

/**
 * Makes a start of this host known. One that never joined anybody is the founder of a cluster of one. To be called
 * before the host takes part in the protocol.
 * @param key public key, base64 of its SPKI
 * @param name what people call the host
 * @throws NR_STORE_FAILED
 */
export async function begin(replica: Replica, key: string, name: string): Promise<Beginning> {
  const id = replica.origin;
  const boot = randomBytes(8).toString('hex');
  const changes: Change[] = [{ key: `host/${id}`, value: { boot, name } }];
  // One that has joined, and knows nobody yet, is not: a cluster has one founder.
  if ([...replica.list('member')].length === 0 && !sponsorOf(replica))
    changes.push(memberChange({ id, number: 1, complete: true, key, name }));
  const [host] = await replica.commit(changes);
  return { boot, bootSequence: host!.version.sequence };
}
