import { Address, quote } from './address.ts';

/**
 * TCP port for other hosts of the cluster. Nobody is known to use it: IANA has given it to none, it is below the ports
 * that Linux chooses for connections (32768) and Kubernetes for services (30000).
 */
export const CLUSTER_PORT = 15_800;

/** A host with a port, as a person writes it. */
export interface Place {
  /** An address, or a name. */
  readonly address: string;
  readonly port: number;
}

const NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/** As parsePlace reads it. */
export function placeText({ address, port }: Place): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Reads `HOST`, `HOST:PORT`, `IPV6` or `[IPV6]:PORT`. @throws Error that says what is wrong */
export function parsePlace(text: string, standard: number): Place {
  const plain = Address.tryParse(text);
  if (plain) return { address: plain.toString(), port: standard };
  const [, bracketed, named, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const inside = bracketed === undefined ? undefined : Address.tryParse(bracketed);
  const address = named === undefined ? inside : (Address.tryParse(named) ?? named);
  const port = digits === undefined ? standard : Number(digits);
  const isName = typeof address !== 'string' || (NAME.test(address) && !/^[\d.]+$/.test(address));
  if (address === undefined || !isName || port < 1 || port > 65_535)
    throw new Error(`${quote(text)} is not HOST or HOST:PORT`);
  return { address: String(address), port };
}
