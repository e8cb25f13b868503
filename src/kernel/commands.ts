import type { Family } from '../net/address.ts';
import {
  type KernelResource,
  LINK_GROUP,
  type LinkAddress,
  type NextHop,
  nextHopText,
  ROUTE_PROTOCOL,
  type Route,
  type SandboxAddress,
  type VethLink,
} from '../ports/kernel.ts';
import type { Operation } from '../ports/target.ts';
import * as check from './arguments.ts';
import { bad, type Line, line } from './arguments.ts';
import type { LinkState } from './parse.ts';
import { SCRATCH_GROUP } from './scratch.ts';

/**
 * Resources as commands of iproute2; pure. Keywords are always written out in full (`dev X`, `name X`), as ip takes
 * any abbreviation. All throw NR_KERNEL_ARGUMENT for what cannot be written.
 */

/** The commands of an operation where nothing stands in its way. None for sysctls, which are files. */
export function commandsOf({ do: what, resource, ...rest }: Operation<KernelResource>): Line[] {
  const put = what === 'put';
  switch (resource.kind) {
    case 'link':
      return put ? [addLink(resource), finishLink(resource)] : [deleteLink(resource.name)];
    case 'address':
      return [put ? addAddress(resource) : deleteAddress(resource)];
    case 'route': {
      const was = 'was' in rest && rest.was?.kind === 'route' ? rest.was : undefined;
      if (!put) return [deleteRoute(resource)];
      return was ? [standIn(resource), ...swapRoute(resource, was)] : [addRoute(resource)];
    }
    case 'sysctl':
      check.sysctlPath(resource.path);
      check.sysctlValue(resource.value);
      return [];
    case 'sandbox-address':
      check.sandboxPath(resource.sandbox);
      return [sandboxAddress(put ? 'add' : 'del', resource, resource.link)];
  }
}

/** Refuses a resource that could not be written, or would not read back as it is. */
function checkLink(link: VethLink): VethLink {
  check.ownName(link.name);
  if (check.ownName(link.peer) !== `${link.name}c`)
    throw bad(`the peer of ${link.name} must be ${link.name}c`);
  check.mtu(link.mtu);
  check.alias(link.alias);
  return link;
}

/** In one step, so that the link is ours by its group from the first moment on. */
export function addLink(link: VethLink): Line {
  const { name, peer, mtu } = checkLink(link);
  const own = ['link', 'add', 'name', name, 'mtu', mtu, 'group', LINK_GROUP] as const;
  return line(...own, 'type', 'veth', 'peer', 'name', peer, 'mtu', mtu);
}

/** One message, and so all or nothing. A kernel without IPv6 does not know of address generation. */
export function finishLink(link: VethLink, ipv6 = true): Line {
  const { name, alias } = checkLink(link);
  const generation = ipv6 ? ['addrgenmode', 'none'] : [];
  return line('link', 'set', 'dev', name, 'up', ...generation, 'alias', check.alias(alias));
}

/** From what is there and ours to what shall be there. */
export function mendLink(link: VethLink, state: LinkState, ipv6 = true): Line[] {
  const { name, peer, mtu, alias } = checkLink(link);
  const lines: Line[] = [];
  if (state.group !== LINK_GROUP) lines.push(line('link', 'set', 'dev', name, 'group', LINK_GROUP));
  if (state.mtu !== mtu) {
    lines.push(line('link', 'set', 'dev', name, 'mtu', mtu));
    if (state.movedPeer === undefined) lines.push(line('link', 'set', 'dev', peer, 'mtu', mtu));
  }
  return state.up && state.alias === alias ? lines : [...lines, finishLink(link, ipv6)];
}

export function deleteLink(name: string): Line {
  return line('link', 'del', 'dev', check.ownName(name));
}

export function regroupLink(name: string, group: number): Line {
  return line('link', 'set', 'dev', check.ownName(name), 'group', group);
}

export function deleteScratchGroup(): Line {
  return line('link', 'del', 'group', SCRATCH_GROUP);
}

export function showLink(name: string): Line {
  return line('addr', 'show', 'dev', check.ifname(name));
}

export function showGroup(group: number): Line {
  return line('addr', 'show', 'group', group);
}

export function addAddress(resource: LinkAddress): Line {
  const { dev, scope, flags } = ownAddress(resource);
  return line('addr', 'add', resource.address, ...scope, 'dev', dev, ...flags);
}

export function deleteAddress(resource: LinkAddress): Line {
  return line('addr', 'del', resource.address, 'dev', ownAddress(resource).dev);
}

function ownAddress({ link, address }: LinkAddress) {
  const { family, linkLocal, length } = check.cidr(address);
  const fits = family === 4 ? length === 32 : length === (linkLocal ? 64 : 128);
  if (!fits) throw bad(`${address} is no address of a link: /32, /128, or link-local /64`);
  const scope = family === 4 || linkLocal ? ['scope', 'link'] : [];
  return { dev: check.ownName(link), scope, flags: family === 6 ? ['nodad'] : [] };
}

