import { readFileSync, statSync } from 'node:fs';
import { CodedError } from '../errors.ts';
import { type HostFacts, LINK_PREFIX } from '../ports/kernel.ts';
import { list } from './listing.ts';
import { isOwn, type LinkState, parseLink } from './parse.ts';

/** What the host is like. @throws NR_KERNEL_UNAVAILABLE */
export async function readFacts(ip: string): Promise<HostFacts> {
  const links: LinkState[] = [];
  const defaults: DefaultRoute[] = [];
  const routes = (family: 4 | 6) =>
    list(ip, [`-${family}`, 'route', 'show', 'table', 'main', 'default'], (element) => {
      for (const hop of hopsOf(element)) defaults.push({ family, ...hop, metric: metricOf(element) });
    });
  try {
    await Promise.all([
      list(ip, ['addr', 'show'], (element) => {
        const state = parseLink(element);
        if (state) links.push(state);
      }),
      routes(4),
      routes(6).catch(() => {}), // a kernel without IPv6 has no such table
    ]);
    return factsOf(links, defaults, incarnation());
  } catch (error) {
    if (error instanceof CodedError && error.code === 'NR_KERNEL_UNAVAILABLE') throw error;
    const what = `cannot read interfaces: ${error instanceof Error ? error.message : error}`;
    throw new CodedError('NR_KERNEL_UNAVAILABLE', what, { cause: error });
  }
}

/** One next hop of a default route; without `via` where it leads to a link as such. */
interface DefaultRoute {
  readonly family: 4 | 6;
  readonly dev: string;
  readonly via?: string;
  readonly metric: number;
}

/** From listings to facts; pure. */
export function factsOf(
  links: readonly LinkState[],
  defaults: readonly DefaultRoute[],
  incarnation: string,
): HostFacts {
  const others = links.filter((link) => !isOwn(link) && !link.loopback).sort((a, b) => a.index - b.index);
  const globals = (link: LinkState) =>
    link.addresses.filter(({ scope, fleeting }) => scope === 'global' && !fleeting);
  const byDefault = defaults
    .toSorted((a, b) => a.family - b.family || a.metric - b.metric)
    .map(({ dev }) => others.find(({ name }) => name === dev));
  const uplink =
    byDefault.find((link) => link !== undefined) ??
    others.find((link) => link.up && globals(link).length > 0 && !isDockers(link));
  const order = uplink ? [uplink, ...others.filter((link) => link !== uplink)] : others;
  // Routers often have the address that they go by on the loopback interface.
  const loopback = links.filter((link) => link.loopback);
  const routers = [...new Set(defaults.map(({ via }) => via).filter((via) => via !== undefined))].sort();
  return {
    incarnation,
    ...(uplink && { uplink: { name: uplink.name, mtu: uplink.mtu } }),
    addresses: [...order, ...loopback].flatMap((link) =>
      globals(link).map(({ address }) => ({ link: link.name, address })),
    ),
    ...(routers.length > 0 && { routers }),
  };
}

/** A bridge that Docker has made leads to nobody but containers. */
function isDockers({ name, type }: LinkState): boolean {
  return type === 'bridge' && /^(docker\d+|br-[0-9a-f]{12})$/.test(name);
}

/** Of this boot and this network namespace. */
function incarnation(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot}-${statSync('/proc/self/ns/net').ino}`;
}

/** Next hops of a default route, ours left out. */
export function hopsOf(element: unknown): { dev: string; via?: string }[] {
  const raw = element as { type?: unknown; nexthops?: unknown };
  if (raw.type !== undefined && raw.type !== 'unicast' && raw.type !== '1') return [];
  const hops = (Array.isArray(raw.nexthops) ? raw.nexthops : [raw]) as {
    dev?: unknown;
    gateway?: unknown;
    /** A gateway of the other family. */
    via?: { host?: unknown };
  }[];
  return hops.flatMap(({ dev, gateway, via }) => {
    if (typeof dev !== 'string' || dev.startsWith(LINK_PREFIX)) return [];
    const router = gateway ?? via?.host;
    return [{ dev, ...(typeof router === 'string' && { via: router }) }];
  });
}

function metricOf(element: unknown): number {
  const { metric } = element as { metric?: unknown };
  return typeof metric === 'number' ? metric : 0;
}
