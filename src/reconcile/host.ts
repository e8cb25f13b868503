import { Address } from '../net/address.ts';
import { Prefix, splitCidr } from '../net/prefix.ts';
import type { HostView } from '../plan/endpoint.ts';
import type { HostFacts } from '../ports/kernel.ts';

/** What the user may have settled about this host. */
export interface HostSettings {
  readonly address?: string | undefined;
  readonly addressV6?: string | undefined;
  readonly mtu?: number | undefined;
}

/** MTU where there is no uplink to take it from, in bytes. */
const DEFAULT_MTU = 1500;

/** The host as it is now. */
export class Host {
  readonly #settings: HostSettings;
  readonly #exportable: () => readonly string[];
  #facts: HostFacts;
  #view: HostView;

  /** `exportable`: prefixes that may be announced. */
  constructor(facts: HostFacts, settings: HostSettings, exportable: () => readonly string[]) {
    this.#facts = facts;
    this.#settings = settings;
    this.#exportable = exportable;
    this.#view = hostView(facts, settings, exportable());
  }

  get facts(): HostFacts {
    return this.#facts;
  }

  /** As its endpoints and the fabric see it. */
  get view(): HostView {
    return this.#view;
  }

  /** The facts have changed, or the prefixes that may be announced. */
  update(facts = this.#facts): void {
    this.#facts = facts;
    this.#view = hostView(facts, this.#settings, this.#exportable());
  }
}

/** The host as its endpoints and the fabric see it; pure. */
export function hostView(facts: HostFacts, settings: HostSettings, exportable: readonly string[]): HostView {
  return {
    address: settings.address ?? pick(facts, 4),
    addressV6: settings.addressV6 ?? pick(facts, 6),
    mtu: settings.mtu ?? facts.uplink?.mtu ?? DEFAULT_MTU,
    exportable: exportable.map(Prefix.parse),
  };
}

/** The uplink's address, or the first; never a loopback or link-local one. */
function pick(facts: HostFacts, family: 4 | 6): string | undefined {
  const candidates = facts.addresses
    .map(({ link, address }) => ({ link, address: splitCidr(address).address }))
    .filter(({ address }) => address.family === family && !LOCAL.some((prefix) => prefix.contains(address)));
  const own = candidates.find(({ link }) => link === facts.uplink?.name) ?? candidates[0];
  return own?.address.toString();
}

const LOCAL = ['127.0.0.0/8', '169.254.0.0/16', '::1/128', 'fe80::/10'].map(Prefix.parse);

/** A BGP identifier: the host's IPv4 address, or for a host without one 32 bits of its IPv6 address (RFC 6286). */
export function routerIdOf(host: HostView): string {
  if (host.address !== undefined) return host.address;
  if (host.addressV6 === undefined) return '127.0.0.1';
  let folded = 0n;
  for (let rest = Address.parse(host.addressV6).value; rest > 0n; rest >>= 32n) folded ^= rest & 0xffffffffn;
  return Address.of(4, folded === 0n ? 1n : folded).toString();
}