/** For the interface that the sandbox calls `dev`. */
export function sandboxAddress(verb: 'add' | 'del', { address }: SandboxAddress, dev: string): Line {
  const { family, length } = check.cidr(address);
  if (length !== (family === 4 ? 32 : 128)) throw bad(`${address} is no /32 or /128`);
  const flags = verb === 'add' && family === 6 ? ['nodad'] : [];
  return line('addr', verb, address, 'dev', check.ifname(dev), ...flags);
}

/** `add`, never `replace`: that would take the place of a foreign route of equal prefix, table and metric. */
export function addRoute(route: Route, metric = route.metric): Line {
  const { prefix, table, type, nextHops, src } = checkRoute(route);
  const head = ['route', 'add', ...(type === 'unicast' ? [] : [type]), prefix.text];
  const tail = [...ours(table, metric), ...(src ? ['src', src.text] : [])];
  return line(...head, ...tail, ...hopWords(nextHops, prefix.family, true));
}

/**
 * Only with our protocol. IPv6 takes several next hops for one route, foreign ones too that were appended to ours,
 * and deletes them all unless they are named.
 */
export function deleteRoute(route: Route, metric = route.metric): Line {
  const { prefix, table, nextHops } = checkRoute(route);
  const named = prefix.family === 6 ? hopWords(nextHops, 6, false) : [];
  return line('route', 'del', prefix.text, ...ours(table, metric), ...named);
}

/**
 * A route changes by way of a stand-in with the next higher metric, so that there is one at every moment; `replace`
 * does not know protocols, and for IPv6 `append` makes a second next hop. If the kernel refuses the stand-in, it would
 * refuse the new route as well, and the old one had better stay.
 */
export function standIn(route: Route): Line {
  return addRoute(route, route.metric + 1);
}

/** With the stand-in in place. */
export function swapRoute(route: Route, was: Route): Line[] {
  return [deleteRoute(was), addRoute(route), deleteRoute(route, route.metric + 1)];
}

/** In all tables: with one table named, ip looks for IPv4 routes only unless it was started with -6. */
export function showRoute({ prefix }: Route): Line {
  return line('route', 'show', 'table', 'all', 'proto', ROUTE_PROTOCOL, 'exact', check.prefix(prefix).text);
}

export function showRoutesOf(link: string): Line {
  return line('route', 'show', 'table', 'all', 'proto', ROUTE_PROTOCOL, 'dev', check.ifname(link));
}

export function getRoute(address: string): Line {
  return line('route', 'get', check.address(address).text);
}

function ours(table: number, metric: number): (string | number)[] {
  return ['proto', ROUTE_PROTOCOL, 'metric', metric, 'table', table];
}

function checkRoute({ prefix: text, table, metric, type, nextHops, src: source }: Route) {
  const prefix = check.prefix(text);
  if (!['unicast', 'unreachable', 'blackhole'].includes(type)) throw bad(`no routes of type ${String(type)}`);
  if ((type === 'unicast') !== nextHops.length > 0) throw bad(`${text}: ${nextHops.length} next hops`);
  const texts = nextHops.map(nextHopText);
  if (texts.some((one, index) => index > 0 && one <= texts[index - 1]!)) {
    throw bad(`${text}: next hops are not sorted, or repeated`);
  }
  for (const hop of nextHops) checkHop(hop, prefix.family);
  const src = source === undefined ? undefined : check.address(source);
  if (src && src.family !== prefix.family) throw bad(`${text}: source ${src.text} is of the other family`);
  return { prefix, table: check.table(table), metric: check.metric(metric), type, nextHops, src };
}

function checkHop({ via, dev }: NextHop, family: Family): void {
  // The kernel would choose a device by itself, which then reads back.
  if (dev === undefined) throw bad('a next hop without a device');
  check.ifname(dev);
  if (via !== undefined && check.address(via).family < family) throw bad(`an IPv6 route by way of ${via}`);
}

function hopWords(hops: readonly NextHop[], family: Family, adding: boolean): string[] {
  const several = hops.length > 1 ? ['nexthop'] : [];
  return hops.flatMap(({ via, dev = '' }) => {
    if (via === undefined) return [...several, 'dev', dev];
    const gateway = check.address(via);
    const other = gateway.family === family ? [] : ['inet6'];
    // A link-local address is a neighbour on every link: nothing has to be taken on trust.
    const trusted = adding && !(gateway.family === 6 && gateway.linkLocal) ? ['onlink'] : [];
    return [...several, 'via', ...other, gateway.text, 'dev', dev, ...trusted];
  });
}
