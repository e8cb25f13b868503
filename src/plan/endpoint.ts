import type { Endpoint } from '../model/endpoint.ts';
import { standingOf } from '../model/endpoint.ts';
import type { Network } from '../model/network.ts';
import type { Pool } from '../model/pool.ts';
import { Address } from '../net/address.ts';
import { vethNames } from '../net/ifname.ts';
import { linkLocalGateway } from '../net/linklocal.ts';
import { linkSysctls } from '../net/linksysctl.ts';
import { Prefix } from '../net/prefix.ts';
import type { FirewallResource, PublishedPort } from '../ports/firewall.ts';
import { type KernelResource, METRIC_LOCAL, TABLE_MAIN } from '../ports/kernel.ts';
import type { Announcement } from '../ports/speaker.ts';

/** What this host is to its endpoints. */
export interface HostView {
  /** Addresses of the host by family, that the fabric knows: next hop of announcements, source towards endpoints. */
  readonly address?: string | undefined;
  readonly addressV6?: string | undefined;
  /** MTU of endpoints whose network names none, in bytes. */
  readonly mtu: number;
  /** Prefixes that may be announced: the pools, and what the configuration adds for aliases. */
  readonly exportable: readonly Prefix[];
}

/** What of a pool its endpoints are wired by. */
export type Wiring = Pick<Pool, 'id' | 'gateway' | 'gatewayGiven'>;

/** Everything that one endpoint needs on its host. */
export interface EndpointPlan {
  readonly kernel: readonly KernelResource[];
  /** Inside of the sandbox, once Docker has moved the interface there. */
  readonly sandbox: readonly KernelResource[];
  readonly firewall: readonly FirewallResource[];
  readonly announcements: readonly Announcement[];
}

export const NOTHING: EndpointPlan = { kernel: [], sandbox: [], firewall: [], announcements: [] };

/**
 * Plans an endpoint; pure. `alive`: its sandbox exists, without which it has an address and nothing else.
 * `siblings`: the container's endpoints in other networks, whose addresses it may send from here too, since it
 * answers by its default route and not by the interface that it was asked on.
 */
export function planEndpoint(
  endpoint: Endpoint,
  network: Network,
  pools: readonly Wiring[],
  host: HostView,
  alive: boolean,
  siblings: readonly Endpoint[] = [],
): EndpointPlan {
  if (endpoint.phase === 'created' || !alive || !endpoint.sandbox) return NOTHING;
  const link = vethNames(endpoint.id).host;
  const veth: KernelResource = {
    kind: 'link',
    name: link,
    peer: vethNames(endpoint.id).peer,
    mtu: endpoint.mtu ?? network.mtu ?? host.mtu,
    alias: aliasOf(endpoint.id),
  };
  // After Leave, Docker still has to take the interface out; its other end stays until DeleteEndpoint.
  if (endpoint.phase === 'left') return { ...NOTHING, kernel: [veth] };

  const standing = standingOf(endpoint);
  const addresses = standing.map(Address.parse);
  const sources = [endpoint, ...siblings].flatMap(standingOf).map(Address.parse);
  const announced = standing.filter((one) => !endpoint.unconfirmed?.includes(one)).map(Address.parse);
  const { sandbox } = endpoint;
  return {
    kernel: [
      veth,
      ...linkSysctls(link, endpoint.ports.length > 0),
      ...pools.flatMap((pool) => gatewayAddresses(link, pool)),
      ...addresses.map((address) => hostRoute(link, address, host)),
    ],
    sandbox: endpoint.aliases
      .filter((alias) => standing.includes(alias))
      .map((alias) => ({
        kind: 'sandbox-address',
        sandbox,
        link,
        address: Prefix.host(Address.parse(alias)).toString(),
      })),
    firewall: [
      ...guards(link, endpoint.ingress),
      ...sources.map((one) => permit(link, one)),
      ...publishedPorts(endpoint, standing),
    ],
    announcements: announced.flatMap((address) => announce(address, host, endpoint.anycast)),
  };
}

/** The interface alias by which a human, and the daemon after a restart, knows what a veth is for. */
export function aliasOf(endpoint: string): string {
  return `net-routed endpoint ${endpoint}`;
}

function gatewayAddresses(link: string, pool: Wiring): KernelResource[] {
  const gateway = Address.parse(pool.gateway);
  if (gateway.family === 4) return [{ kind: 'address', link, address: `${gateway}/32` }];
  // The /64 gives the host a route to answer neighbour discovery from the sandbox's link-local address.
  const linkLocal = pool.gatewayGiven ? linkLocalGateway(6, pool.id) : gateway;
  return [
    { kind: 'address', link, address: `${linkLocal}/64` },
    ...(pool.gatewayGiven ? [{ kind: 'address', link, address: `${gateway}/128` } as const] : []),
  ];
}

function hostRoute(link: string, address: Address, host: HostView): KernelResource {
  const src = address.family === 4 ? host.address : host.addressV6;
  return {
    kind: 'route',
    prefix: Prefix.host(address).toString(),
    table: TABLE_MAIN,
    metric: METRIC_LOCAL,
    type: 'unicast',
    nextHops: [{ dev: link }],
    // Else the host would speak to its own endpoints as their link-local gateway.
    ...(src !== undefined && { src }),
  };
}

function permit(link: string, address: Address): FirewallResource {
  return { kind: 'source', link, address: address.toString() };
}

function guards(link: string, ingress: readonly string[] | undefined): FirewallResource[] {
  if (!ingress) return [];
  return [{ kind: 'guard', link }, ...ingress.map((from) => ({ kind: 'ingress', link, from }) as const)];
}

const PROTOCOL: Readonly<Record<number, 'tcp' | 'udp' | 'sctp'>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** What the firewall needs for an endpoint's published ports, to those of its addresses that stand; pure. */
export function publishedPorts(
  { address, addressV6, ports }: Pick<Endpoint, 'address' | 'addressV6' | 'ports'>,
  standing?: readonly string[],
): PublishedPort[] {
  const its = [address, addressV6].filter((one) => one === undefined || !standing || standing.includes(one));
  return ports.flatMap((port) =>
    its.flatMap((to): PublishedPort[] => {
      const protocol = PROTOCOL[port.protocol];
      const at = port.hostAddress === '' ? undefined : Address.tryParse(port.hostAddress);
      if (to === undefined || !protocol || port.hostPort === 0) return [];
      const { family } = Address.parse(to);
      if (at && at.family !== family) return [];
      const any = !at || at.value === 0n;
      return [
        {
          kind: 'publish',
          protocol,
          family,
          ...(!any && { hostAddress: at.toString() }),
          port: port.hostPort,
          toAddress: to,
          toPort: port.port,
        },
      ];
    }),
  );
}

/**
 * A host without an address of the family has no way to be reached by it, and announces nothing there; an alias
 * outside of everything exportable is this host's affair.
 */
function announce(address: Address, host: HostView, anycast: boolean): Announcement[] {
  const nextHop = address.family === 4 ? host.address : host.addressV6;
  if (nextHop === undefined || !host.exportable.some((prefix) => prefix.contains(address))) return [];
  return [{ kind: 'announcement', prefix: Prefix.host(address).toString(), nextHop, anycast }];
}
