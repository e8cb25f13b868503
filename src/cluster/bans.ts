import { CodedError } from '../errors.ts';
import { idOf, idsOf } from './byname.ts';
import type { ClusterNode } from './node.ts';
import { ended } from './ports.ts';
import { banChange, bannedIn, isBanned } from './readmissions.ts';

/**
 * Forgets members that will not come back, by id or name. `force`: even if they are half of all or more. `ban`: they may
 * not come back by themselves; also for those that are forgotten already.
 * @throws NR_MEMBER_UNKNOWN, NR_ID_AMBIGUOUS, NR_FORGET_*, NR_MEMBER_UNREACHABLE
 */
export async function forget(
  { cluster, replica }: ClusterNode,
  hosts: readonly string[],
  { force, ban }: { readonly force: boolean; readonly ban: boolean },
): Promise<void> {
  const { members, forgetting } = cluster;
  const gone = [...members.allGone()].map(({ id }) => id);
  const ids = hosts.map((host) => idOf(members, host, ban ? gone : []));
  const banned = ban ? ids.filter((id) => !isBanned(replica, id)) : [];
  // First: whoever hears that it is gone has heard of this as well.
  if (banned.length > 0) await replica.commit(banned.map((id) => banChange(id, replica.origin)));
  const error = await ended((done) => forgetting.forget(ids, force, done));
  if (!error) return;
  const vain = banned.filter((id) => !members.gone(id));
  if (vain.length > 0) await replica.commit(vain.map((id) => banChange(id, undefined)));
  throw error;
}

/** Lets hosts come back after all that were banned, by id or name. @throws NR_MEMBER_UNKNOWN */
export async function unban({ cluster, replica }: ClusterNode, hosts: readonly string[]): Promise<void> {
  const ids = hosts.flatMap((host) => {
    const found = idsOf(cluster.members, host, bannedIn(replica));
    if (found.length === 0) throw new CodedError('NR_MEMBER_UNKNOWN', `no host ${host} is banned`);
    return found;
  });
  await replica.commit([...new Set(ids)].map((id) => banChange(id, undefined)));
}
