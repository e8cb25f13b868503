import type { SpeakerRecord } from '../model/speaker.ts';
import { ANY_BUT_DEFAULT, type Peer, speakerKey } from '../ports/speaker.ts';

/** A host that peers, as the records have it. */
export interface MeshHost extends SpeakerRecord {
  readonly id: string;
  /** What people call it. */
  readonly name: string;
}

/** A session with another host of the cluster. */
export interface MeshPeer {
  readonly host: string;
  readonly name: string;
  readonly peer: Peer;
}

export interface MeshPlan {
  readonly peers: readonly MeshPeer[];
  /** Route reflectors that this host is to have a session with. */
  readonly reflectors: readonly string[];
  /** Hosts that it should have a session with and cannot, and why. */
  readonly without: readonly { readonly host: string; readonly name: string; readonly why: string }[];
}

/**
 * Times of sessions between hosts, in seconds. A host whose plug is pulled is noticed after the hold time; routes of one
 * whose engine has crashed stay for the restart time.
 */
const SESSION = { holdTime: 9, keepalive: 3, connectRetry: 3, gracefulRestart: 120 } as const;
/** Hosts may be in different subnets, and move: a session does not depend on how far away they are. */
const MULTIHOP = 255;
const BGP_PORT = 179;

/**
 * The sessions of one host with the others of its cluster; pure, and such that two hosts that know the same records
 * agree: both plan a session with each other, or neither, and one of the two waits for the other to connect.
 *
 * Up to `limit` hosts each peers with each. Of more, the two that have run longest are route reflectors: all others peer
 * with those two, and they with each other. Hosts that have lost all of their reflectors for a while have two more,
 * chosen among themselves in the same way.
 */
export function planMesh(self: string, all: readonly MeshHost[], limit: number): MeshPlan {
  const hosts = distinct(all);
  const own = hosts.find(({ id }) => id === self);
  if (!own) return { peers: [], reflectors: [], without: [] };
  const serving = reflectorsOf(hosts, limit);
  const reflectors = serving.get(self) ?? [];
  const peers: MeshPeer[] = [];
  const without: { host: string; name: string; why: string }[] = [];
  for (const other of hosts) {
    if (other === own || !(serving.size === 0 || areLinked(own, other, serving))) continue;
    const { id: host, name } = other;
    const session = sessionOf(own, other);
    if (typeof session === 'string') {
      without.push({ host, name, why: session });
      continue;
    }
    const isReflector = [...serving.values()].some((some) => some.some(({ id }) => id === self));
    peers.push({ host, name, peer: { ...session, mesh: isReflector ? 'client' : 'member' } });
  }
  return { peers, reflectors: reflectors.flatMap(({ id }) => (id === self ? [] : [id])), without };
}

/**
 * The reflectors of each host, itself included if it is one; none of anybody as long as all peer with all. A host that
 * comes is the youngest, so that the choice changes only when a reflector goes, or begins anew.
 */
function reflectorsOf(hosts: readonly MeshHost[], limit: number): ReadonlyMap<string, readonly MeshHost[]> {
  const serving = new Map<string, MeshHost[]>();
  if (hosts.length <= limit) return serving;
  let group = [...hosts].sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
  while (group.length > 1) {
    const chosen = group.slice(0, 2);
    for (const { id } of group) serving.set(id, [...(serving.get(id) ?? []), ...chosen]);
    group = group
      .slice(2)
      .filter(({ id, missing }) => serving.get(id)!.every((one) => missing.includes(one.id)));
  }
  return serving;
}

/** Whether two hosts peer with each other when there are reflectors. */
function areLinked(a: MeshHost, b: MeshHost, serving: ReadonlyMap<string, readonly MeshHost[]>): boolean {
  const [ofA, ofB] = [serving.get(a.id)!, serving.get(b.id)!];
  if (ofA.includes(b) || ofB.includes(a)) return true;
  // A reflector of another AS cannot tell them of each other: each would see its own number in the path.
  return a.as === b.as && [...ofA, ...ofB].some(({ as }) => as !== a.as);
}

/** The session as `own` has it, or why there is none. */
function sessionOf(own: MeshHost, other: MeshHost): Peer | string {
  const isFour = own.address !== undefined && other.address !== undefined;
  const [localAddress, address] = isFour ? [own.address, other.address] : [own.addressV6, other.addressV6];
  if (localAddress === undefined || address === undefined) return 'no address of a family that both have';
  if (own.port === 0 && other.port === 0) return 'neither of the two accepts sessions (listenPort is 0)';
  // Who accepts nobody has to connect.
  const waits = own.port === 0 || other.port === 0 ? other.port === 0 : own.id > other.id;
  return {
    kind: 'peer',
    address,
    localAddress,
    peerAs: other.as,
    localAs: own.as,
    ...SESSION,
    multihop: MULTIHOP,
    port: other.port || BGP_PORT,
    passive: waits,
    maximumPrefix: 0,
    import: ANY_BUT_DEFAULT,
    export: ANY_BUT_DEFAULT,
  };
}

/** Of hosts that say they have the same address, the one that has begun last: the others were it before, or are copies. */
function distinct(hosts: readonly MeshHost[]): MeshHost[] {
  const taken = new Set<string>();
  return [...hosts]
    .sort((a, b) => b.since - a.since || (a.id < b.id ? -1 : 1))
    .filter(({ address, addressV6 }) => {
      const its = [address, addressV6].filter((one) => one !== undefined);
      if (its.length === 0 || its.some((one) => taken.has(one))) return false;
      for (const one of its) taken.add(one);
      return true;
    });
}

/** How long a session goes on that is not planned any more, in milliseconds. */
export const LINGER_MS = 30_000;

/** A session, and until when it goes on if it is not planned any more. */
export interface Lingering extends MeshPeer {
  readonly until?: number;
}

/**
 * The sessions that are to be there, after those that were; pure. What goes while the other host stays goes LINGER_MS
 * later, a session as well as passing on what others tell: by then the hosts have heard of each other another way.
 */
export function linger(
  before: readonly Lingering[],
  plan: readonly MeshPeer[],
  present: readonly MeshHost[],
  now: number,
): Lingering[] {
  const was = new Map(before.map((one) => [speakerKey(one.peer), one]));
  const stays = (one: Lingering) => (one.until ?? now + LINGER_MS) > now;
  const later = (one: Lingering): Lingering => ({ ...one, until: one.until ?? now + LINGER_MS });
  const result = plan.map((one): Lingering => {
    const old = was.get(speakerKey(one.peer));
    const passes = old?.peer.mesh === 'client' && one.peer.mesh === 'member';
    const isSame = passes && old.host === one.host && old.peer.peerAs === one.peer.peerAs;
    return isSame && stays(old) ? later(old) : one;
  });
  const planned = new Set(plan.map(({ peer }) => speakerKey(peer)));
  const isThere = ({ host, peer }: MeshPeer) =>
    present.some(
      ({ id, as, address, addressV6 }) =>
        id === host && as === peer.peerAs && [address, addressV6].includes(peer.address),
    );
  const rest = before.filter((one) => !planned.has(speakerKey(one.peer)) && stays(one) && isThere(one));
  return [...result, ...rest.map(later)];
}
