import type { ClusterNode } from './node.ts';
import { placeOf } from './node.ts';

/** A member as this host sees it. */
export interface HostView {
  readonly id: string;
  readonly name: string;
  readonly isSelf: boolean;
  /** `incomplete`: admitted, but half of the members or more may not know it yet. */
  readonly state: 'present' | 'incomplete' | 'leaving' | 'left' | 'forgotten';
  /** Where it says that it can be reached. */
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  /** When it was last heard on a connection of this host, in milliseconds since 1970. */
  readonly heardAt?: number | undefined;
  /** By how much its clock is ahead of this host's, in milliseconds. */
  readonly clockOffsetMs?: number | undefined;
  readonly isLinked: boolean;
  /** Chunks of address pools and the like that have a record with it as the owner. */
  readonly chunks: number;
  /** Why it could not be reached, if it was tried. */
  readonly trouble?: string | undefined;
  /** Removed records cannot be forgotten for good as long as nothing is heard of it. */
  readonly isBlocking: boolean;
}

/** All members, those that are gone last. */
export function viewHosts({ replica, cluster, connections }: ClusterNode): HostView[] {
  const { members, ownership, collector, standing } = cluster;
  const blocking = new Set(collector.blocking());
  const { peers } = connections;
  const stateOf = (id: string): HostView['state'] => {
    const gone = members.gone(id);
    if (gone) return gone.how;
    if (id === replica.origin && standing.leaving) return 'leaving';
    return members.get(id)?.complete ? 'present' : 'incomplete';
  };
  const gone = [...members.allGone()].map(({ id }) => id);
  return [...members.present().map(({ id }) => id), ...gone].map((id) => ({
    id,
    name: members.nameOf(id),
    isSelf: id === replica.origin,
    state: stateOf(id),
    ...placeOf(replica, id),
    heardAt: connections.heard(id)?.at,
    clockOffsetMs: connections.heard(id)?.offsetMs,
    isLinked: peers.get(id)?.isLinked ?? false,
    chunks: ownership.of(id).filter((key) => key.startsWith('chunk/')).length,
    trouble: connections.trouble(id),
    isBlocking: blocking.has(id),
  }));
}
