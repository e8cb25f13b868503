import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { Address } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';

/** This host, as it may be called. */
interface Self {
  /** What people call it. */
  readonly name: string;
  /** TCP port for other hosts. */
  readonly port: number;
  /** Where others reach it, if that is no address of its own. */
  readonly advertised?: string | undefined;
}

/** What the computer says. */
interface Sources {
  /** The addresses of a name. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** Those of this host. */
  readonly addresses: () => readonly string[];
}

const SYSTEM: Sources = {
  resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  addresses: () =>
    Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
};

/**
 * Whether a place is this host, now: by its name, by an address of its own, or by a name that has such an address. The
 * first label of a name alone says nothing, as h1.east.example.org and h1.west.example.org are two hosts.
 */
export async function isHere(
  { address, port }: Place,
  { name, port: own, advertised }: Self,
  { resolve, addresses }: Sources = SYSTEM,
): Promise<boolean> {
  if (port !== own) return false;
  const isAddress = Address.tryParse(address) !== undefined;
  if (!isAddress && plain(address) === plain(name)) return true;
  // A name that cannot be found now may be later: it is asked for again.
  const found = isAddress ? [address] : await resolve(address).catch(() => []);
  // Every host has these. Debian gives them to the name of the host, and a copy of its disk has the line as well.
  const isOnlyHere = !isAddress && labelOf(address) === labelOf(name);
  if (found.some(isLoopback)) return isOnlyHere;
  const said = new Set(found.map(textOf));
  return [advertised, ...addresses()].some((one) => one !== undefined && said.has(textOf(one)));
}

function isLoopback(address: string): boolean {
  return /^127\.|^::1$/.test(textOf(address));
}

function textOf(address: string): string {
  return Address.tryParse(address)?.toString() ?? address;
}

function plain(name: string): string {
  return name.replace(/\.$/, '').toLowerCase();
}

function labelOf(name: string): string | undefined {
  return plain(name).split('.')[0];
}
