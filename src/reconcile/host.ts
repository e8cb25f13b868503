import { Address } from '../net/address.ts';
import { Prefix, splitCidr } from '../net/prefix.ts';
import { isLinkLocal } from '../net/special.ts';
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
  #links: readonly Interface[];

  /** `exportable`: prefixes that may be announced. */
  constructor(facts: HostFacts, settings: HostSettings, exportable: () => readonly string[]) {
    this.#facts = facts;
    this.#settings = settings;
    this.#exportable = exportable;
    this.#view = hostView(facts, settings, exportable());
    this.#links = interfacesOf(facts);
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
    this.#links = interfacesOf(facts);
  }

  /**
   * What the address is here, in words behind "is", if that keeps containers from having it: the host's own, that of its
   * router, or one that others on a link of the host may have and ask for by ARP, which nobody answers for a container.
   * Addresses of pools, and those that the operator has made announceable, may be on a link: there, routes to them win.
   */
  claim(address: Address): string | undefined {
    const own = this.#links.find((one) => one.address.equals(address));
    if (own) return `the host's own, on ${own.link}`;
    const text = address.toString();
    if (text === this.#view.address || text === this.#view.addressV6) return "the host's own";
    if (this.#facts.routers?.some((router) => Address.tryParse(router)?.equals(address)))
      return "the host's router";
    if (isLinkLocal(address) || this.#view.exportable.some((prefix) => prefix.contains(address)))
      return undefined;
    const on = this.#links.find(({ prefix }) => prefix.contains(address));
    return on && `on the link ${on.link} of the host (${on.prefix})`;
  }
}

/** An address of the host with the prefix that is reached by its interface. */
interface Interface {
  readonly link: string;
  readonly address: Address;
  readonly prefix: Prefix;
}

function interfacesOf({ addresses }: HostFacts): Interface[] {
  return addresses.map(({ link, address: text }) => {
    const { address, length } = splitCidr(text);
    return { link, address, prefix: Prefix.around(address, length) };
  });
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

/** The uplink's address, or the first; never a loopback or link-local one, nor one that is behind Docker's NAT. */
function pick(facts: HostFacts, family: 4 | 6): string | undefined {
  const candidates = facts.addresses
    .filter(({ link }) => !BRIDGE.test(link))
    .map(({ link, address }) => ({ link, address: splitCidr(address).address }))
    .filter(({ address }) => address.family === family && !LOCAL.some((prefix) => prefix.contains(address)));
  const own = candidates.find(({ link }) => link === facts.uplink?.name) ?? candidates[0];
  return own?.address.toString();
}

/** Docker's own bridges. Their addresses are the same on every host, and no router knows them. */
const BRIDGE = /^(docker0|docker_gwbridge|br-[0-9a-f]{12})$/;

const LOCAL = ['127.0.0.0/8', '169.254.0.0/16', '::1/128', 'fe80::/10'].map(Prefix.parse);
