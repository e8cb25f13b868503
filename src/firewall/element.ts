import { CodedError } from '../errors.ts';
import { Address, type Family, quote } from '../net/address.ts';
import { parseIfname } from '../net/ifname.ts';
import type { FirewallResource, IngressPermit, PublishedPort } from '../ports/firewall.ts';
import { AddressRange, NOTATIONS } from './range.ts';
import { shardOf } from './ruleset.ts';

/** An element of a set or map, in nft's words. All of it is checked: nft would ask DNS for what is no address. */
export interface Element {
  readonly set: string;
  readonly key: string;
  /** What the key maps to; absent in sets. */
  readonly value?: string;
}

/** Numbers, since nft knows the names from /etc/protocols only, which a small image lacks. */
export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;

/**
 * The element that stands for a resource. An ingress permit's is the one in `asked`.
 * @throws CodedError NR_FIREWALL_ARGUMENT unless each text is in canonical form, so that it reads back the same
 */
export function elementOf(resource: FirewallResource): Element {
  switch (resource.kind) {
    case 'source': {
      const address = canonical(resource.address);
      return { set: `source${address.family}`, key: `${link(resource.link)} . ${address}` };
    }
    case 'guard':
      return { set: 'guarded', key: link(resource.link), value: `jump ingress_${shardOf(resource.link)}` };
    case 'ingress': {
      const range = rangeOf(resource);
      const [first, last] = [range.first, range.last].map((value) => Address.of(range.family, value));
      const notation = NOTATIONS.findIndex((each) => range.written(each) === resource.from);
      return {
        set: `asked${range.family}`,
        key: `${link(resource.link)} . ${first} . ${last} . ${notation}`,
      };
    }
    case 'publish':
      return published(resource);
    default:
      throw refused(`${quote(resource)} is no resource of the firewall`);
  }
}

/** The addresses that a permit lets in. @throws CodedError NR_FIREWALL_ARGUMENT */
export function rangeOf(permit: IngressPermit): AddressRange {
  let range: AddressRange;
  try {
    range = AddressRange.parse(permit.from);
  } catch (error) {
    throw refused((error as CodedError).what, error);
  }
  if (NOTATIONS.some((notation) => range.written(notation) === permit.from)) return range;
  throw refused(`${quote(permit.from)} has to be written ${range}`);
}

/** The element that opens a guarded link to a range; ranges of one link must not overlap. */
export function ingressElement(name: string, range: AddressRange): Element {
  return { set: `ingress${range.family}_${shardOf(name)}`, key: `${link(name)} . ${range}` };
}

function published(resource: PublishedPort): Element {
  const { family } = resource;
  if (family !== 4 && family !== 6) throw refused(`${quote(family)} is no address family`);
  const protocol = Object.hasOwn(PROTOCOLS, resource.protocol) ? PROTOCOLS[resource.protocol] : undefined;
  if (!protocol) throw refused(`${quote(resource.protocol)} is no protocol that has ports`);
  const port = `${protocol} . ${portNumber(resource.port)}`;
  const value = `${canonical(resource.toAddress, family)} . ${portNumber(resource.toPort)}`;
  if (resource.hostAddress === undefined) return { set: `publish${family}any`, key: port, value };
  const host = canonical(resource.hostAddress, family);
  if (host.value === 0n) throw refused('hostAddress is left out when a port is published on every address');
  return { set: `publish${family}`, key: `${host} . ${port}`, value };
}

function link(name: string): string {
  try {
    return `"${parseIfname(name)}"`;
  } catch (error) {
    throw refused((error as CodedError).what, error);
  }
}

function canonical(text: string, family?: Family): Address {
  const address = typeof text === 'string' ? Address.tryParse(text) : undefined;
  if (!address) throw refused(`${quote(text)} is not an address`);
  if (address.toString() !== text) throw refused(`${quote(text)} has to be written ${address}`);
  if (family && address.family !== family) throw refused(`${address} is not of family ${family}`);
  return address;
}

function portNumber(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 65535) return value;
  throw refused(`${quote(value)} is not a port number`);
}

function refused(what: string, cause?: unknown): CodedError {
  return new CodedError('NR_FIREWALL_ARGUMENT', what, { cause });
}
