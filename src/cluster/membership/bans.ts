import { CodedError } from '../../errors.ts';
import { type ClusterNode, holdersOf } from '../node/node.ts';
import { banChange, bannedIn, isBanned, returnedAs } from '../node/readmissions.ts';
import { runningOf } from '../node/running.ts';
import { ended } from '../protocol/ports.ts';
import { idOf, idsOf } from './byname.ts';

type Node = Pick<ClusterNode, 'cluster' | 'replica' | 'calls'>;

/**
 * Forgets members that will not come back, by id or name. `force`: even if they run, are half of all or more, or the last
 * that hold the cluster's key. `ban`: they may not come back by themselves; also for those that are forgotten already.
 * @throws NR_MEMBER_UNKNOWN, NR_ID_AMBIGUOUS, NR_FORGET_*, NR_MEMBER_UNREACHABLE
 */
export async function forget(
  node: Node,
  hosts: readonly string[],
  { force, ban }: { readonly force: boolean; readonly ban: boolean },
): Promise<void> {
  const { cluster, replica } = node;
  const { members, forgetting } = cluster;
  // Who has left, or has come back as somebody else, is nobody to keep out.
  const gone = [...members.allGone()]
    .filter(({ id, how }) => how === 'forgotten' && returnedAs(replica, id) === undefined)
    .map(({ id }) => id);
  const ids = hosts.map((host) => idOf(members, host, ban ? gone : []));
  cluster.standing.mayGive();
  if (!force) {
    refuseHolders(node, ids);
    await refuseRunning(node, ids);
  }
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
export async function unban({ cluster, replica }: Node, hosts: readonly string[]): Promise<void> {
  const ids = hosts.flatMap((host) => {
    const found = idsOf(cluster.members, host, bannedIn(replica));
    if (found.length === 0) throw new CodedError('NR_MEMBER_UNKNOWN', `no host ${host} is banned`);
    return found;
  });
  await replica.commit([...new Set(ids)].map((id) => banChange(id, undefined)));
}

/** Whoever alone holds the key of the cluster may take it along for good. @throws NR_FORGET_KEY */
function refuseHolders({ cluster, replica }: Node, ids: readonly string[]): void {
  const { members } = cluster;
  const holders = holdersOf(replica).filter((id) => members.isPresent(id));
  const last = holders.filter((id) => ids.includes(id));
  if (last.length === 0 || last.length < holders.length) return;
  const names = last.map((id) => `host ${members.nameOf(id)}`).join(' and ');
  throw new CodedError('NR_FORGET_KEY', `nobody but ${names} holds the key of the cluster`);
}

/**
 * Not a part of the protocol, which gives no address twice either way: what was freed here could be given to others while
 * its containers still have it.
 * @throws NR_FORGET_ALIVE
 */
async function refuseRunning({ cluster, replica, calls }: Node, ids: readonly string[]): Promise<void> {
  const { members } = cluster;
  const self = replica.origin;
  // Oneself is refused for another reason.
  const victims = [...new Set(ids)].filter((id) => id !== self && members.isPresent(id));
  const running = await runningOf({ calls, members, self }, victims);
  const told = [...running].map(([id, witness]) => {
    const to = witness === self ? 'this host' : `host ${members.nameOf(witness)}`;
    return `host ${members.nameOf(id)} runs, and has just answered ${to}`;
  });
  if (told.length > 0) throw new CodedError('NR_FORGET_ALIVE', told.join('; '));
}
