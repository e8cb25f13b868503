/** What a lab is to consist of. */
import { LabError } from './errors.ts';

/** So many Docker hosts a lab has at most. */
export const hostsMax = 200;

/** Debian releases that lab hosts can run. */
export const releases = ['bookworm', 'trixie', 'sid'] as const;
export type Release = (typeof releases)[number];

/**
 * How hosts are connected. `routed`: each by a link of its own to the fabric router, which it peers with, and with nobody
 * else in a cluster. `shared`: all by one link, without BGP with the router; in a cluster they peer with each other.
 */
export const links = ['routed', 'shared'] as const;
export type Link = (typeof links)[number];

/** What a lab consists of. */
export interface Plan {
  /** Number of Docker hosts. */
  hosts: number;
  /** Route engine that net-routed is told to use. */
  engine: 'gobgp';
  /** Debian release of the hosts; undefined: whatever the machine has. */
  release?: Release | undefined;
  link: Link;
  /** Whether hosts run dockerd. */
  docker: boolean;
  /** Whether hosts run the net-routed daemon. */
  daemon: boolean;
  /** Whether the daemons are members of one cluster. */
  cluster: boolean;
  /** Further arguments of dockerd. */
  dockerArgs: string[];
  /** Further arguments of the net-routed daemon, for all hosts. */
  daemonArgs: string[];
  /** The same for single hosts, by name. */
  hostDaemonArgs: Record<string, string[]>;
}

/** A lab when nothing else is wanted. */
export const defaults: Plan = {
  hosts: 3,
  engine: 'gobgp',
  link: 'routed',
  docker: true,
  daemon: true,
  cluster: true,
  dockerArgs: [],
  daemonArgs: [],
  hostDaemonArgs: {},
};

/** By which the daemons peer as the lab is to have it: with the router, or with each other. */
export const peeringArgs = ({ link, cluster }: Plan): string[] =>
  cluster && link === 'routed' ? ['--peering', 'fabric'] : [];

/** Arguments of one host's daemon. */
export const daemonArgs = (plan: Plan, host: string): string[] => [
  ...plan.daemonArgs,
  ...(plan.hostDaemonArgs[host] ?? []),
];

/** The base with what is wanted laid over it. */
export function merge(base: Plan, wanted: Partial<Plan>): Plan {
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  const plan = { ...base, ...Object.fromEntries(given) } as Plan;
  if (!Number.isInteger(plan.hosts) || plan.hosts < 1 || plan.hosts > hostsMax)
    throw new LabError(`a lab has 1 to ${hostsMax} hosts, not ${plan.hosts}`);
  return plan;
}

/** A running lab can grow; anything else needs a new one. */
export function checkChange(name: string, now: Plan, wanted: Plan): void {
  const isOther = (['release', 'engine', 'link', 'cluster'] as const).some((one) => wanted[one] !== now[one]);
  if (wanted.hosts < now.hosts || isOther)
    throw new LabError(
      `lab ${name} is up with ${now.hosts} hosts, engine ${now.engine}, link ${now.link}, ${now.cluster ? 'in a cluster' : 'without a cluster'}, release ${now.release ?? 'of this machine'}; ` +
        'take it down first to have another',
    );
}
