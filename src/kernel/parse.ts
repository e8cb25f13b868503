import { Address } from '../net/address.ts';
import { splitCidr } from '../net/prefix.ts';
import {
  ALIAS_PREFIX,
  LINK_GROUP,
  LINK_PREFIX,
  type LinkAddress,
  type NextHop,
  nextHopText,
  type Route,
  TABLE_MAIN,
  type VethLink,
} from '../ports/kernel.ts';
import { SCRATCH_GROUP } from './scratch.ts';

/** Readers of what `ip -j` prints, by name or (-N) by number; keys that are not known are passed over. */

export interface LinkState {
  readonly name: string;
  readonly index: number;
  /** `veth`, `bridge`, …; empty for hardware. */
  readonly type: string;
  /** Bytes. */
  readonly mtu: number;
  readonly group: number;
  readonly alias: string;
  readonly up: boolean;
  readonly loopback: boolean;
  /** Interface index of a veth's other end, once that is in another namespace. */
  readonly movedPeer?: number | undefined;
  readonly addresses: readonly AddressState[];
}

export interface AddressState {
  /** CIDR, canonical. */
  readonly address: string;
  readonly scope: 'global' | 'link' | 'other';
  /** No duplicate address detection. */
  readonly nodad: boolean;
  /** Not (or not for long) to be relied on: a privacy address, or one that somebody else has. */
  readonly fleeting: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** An element of `ip addr show` or `ip link show`; undefined for the `{}` of one that a filter left out. */
export function parseLink(element: unknown): LinkState | undefined {
  const raw = fields(element);
  if (typeof raw.ifname !== 'string' || typeof raw.ifindex !== 'number') return undefined;
  const flags = items(raw.flags);
  return {
    name: raw.ifname,
    index: raw.ifindex,
    type: String(fields(raw.linkinfo).info_kind ?? ''),
    mtu: Number(raw.mtu),
    group: raw.group === undefined || raw.group === 'default' ? 0 : Number(raw.group),
    alias: typeof raw.ifalias === 'string' ? raw.ifalias : '',
    up: flags.includes('UP'),
    loopback: flags.includes('LOOPBACK'),
    movedPeer: typeof raw.link_index === 'number' ? raw.link_index : undefined,
    addresses: items(raw.addr_info)
      .map(parseAddress)
      .filter((one) => one !== undefined),
  };
}

function parseAddress(element: unknown): AddressState | undefined {
  const raw = fields(element);
  const local = typeof raw.local === 'string' ? Address.tryParse(raw.local) : undefined;
  if (!local || typeof raw.prefixlen !== 'number') return undefined;
  return {
    address: `${local}/${raw.prefixlen}`,
    scope: SCOPES[String(raw.scope)] ?? 'other',
    nodad: raw.nodad === true,
    fleeting: raw.temporary === true || raw.dadfailed === true,
  };
}

/** rtnetlink(7), ifa_scope. */
const SCOPES: Readonly<Record<string, 'global' | 'link'>> = {
  0: 'global',
  global: 'global',
  253: 'link',
  link: 'link',
};

/** Whether a link is ours: by name, type, group and alias, which is the last to be set on a new one. */
export function isOwn({ name, type, group, alias }: LinkState): boolean {
  if (type !== 'veth') return false;
  const marked = group === LINK_GROUP || group === SCRATCH_GROUP;
  return name.startsWith(LINK_PREFIX) && marked && (alias === '' || alias.startsWith(ALIAS_PREFIX));
}

export function linkResource(state: LinkState): VethLink {
  const { name, alias, up, mtu } = state;
  return { kind: 'link', name, peer: `${name}c`, mtu: up ? mtu : 0, alias };
}

/** The addresses of one of our links that look like we put them. */
export function addressResources(state: LinkState): LinkAddress[] {
  return state.addresses
    .filter(isOwnAddress)
    .map(({ address }) => ({ kind: 'address', link: state.name, address }));
}

export function isOwnAddress({ address, scope, nodad }: AddressState): boolean {
  const { address: local, length } = splitCidr(address);
  if (local.family === 4) return length === 32 && scope === 'link';
  return nodad && (length === 128 || (length === 64 && scope === 'link'));
}

/** What a listing of routes was asked for, and so does not repeat. */
export interface RouteContext {
  readonly family?: 4 | 6;
  readonly dev?: string;
}

/** An element of `ip route show table all proto 158`; undefined for what no route of ours can be. */
export function parseRoute(element: unknown, context: RouteContext = {}): Route | undefined {
  const raw = fields(element);
  const type = TYPES[String(raw.type ?? 'unicast')];
  const prefix = destination(raw, context.family);
  if (!type || !prefix) return undefined;
  const hops = type === 'unicast' ? parseHops(raw, context) : [];
  const src = typeof raw.prefsrc === 'string' ? Address.tryParse(raw.prefsrc) : undefined;
  return {
    kind: 'route',
    prefix,
    table: parseTable(raw.table),
    metric: typeof raw.metric === 'number' ? raw.metric : 0,
    type,
    nextHops: hops.sort((a, b) => compare(nextHopText(a), nextHopText(b))),
    ...(src && { src: src.toString() }),
  };
}

/** linux/rtnetlink.h, RTN_*. */
const TYPES: Readonly<Record<string, Route['type']>> = {
  1: 'unicast',
  unicast: 'unicast',
  6: 'blackhole',
  blackhole: 'blackhole',
  7: 'unreachable',
  unreachable: 'unreachable',
};

/** Host routes come without their length, and default routes of both families as one word. */
function destination({ dst, pref }: Fields, family?: 4 | 6): string | undefined {
  if (typeof dst !== 'string') return undefined;
  // Only IPv6 routes have a router preference (RFC 4191), and all of them do.
  if (dst === 'default') return (family ?? (pref === undefined ? 4 : 6)) === 4 ? '0.0.0.0/0' : '::/0';
  const [text = '', length] = dst.split('/');
  const address = Address.tryParse(text);
  if (!address) return undefined;
  return `${address}/${length ?? (address.family === 4 ? 32 : 128)}`;
}

function parseHops(raw: Fields, { dev }: RouteContext): NextHop[] {
  const several = items(raw.nexthops);
  return (several.length > 0 ? several : [raw]).map((element) => {
    const hop = fields(element);
    const gateway = hop.gateway ?? fields(hop.via).host;
    const via = typeof gateway === 'string' ? Address.tryParse(gateway)?.toString() : undefined;
    const device = typeof hop.dev === 'string' ? hop.dev : dev;
    return { ...(via !== undefined && { via }), ...(device !== undefined && { dev: device }) };
  });
}

function parseTable(table: unknown): number {
  if (table === undefined || table === 'main') return TABLE_MAIN;
  if (table === 'default') return 253;
  return table === 'local' ? 255 : Number(table);
}

/** How an address is reached, from `ip route get`: none by a route that only refuses, or to this host itself. */
export function parseWay(element: unknown): Required<NextHop> | undefined {
  const raw = fields(element);
  if (TYPES[String(raw.type ?? 'unicast')] !== 'unicast' || typeof raw.dst !== 'string') return undefined;
  const [hop] = parseHops(raw, {});
  const via = hop?.via ?? Address.tryParse(raw.dst)?.toString();
  return via !== undefined && hop?.dev !== undefined ? { via, dev: hop.dev } : undefined;
}

/** Whether what `ip route get` says of an address is that packets to it stay on the host. */
export function isLocal(element: unknown): boolean {
  // RTN_LOCAL, by number or by name.
  return ['2', 'local'].includes(String(fields(element).type));
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function items(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
