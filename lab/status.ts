/** What the hosts of a lab are doing. */
import { dockerVersion } from './docker.ts';
import type { Host } from './host.ts';
import type { Lab } from './lab.ts';
import { identify } from './process.ts';
import { underlay } from './topology.ts';

/** One host in a status report. */
export interface HostStatus {
  host: string;
  up: boolean;
  /** Its address in the underlay. */
  address: string | null;
  /** Version of its dockerd. */
  docker: string | null;
  /** Process id of its net-routed daemon, as the machine counts. */
  daemon: number | null;
  /** State of its BGP session as the fabric router sees it. */
  bgp: string | null;
}

/** Looks at every Docker host, and at the fabric router. */
export async function report(lab: Lab): Promise<HostStatus[]> {
  const sessions = await bgpSessions(lab.tor);
  const hosts = lab.hosts.map(async (host): Promise<HostStatus> => {
    const { host4, host6 } = underlay(host.name);
    const { up, name } = host;
    const id = up ? identify(host.initPid) : undefined;
    return {
      host: name,
      up,
      address: host4,
      docker: id ? ((await dockerVersion({ lab: lab.name, host: name, init: id })) ?? null) : null,
      daemon: (up ? host.pid('net-routed') : undefined) ?? null,
      bgp: sessions.get(host4) ?? sessions.get(host6) ?? null,
    };
  });
  const others = [lab.tor, lab.out].map(
    ({ name, up }): HostStatus => ({ host: name, up, address: null, docker: null, daemon: null, bgp: null }),
  );
  return [...(await Promise.all(hosts)), ...others];
}

/** State of each BGP session of the fabric router, by the neighbour's address. */
async function bgpSessions(tor: Host): Promise<Map<string, string>> {
  if (!tor.up || tor.pid('bgpd') === undefined) return new Map();
  type Summary = Record<string, { peers?: Record<string, { state: string }> }>;
  const summary = JSON.parse(await tor.must(['vtysh', '-c', 'show bgp summary json'])) as Summary;
  const peers = Object.values(summary).flatMap((family) => Object.entries(family.peers ?? {}));
  return new Map(peers.map(([address, { state }]) => [address, state]));
}

/** The report for people. */
export function table(rows: HostStatus[]): string {
  const lines = [
    ['HOST', 'UP', 'ADDRESS', 'DOCKER', 'NET-ROUTED', 'BGP AT TOR'],
    ...rows.map((row) => [
      row.host,
      row.up ? 'yes' : 'no',
      row.address ?? '-',
      row.docker ?? '-',
      row.daemon === null ? '-' : `process ${row.daemon}`,
      row.bgp ?? '-',
    ]),
  ];
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
