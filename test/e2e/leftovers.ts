/** What a host and the fabric router still have of endpoints that are gone. */

import type { Host } from '../../lab/host.ts';
import { Address } from '../../src/net/address.ts';
import { Prefix } from '../../src/net/prefix.ts';
import { eventually, ourLinks } from './support.ts';

/** What may be there: the interfaces and addresses of the endpoints that live. */
export interface Living {
  readonly links: readonly string[];
  readonly addresses: readonly string[];
}

/**
 * Interfaces, kernel routes and firewall elements of ours on the host, and kernel routes and BGP paths on the router,
 * that belong to addresses of the pools but to no endpoint that lives; one line each, none when all is clean.
 */
async function leftovers(
  host: Host,
  router: Host,
  pools: readonly string[],
  living: Living,
): Promise<string[]> {
  const prefixes = pools.map((pool) => Prefix.parse(pool));
  /** The prefixes and addresses among the words that are of the pools, but not of the living. */
  const dead = (words: Iterable<string>): string[] =>
    [...words].filter((word) => {
      const address = Address.tryParse(word.split('/')[0] as string);
      return (
        address !== undefined &&
        prefixes.some(
          (prefix) => prefix.contains(address) && prefix.address.toString() !== address.toString(),
        ) &&
        !living.addresses.includes(address.toString())
      );
    });
  const found = async (where: string, words: Promise<Iterable<string>>) =>
    dead(await words).map((word) => `${where}: ${word}`);
  const table = await host.must(['nft', 'list', 'table', 'inet', 'net_routed']);
  const links = new Set([...(await ourLinks(host)), ...(table.match(/\bnr[0-9a-f]{10}\b/g) ?? [])]);
  const lines = await Promise.all([
    found('firewall', Promise.resolve(table.split(/[\s,{}"]+/))),
    ...[host, router].map((one) => found(`kernel of ${one.name}`, kernelRoutes(one))),
    found(`BGP of ${router.name}`, bgpRoutes(router)),
  ]);
  return [
    ...[...links].filter((link) => !living.links.includes(link)).map((link) => `interface ${link}`),
    ...lines.flat(),
  ];
}

async function kernelRoutes(host: Host): Promise<string[]> {
  const both = ['-4', '-6'].map(async (family) => {
    const text = await host.must(['ip', '-j', family, 'route', 'show', 'table', 'main']);
    return (JSON.parse(text || '[]') as { dst: string }[]).map(({ dst }) => dst);
  });
  return (await Promise.all(both)).flat();
}

async function bgpRoutes(router: Host): Promise<string[]> {
  const both = ['ipv4', 'ipv6'].map(async (family) => {
    const text = await router.must(['vtysh', '-c', `show bgp ${family} unicast json`]);
    return Object.keys((JSON.parse(text) as { routes?: object }).routes ?? {});
  });
  return (await Promise.all(both)).flat();
}

/**
 * Waits until there are no leftovers. `pass` has the daemon look for them now, rather than by its clock.
 * @throws with what is left after 30 s
 */
export async function nothingLeft(
  host: Host,
  router: Host,
  pools: readonly string[],
  living: Living,
  pass: () => Promise<unknown> = async () => {},
): Promise<void> {
  let left: string[] = [];
  const none = async () => {
    await pass();
    left = await leftovers(host, router, pools, living);
    return left.length === 0;
  };
  try {
    await eventually('nothing else is left', none, 30_000);
  } catch (error) {
    throw new Error(`left: ${left.join(', ')}`, { cause: error });
  }
}
