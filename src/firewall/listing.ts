import { CodedError } from '../errors.ts';
import { Address } from '../net/address.ts';
import type { FirewallResource } from '../ports/firewall.ts';
import { PROTOCOLS } from './element.ts';
import { AddressRange, NOTATIONS } from './range.ts';
import { MARKER, RULES } from './ruleset.ts';
import { State } from './state.ts';

/** What `nft -j list table` tells of ours. */
export interface Listing {
  readonly state: State;
  /** Whether the chains are those of this release, and all of their rules are there. */
  readonly intact: boolean;
}

interface SetListing {
  readonly name: string;
  readonly comment?: string;
  readonly elem?: readonly unknown[];
}

/**
 * Reads what nft prints. Sets and elements that this release does not know are passed over: they are another
 * release's, or somebody's who has to make a table of his own.
 * @throws CodedError NR_FIREWALL_REFUSED if it is no listing at all
 */
export function parseListing(json: string): Listing {
  const state = new State(true);
  const active = new Map<string, Map<string, AddressRange>>();
  let marker: string | undefined;
  let rules = 0;
  for (const object of objectsOf(json)) {
    const set = (object.set ?? object.map) as SetListing | undefined;
    if (set?.name === 'marker') marker = set.comment;
    if (object.rule) rules++;
    for (const item of set?.elem ?? []) {
      const { key, value } = fields(item);
      const resource = resourceOf(set!.name, key, value);
      if (resource) state.put(resource);
      if (!/^ingress[46]_/.test(set!.name)) continue;
      const range = rangeFrom(key[1]);
      const link = String(key[0]);
      if (!range) continue;
      active.set(link, (active.get(link) ?? new Map()).set(range.toString(), range));
    }
  }
  for (const link of new Set([...state.links(), ...active.keys()])) {
    state.settle(link, active.get(link) ?? new Map());
  }
  return { state, intact: marker === MARKER && rules === RULES };
}

function objectsOf(json: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    const { nftables } = JSON.parse(json);
    if (Array.isArray(nftables)) return nftables.filter(isObject);
  } catch (cause) {
    throw new CodedError('NR_FIREWALL_REFUSED', 'nft answered with what is no JSON', { cause });
  }
  throw new CodedError('NR_FIREWALL_REFUSED', 'nft answered with what is no listing');
}

/** Takes an element apart: key fields, and the fields that it maps to. Counters and comments are left aside. */
function fields(item: unknown): { key: readonly unknown[]; value: readonly unknown[] } {
  const [key, value] = Array.isArray(item) ? item : [item, undefined];
  return { key: concat(key), value: concat(value) };
}

function concat(node: unknown): readonly unknown[] {
  const inner = isObject(node) && isObject(node.elem) ? node.elem.val : node;
  return isObject(inner) && Array.isArray(inner.concat) ? inner.concat : [inner];
}

function isObject(node: unknown): node is Readonly<Record<string, unknown>> {
  return typeof node === 'object' && node !== null;
}

function resourceOf(
  set: string,
  key: readonly unknown[],
  value: readonly unknown[],
): FirewallResource | undefined {
  const link = String(key[0]);
  switch (set) {
    case 'source4':
    case 'source6': {
      const address = textFrom(key[1]);
      return address === undefined ? undefined : { kind: 'source', link, address };
    }
    case 'guarded':
      return { kind: 'guard', link };
    case 'asked4':
    case 'asked6': {
      const first = addressFrom(key[1]);
      const last = addressFrom(key[2]);
      if (!first || !last) return undefined;
      const range = AddressRange.between(first, last);
      const notation = NOTATIONS[Number(key[3])];
      return { kind: 'ingress', link, from: (notation && range.written(notation)) ?? range.toString() };
    }
    case 'publish4':
    case 'publish6':
      return published(key.slice(1), value, textFrom(key[0]));
    case 'publish4any':
    case 'publish6any':
      return published(key, value);
    default:
      return undefined;
  }
}

function published(
  [protocolField, port]: readonly unknown[],
  [to, toPort]: readonly unknown[],
  hostAddress?: string,
): FirewallResource | undefined {
  const protocol = protocolFrom(protocolField);
  const toAddress = textFrom(to);
  if (!protocol || toAddress === undefined) return undefined;
  const rest = {
    family: toAddress.includes(':') ? (6 as const) : (4 as const),
    port: Number(port),
    toAddress,
    toPort: Number(toPort),
  };
  return { kind: 'publish', protocol, ...(hostAddress !== undefined && { hostAddress }), ...rest };
}

function protocolFrom(field: unknown): keyof typeof PROTOCOLS | undefined {
  const names = Object.keys(PROTOCOLS) as (keyof typeof PROTOCOLS)[];
  return names.find((name) => field === name || Number(field) === PROTOCOLS[name]);
}

function rangeFrom(node: unknown): AddressRange | undefined {
  if (typeof node === 'string') return rangeFrom({ range: [node, node] });
  const { range, prefix } = (node ?? {}) as { range?: unknown[]; prefix?: { addr: string; len: number } };
  const first = addressFrom(range ? range[0] : prefix?.addr);
  if (!first) return undefined;
  if (prefix) return AddressRange.parse(`${first}/${prefix.len}`);
  const last = addressFrom(range?.[1]);
  return last && AddressRange.between(first, last);
}

/** The canonical text of an address. IPv4 has one only, and there may be ten thousand of them. */
function textFrom(node: unknown): string | undefined {
  return typeof node === 'string' && !node.includes(':') ? node : addressFrom(node)?.toString();
}

/** An address as inet_ntop(3) writes it, which is dotted at its end for IPv4-mapped and -compatible ones. */
function addressFrom(node: unknown): Address | undefined {
  if (typeof node !== 'string') return undefined;
  const dotted = /^(::(?:ffff:)?)(\d+\.\d+\.\d+\.\d+)$/.exec(node);
  if (!dotted) return Address.tryParse(node);
  const low = Address.parse(dotted[2]!).value;
  return Address.of(6, dotted[1] === '::' ? low : (0xffffn << 32n) | low);
}
