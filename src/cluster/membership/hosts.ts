import { isGone } from '../../model/gone.ts';
import { reportPauseMs } from '../gossip/gossip.ts';
import type { ClusterNode } from '../node/node.ts';
import { holdersOf, placeOf } from '../node/node.ts';
import { isBanned, returnedAs } from '../node/readmissions.ts';
import type { ProbeView } from '../probes/detector.ts';
import type { Cluster } from '../protocol/cluster.ts';

/** A member that nothing was heard of for so long counts as away, in milliseconds, if no probe knows more. */
export const SILENT_MS = 20_000;
/** So many hosts are all linked with each other, and hear each other each second. */
const LINKED_MAX = 4;
/** For a report on its way, in milliseconds. */
const MARGIN_MS = 5000;

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
  /** It says to hold the cluster's key. */
  readonly holdsKey: boolean;
  /** When it was last heard, on a connection or by others, in milliseconds since 1970. */
  readonly heardAt?: number | undefined;
  /** Since when nothing is heard of it: since the last word, or since this host is a member. */
  readonly silentSince: number;
  /** How long that may be before it counts as silent, in milliseconds, if no probe knows more. */
  readonly silentAfterMs: number;
  /** What probes say, as far as it counts. */
  readonly probe?: ProbeView | undefined;
  /** It is there, and its packets for probes do not arrive. */
  readonly isUdpBlocked: boolean;
  /** By how much its clock is ahead of this host's, in milliseconds, where there was a connection with it. */
  readonly clockOffsetMs?: number | undefined;
  readonly isLinked: boolean;
  /** Chunks of address pools and the like that have a record with it as the owner. */
  readonly chunks: number;
  /** Why it could not be reached, if it was tried. */
  readonly trouble?: string | undefined;
  /** It is gone, and a person has said that it may not come back by itself. */
  readonly isBanned: boolean;
  /** The id under which it has come back. */
  readonly returnedAs?: string | undefined;
  /** Removed records cannot be forgotten for good as long as nothing is heard of it. */
  readonly isBlocking: boolean;
}

/** Whether a member is heard. */
export type Liveness = 'heard' | 'suspect' | 'silent';

/** Whether a member is there, and since when it is not, in milliseconds since 1970 as `now`. Pure. */
export function livenessOf(
  host: HostView,
  now: number,
): { readonly liveness: Liveness; readonly since?: number } {
  const { isSelf, silentSince, silentAfterMs, probe } = host;
  if (isSelf || isGone(host)) return { liveness: 'heard' };
  if (probe?.verdict === 'dead') return { liveness: 'silent', since: silentSince };
  if (probe?.verdict === 'suspect') return { liveness: 'suspect', since: probe.since };
  if (probe || now - silentSince <= silentAfterMs) return { liveness: 'heard' };
  return { liveness: 'silent', since: silentSince };
}

/** All members, those that are gone last, both in the order in which they came. */
export function viewHosts({
  replica,
  cluster,
  connections,
  gossip,
  probes,
  startedAt,
}: ClusterNode): HostView[] {
  const { members, ownership, collector } = cluster;
  const blocking = new Set(collector.blocking());
  const holders = new Set(holdersOf(replica));
  const chunks = ownership.chunkCounts();
  const { peers } = connections;
  const heardAt = (id: string) => {
    const all = [connections.heard(id)?.at, gossip.heardAt(id), probes.heardAt(id)];
    const times = all.filter((at) => at !== undefined);
    return times.length > 0 ? Math.max(...times) : undefined;
  };
  const present = members.present().map(({ id }) => id);
  const pauseMs = present.length > LINKED_MAX ? reportPauseMs(replica.vector.size) + MARGIN_MS : 0;
  const numberOf = (id: string) => members.get(id)?.number ?? 0;
  const gone = [...members.allGone()].map(({ id }) => id);
  gone.sort((a, b) => numberOf(a) - numberOf(b) || (a < b ? -1 : 1));
  return [...present, ...gone].map((id) => ({
    id,
    name: members.nameOf(id),
    isSelf: id === replica.origin,
    state: stateOf(cluster, id, replica.origin),
    ...placeOf(replica, id),
    holdsKey: holders.has(id),
    heardAt: heardAt(id),
    silentSince: heardAt(id) ?? startedAt,
    silentAfterMs: Math.max(SILENT_MS, pauseMs),
    probe: probes.view(id),
    isUdpBlocked: probes.isBlocked(id),
    clockOffsetMs: connections.heard(id)?.offsetMs,
    isLinked: peers.get(id)?.isLinked ?? false,
    chunks: chunks.get(id) ?? 0,
    // What was once in the way is no news while there is a connection.
    trouble: peers.has(id) ? undefined : connections.trouble(id),
    isBanned: isBanned(replica, id),
    returnedAs: returnedAs(replica, id),
    isBlocking: blocking.has(id),
  }));
}

function stateOf({ members, standing }: Cluster, id: string, self: string): HostView['state'] {
  const gone = members.gone(id);
  if (gone) return gone.how;
  if (id === self && standing.leaving) return 'leaving';
  return members.get(id)?.complete ? 'present' : 'incomplete';
}
