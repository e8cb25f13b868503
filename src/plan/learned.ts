import type { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { METRIC_LEARNED, type Route, TABLE_MAIN } from '../ports/kernel.ts';
import type { LearnedRoute } from '../ports/speaker.ts';

/** Where a next hop that is not a neighbour's address is reached: the gateways of the underlay towards it. */
export type Resolve = (address: string) => { readonly via?: string; readonly dev?: string } | undefined;

/**
 * The kernel route for what a peer announced; pure. None for what no peer may decide: loopback, link-local and
 * multicast destinations, and next hops that the underlay cannot reach.
 */
export function planLearned(
  route: LearnedRoute,
  resolve: Resolve,
  src: { 4?: string | undefined; 6?: string | undefined },
): Route[] {
  const prefix = Prefix.parse(route.prefix);
  if (NEVER.some((reserved) => reserved.overlaps(prefix) && prefix.length > 0)) return [];
  const hops = route.nextHops
    .map((hop) => (hop.dev ? hop : resolve(hop.via)))
    .filter((hop) => hop !== undefined);
  if (hops.length === 0) return [];
  const texts = new Map(hops.map((hop) => [`${hop.via ?? ''} ${hop.dev ?? ''}`, hop]));
  const source = src[prefix.family];
  return [
    {
      kind: 'route',
      prefix: prefix.toString(),
      table: TABLE_MAIN,
      metric: METRIC_LEARNED,
      type: 'unicast',
      nextHops: [...texts.keys()].sort().map((text) => texts.get(text)!),
      // Traffic of the host itself towards containers elsewhere comes from its own address, not a link's.
      ...(source !== undefined && { src: source }),
    },
  ];
}

const NEVER = ['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::1/128', 'fe80::/10', 'ff00::/8'].map(
  Prefix.parse,
);

/** Who announced an address already, if somebody did: by exact host route, never by a covering prefix. */
export function holderOf(
  learned: ReadonlyMap<string, LearnedRoute>,
  address: Address,
): LearnedRoute | undefined {
  return learned.get(Prefix.host(address).toString());
}
