import type { Target } from './target.ts';

/** Packets that come in by `link` may have `address` as their source; any source not so permitted is dropped. */
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

/** `from` may open connections to the endpoint behind a guarded link: an address, a prefix or a range `A-B`. */
export interface IngressPermit {
  readonly kind: 'ingress';
  readonly link: string;
  readonly from: string;
}

/** A published port: what arrives at the host on `port` goes to the endpoint (docker run -p). */
export interface PublishedPort {
  readonly kind: 'publish';
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Host address that it is bound to; absent for all of the family. */
  readonly hostAddress?: string;
  readonly family: 4 | 6;
  readonly port: number;
  readonly toAddress: string;
  readonly toPort: number;
}

export type FirewallResource = SourcePermit | IngressGuard | IngressPermit | PublishedPort;

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

/** One nft table, `inet net_routed`, which is ours as a whole. A call of apply is one transaction. */
export interface Firewall extends Target<FirewallResource> {
  /** Makes the table with its chains and empty sets if it is absent or of another release; keeps its elements. */
  prepare(): Promise<void>;
}
