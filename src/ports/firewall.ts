import type { Target } from './target.ts';

/**
 * Packets that come in by `link` may have `address` as their source; any source not so permitted is dropped.
 * That is so for every veth of link group LINK_GROUP, also before its first permit.
 */
export interface SourcePermit {
  readonly kind: 'source';
  readonly link: string;
  readonly address: string;
}

/** Packets towards the endpoint behind `link` are refused unless an IngressPermit or an open connection lets them. */
export interface IngressGuard {
  readonly kind: 'guard';
  readonly link: string;
}

/**
 * `from` may open connections to the endpoint behind a guarded link: an address, a prefix or a range `A-B`, their
 * addresses in canonical form. Permits of one link may overlap.
 */
export interface IngressPermit {
  readonly kind: 'ingress';
  readonly link: string;
  readonly from: string;
}

/**
 * A published port: what arrives at the host on `port` goes to the endpoint (docker run -p), also if a program of
 * the host listens there. From the host itself by 127.0.0.1 only if the link's net/ipv4/conf/LINK/route_localnet
 * is 1, and never by ::1.
 */
export interface PublishedPort {
  readonly kind: 'publish';
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Host address that it is bound to; absent for all of the family, and never 0.0.0.0 or ::. */
  readonly hostAddress?: string;
  readonly family: 4 | 6;
  readonly port: number;
  readonly toAddress: string;
  readonly toPort: number;
}

export type FirewallResource = SourcePermit | IngressGuard | IngressPermit | PublishedPort;

/**
 * What the kernel remembers of connections: each packet of one goes where its first went, whatever the rules are by
 * now, and in UDP a client that goes on sending keeps that for ever. `put`: what is sent to the port goes to its target
 * from now on. `remove`: nothing goes to its target by the port any more. Not read back.
 */
export type Flows = Pick<Target<PublishedPort>, 'apply' | 'close'>;

/** The key of a resource, unique among all kinds. */
export function firewallKey(resource: FirewallResource): string {
  switch (resource.kind) {
    case 'source':
      return `source ${resource.link} ${resource.address}`;
    case 'guard':
      return `guard ${resource.link}`;
    case 'ingress':
      return `ingress ${resource.link} ${resource.from}`;
    case 'publish':
      return `publish ${resource.protocol} ${resource.hostAddress ?? `any${resource.family}`} ${resource.port}`;
  }
}

/**
 * One nft table, `inet net_routed`, which is ours as a whole. A call of apply is one transaction. If somebody
 * deletes the table, read tells that nothing is there, and the next prepare or apply makes again what was there.
 */
export interface Firewall extends Target<FirewallResource> {
  /** Makes the table with its chains and empty sets if it is absent or of another release; keeps its elements. */
  prepare(): Promise<void>;
  /**
   * Calls back when somebody has deleted the table, or may have: call prepare, then read. Returns the way to
   * stop it.
   */
  watch(listener: () => void): () => void;
}
