import type { Services } from '../driver/services.ts';
import { byName } from './names.ts';
import type { PeerView } from './views.ts';

/** Hosts that one line names. */
const NAMES_MAX = 5;

/** A router, and the hosts that packets to containers reach through it. */
export interface Behind {
  readonly router: string;
  /** What people call them, else their address. */
  readonly hosts: readonly string[];
}

/**
 * Routers between this host and others whose containers it sends packets to, although it peers with nobody but hosts of
 * its cluster: a router that nothing tells of the containers drops their packets, while all sessions are up.
 */
export function behindRouters(
  { learned }: Pick<Services, 'learned'>,
  peers: readonly PeerView[],
): readonly Behind[] {
  if (peers.some(({ origin }) => origin === 'configured')) return [];
  const names = new Map(peers.map(({ neighbour, host }) => [neighbour, host]));
  const groups = Map.groupBy(learned.routed(), ({ router }) => router);
  return [...groups]
    .map(([router, hops]) => ({
      router,
      hosts: hops.map(({ hop }) => names.get(hop) ?? hop).sort(byName),
    }))
    .sort((a, b) => byName(a.router, b.router));
}

/** That as a line, and what to do. */
export function behindText({ router, hosts }: Behind): readonly [what: string, remedy: string] {
  const some = hosts.slice(0, NAMES_MAX).join(', ');
  const more = hosts.length > NAMES_MAX ? ` and ${hosts.length - NAMES_MAX} more` : '';
  return [
    `the way to the containers of ${some}${more} is by the router ${router}, which drops their packets unless it knows their addresses`,
    'have all hosts peer with their router: --peer and --peer-as',
  ];
}
