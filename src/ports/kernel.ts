import type { Target } from './target.ts';

/** A veth pair; `name` stays on the host, `peer` is what Docker moves into the sandbox and renames. */
export interface VethLink {
  readonly kind: 'link';
  readonly name: string;
  /** Always `name` and a `c` (vethNames): once it has moved, the kernel does not tell its name. */
  readonly peer: string;
  /**
   * MTU of both ends, in bytes. Read back from the host's end, as 0 while that is down, so that a put mends it.
   * A change after the move reaches the host's end only.
   */
  readonly mtu: number;
  /** Interface alias of the host's end, which names the endpoint: `net-routed endpoint ID`. */
  readonly alias: string;
}

/**
 * An address on the host's end of a veth (the gateway of its container). With the last IPv4 address of an interface
 * the kernel takes its IPv4 routes away as well, without a word (net/ipv4/fib_frontend.c, fib_disable_ip).
 */
export interface LinkAddress {
  readonly kind: 'address';
  readonly link: string;
  /** CIDR: IPv4 /32 with scope link; IPv6 /128, or link-local /64; without duplicate address detection. */
  readonly address: string;
}

/**
 * One next hop of a route: a device, or a gateway with the device that it is a neighbour on, which is taken on trust
 * (onlink). The gateway of an IPv4 route may be IPv6 (RFC 8950). IPv6 takes several hops only with gateways.
 */
export interface NextHop {
  readonly via?: string;
  readonly dev?: string;
}

/** A route of ours: protocol 158. Removed by prefix, table, metric and, for IPv6, next hops: pass it as read. */
export interface Route {
  readonly kind: 'route';
  readonly prefix: string;
  /** Routing table, 254 being main. */
  readonly table: number;
  /**
   * Never one that other programs use, so that ours and theirs can stand side by side. While a route changes, a
   * stand-in with the next higher metric carries the traffic.
   */
  readonly metric: number;
  readonly type: 'unicast' | 'unreachable' | 'blackhole';
  /** Sorted by nextHopText; empty unless unicast. */
  readonly nextHops: readonly NextHop[];
  /** Preferred source address. */
  readonly src?: string;
}

/**
 * A setting below /proc/sys, by path with slashes: `net/ipv4/conf/nr0123456789/rp_filter`. Read back are those of
 * linkSysctls for each link. Removal does nothing: a link's settings go with it. Where the kernel has no IPv6, its
 * settings count as set.
 */
export interface Sysctl {
  readonly kind: 'sysctl';
  readonly path: string;
  readonly value: string;
}

/**
 * A further address inside the sandbox, on the interface whose other end is `link`. Not read back, as read does not
 * know the sandboxes. NR_KERNEL_REFUSED while Docker has not moved the interface yet, NR_SANDBOX_GONE afterwards.
 */
export interface SandboxAddress {
  readonly kind: 'sandbox-address';
  /** Path of the sandbox's network namespace. */
  readonly sandbox: string;
  readonly link: string;
  /** CIDR, /32 or /128. */
  readonly address: string;
}

export type KernelResource = VethLink | LinkAddress | Route | Sysctl | SandboxAddress;

/** Route protocol number that marks a route as ours (rtnetlink(7), rtm_protocol). */
export const ROUTE_PROTOCOL = 158;
/** Link group that marks an interface as ours (ip-link(8), group). */
export const LINK_GROUP = 158;
/** What the names and the aliases of our interfaces begin with. */
export const LINK_PREFIX = 'nr';
export const ALIAS_PREFIX = 'net-routed ';
/** Metric of routes to this host's endpoints. */
export const METRIC_LOCAL = 158;
/** Metric of routes learned from peers: behind this host's own. */
export const METRIC_LEARNED = 1158;
/** The main routing table. */
export const TABLE_MAIN = 254;

/** What next hops are sorted by. */
export function nextHopText({ via, dev }: NextHop): string {
  return `${via ?? ''} ${dev ?? ''}`;
}

/** The key of a resource, unique among all kinds. */
export function kernelKey(resource: KernelResource): string {
  switch (resource.kind) {
    case 'link':
      return `link ${resource.name}`;
    case 'address':
      return `address ${resource.link} ${resource.address}`;
    case 'route':
      return `route ${resource.table} ${resource.prefix} ${resource.metric}`;
    case 'sysctl':
      return `sysctl ${resource.path}`;
    case 'sandbox-address':
      return `sandbox-address ${resource.link} ${resource.address}`;
  }
}

/**
 * What happened outside, told in order. `name` is an interface, `prefix` the destination of a route of ours, or of
 * anybody's default route. The kernel does not tell of the IPv4 routes that go with a link.
 */
export type KernelEvent =
  | { readonly kind: 'link'; readonly name: string; readonly gone: boolean }
  | { readonly kind: 'address'; readonly link: string }
  | { readonly kind: 'route'; readonly prefix: string; readonly gone: boolean }
  /** Any other route by which something may be reached. */
  | { readonly kind: 'foreign-route'; readonly prefix: string; readonly gone: boolean }
  /** Events may have been lost: read everything again. Also the first one, as soon as events are followed. */
  | { readonly kind: 'overrun' };

/** What the host is like, apart from what is ours. */
export interface HostFacts {
  /** Changes when the host's network namespace was made anew, by a reboot for example. */
  readonly incarnation: string;
  /** Interface with the default route, or else the first with a global address. */
  readonly uplink?: { readonly name: string; readonly mtu: number };
  /** Global unicast addresses in the main namespace, not on our links, in interface order. CIDR. */
  readonly addresses: readonly { readonly link: string; readonly address: string }[];
  /** Next hops of the default routes, absent where there are none. */
  readonly routers?: readonly string[];
}

/** A socket of the host that waits for packets or connections. */
export interface Listener {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly family: 4 | 6;
  /** Absent for every address of the family. */
  readonly address?: string;
  readonly port: number;
  /** Who has it, as far as it was asked for and can be known. */
  readonly program?: { readonly name: string; readonly pid: number };
}

export interface Kernel extends Target<KernelResource> {
  /** @throws CodedError NR_KERNEL_UNAVAILABLE */
  facts(): Promise<HostFacts>;
  /**
   * Reads back only the named links with what hangs on them (addresses, their sysctls, routes through them),
   * for a pass that concerns few of many thousand endpoints.
   */
  readLinks(names: readonly string[]): Promise<ReadonlyMap<string, KernelResource>>;
  /**
   * How the host would reach each address, by its own tables: the gateway and device of `ip route get`; an on-link
   * address is its own gateway. Absent from the answer when there is no route, or only one through our own links.
   */
  resolve(addresses: readonly string[]): Promise<ReadonlyMap<string, Required<NextHop>>>;
  /**
   * Who waits for packets or connections at the host. With a port, on that one alone, and which programs these are,
   * which takes a look at every process. @throws CodedError NR_KERNEL_UNAVAILABLE, NR_KERNEL_REFUSED
   */
  listeners(port?: number): Promise<readonly Listener[]>;
  /** Whether the sandbox still exists. Bounded, touches the file system only. */
  sandboxAlive(path: string): boolean;
  /** Starts to tell of changes that this adapter may or may not have caused. Returns the way to stop it. */
  watch(listener: (event: KernelEvent) => void): () => void;
}
