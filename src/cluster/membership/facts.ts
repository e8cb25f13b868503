import type { X509Certificate } from 'node:crypto';
import type { CodedError } from '../../errors.ts';
import { type ClusterNode, keyHolders } from '../node/node.ts';
import type { Change } from './change.ts';
import { type HostView, viewHosts } from './hosts.ts';
import { problemsOf } from './problems.ts';

/** How this host is in its cluster. */
export interface ClusterFacts {
  /**
   * alone: in no cluster. waiting: to be in one by its settings, and in none yet. joining: let in, and not complete yet. halted: a member that gives and takes nothing any more.
   */
  readonly state: 'alone' | 'waiting' | 'joining' | 'member' | 'leaving' | 'halted';
  readonly id: string;
  readonly name: string;
  readonly change?: Change | undefined;
  /** What keeps it from being in the cluster of its settings, or is wrong with those. */
  readonly waits?: readonly CodedError[] | undefined;
  /** Names of the secrets that it accepts, in a cluster that has a secret; with the first one it dials. */
  readonly secrets?: readonly string[] | undefined;
  readonly member?: MemberFacts | undefined;
}

export interface MemberFacts {
  readonly uuid: string;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly holdsKey: boolean;
  /** Names of the members that hold the cluster's key; undefined where there is none, or it is not known yet. */
  readonly keyHolders?: readonly string[] | undefined;
  /** Milliseconds since 1970; undefined while this host is just starting. */
  readonly certifiedUntil: number | undefined;
  readonly hosts: readonly HostView[];
  /** What does not work, the worst first. */
  readonly problems: readonly CodedError[];
  readonly links: number;
  readonly refused: ReadonlyMap<string, number>;
  /** Connections that ended, by reason. */
  readonly closed: ReadonlyMap<string, number>;
  readonly traffic: ClusterNode['transport']['traffic'];
  readonly repairs: ClusterNode['cluster']['repair']['counts'];
  readonly probes: {
    readonly traffic: ClusterNode['probes']['traffic'];
    readonly refused: ReadonlyMap<string, number>;
    /** How slow this host finds itself, from 0 to 8. */
    readonly health: number;
  };
}

/** What there is to say of a host and the running part of its membership. */
export function factsOf(
  { isForming, ...host }: Pick<ClusterFacts, 'id' | 'name' | 'change' | 'waits'> & { isForming: boolean },
  node: ClusterNode | undefined,
  more: {
    readonly certificate: X509Certificate | undefined;
    /** Why this host, which has stopped, does not come back. */
    readonly returning: CodedError | undefined;
    /** When, on the clock that nobody sets, and on the computer's, in milliseconds since 1970. */
    readonly now: number;
    readonly wallMs: number;
  },
): ClusterFacts {
  const { certificate, returning } = more;
  if (!node) return { ...host, state: isForming ? 'waiting' : 'alone' };
  const { standing, members } = node.cluster;
  const hosts = viewHosts(node);
  const state = () => {
    if (standing.halted) return 'halted';
    if (standing.leaving) return 'leaving';
    return members.get(host.id)?.complete ? 'member' : 'joining';
  };
  const member: MemberFacts = {
    uuid: node.uuid,
    address: node.place?.address,
    port: node.listening.port,
    holdsKey: hosts.some(({ isSelf, holdsKey }) => isSelf && holdsKey),
    keyHolders: certificate && keyHolders(node.replica, members),
    certifiedUntil: certificate?.validToDate.getTime(),
    hosts,
    problems: [
      // Why it does not come back is the worst for a host that has stopped, and tells what to do.
      ...(returning ? [returning] : []),
      ...(host.waits ?? []),
      ...problemsOf(node, hosts, certificate, more),
    ],
    links: hosts.filter(({ isLinked }) => isLinked).length,
    refused: new Map([
      ...node.transport.refused.counts,
      ...node.cluster.doubts.counts,
      ...node.cluster.refusals.counts,
    ]),
    closed: node.transport.closed.counts,
    traffic: node.transport.traffic,
    repairs: node.cluster.repair.counts,
    probes: {
      traffic: node.probes.traffic,
      refused: node.probes.refused.counts,
      health: node.probes.health,
    },
  };
  return { ...host, state: state(), member };
}
