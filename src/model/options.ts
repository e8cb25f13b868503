import { CodedError } from '../errors.ts';
import { Address, quote } from '../net/address.ts';
import { Prefix, splitCidr } from '../net/prefix.ts';
import { UNUSABLE } from '../net/special.ts';
import { parseMtu } from './network.ts';

/** The tenant of those who do not name one. */
export const DEFAULT_TENANT = 'default';

const NETWORK_OPTIONS = ['tenant', 'network', 'encap', 'pkt-tag', 'mtu', 'gateway'];
const IPAM_OPTIONS = ['tenant', 'network'];
/** By which the daemon tells itself, through Docker, that a network is a copy of the logical one of this id. */
export const PROPAGATED = 'propagated';
/** Names of the plugin that this one replaces, in lower case as docker run sends them, and ours for the same. */
const LEGACY: ReadonlyMap<string, string> = new Map([
  ['com.medallia.routed.network.ipaliases', 'ip-aliases'],
  ['com.medallia.routed.network.mtu', 'mtu'],
  ['com.medallia.routed.network.ingressallowed', 'ingress-allowed'],
]);
const ENDPOINT_OPTIONS = ['ip-aliases', 'mtu', 'ingress-allowed', 'anycast'];

/** What `-o` of docker network create says. */
export interface NetworkOptions {
  readonly tenant?: string;
  /** What the network is called in the cluster. */
  readonly network?: string;
  readonly mtu?: number;
  readonly gateway?: string;
  /** The logical network that it is a copy of. */
  readonly propagated?: string;
}

/** @throws NR_OPTION_UNKNOWN, NR_OPTION_INVALID, NR_ENCAP_UNSUPPORTED, NR_MTU_INVALID */
export function parseNetworkOptions(
  options: Readonly<Record<string, string>>,
  withIpv6: boolean,
): NetworkOptions {
  // Docker's own name for the same is taken as well, as its other drivers do.
  const known = [...NETWORK_OPTIONS, PROPAGATED, 'com.docker.network.driver.mtu'];
  const ours = Object.keys(options).filter(
    (name) => !name.startsWith('com.docker.network.') || known.includes(name),
  );
  refuseUnknown('-o', ours, NETWORK_OPTIONS, known);
  const encap = options.encap ?? 'none';
  if (encap !== 'none') {
    throw new CodedError('NR_ENCAP_UNSUPPORTED', `encap=${quote(encap)} is not available in this release`);
  }
  if (options['pkt-tag'] !== undefined) {
    throw new CodedError('NR_OPTION_INVALID', 'pkt-tag has no meaning with encap=none');
  }
  const mtu = options.mtu ?? options['com.docker.network.driver.mtu'];
  return {
    ...(options.tenant !== undefined && { tenant: parseTenant(options.tenant) }),
    ...(options.network !== undefined && { network: parseNetworkName(options.network) }),
    ...(mtu !== undefined && { mtu: parseMtu(mtu, withIpv6) }),
    ...(options.gateway !== undefined && { gateway: Address.parse(options.gateway).toString() }),
    ...(options[PROPAGATED] !== undefined && { propagated: options[PROPAGATED] }),
  };
}

/** @throws NR_OPTION_UNKNOWN, NR_OPTION_INVALID */
export function parseIpamOptions(options: Readonly<Record<string, string>>): {
  tenant?: string;
  network?: string;
  /** As that of a network. */
  propagated?: string;
} {
  refuseUnknown('--ipam-opt', Object.keys(options), IPAM_OPTIONS, [...IPAM_OPTIONS, PROPAGATED]);
  return {
    ...(options.tenant !== undefined && { tenant: parseTenant(options.tenant) }),
    ...(options.network !== undefined && { network: parseNetworkName(options.network) }),
    ...(options[PROPAGATED] !== undefined && { propagated: options[PROPAGATED] }),
  };
}

/** What `driver-opt` of an endpoint says. */
export interface EndpointOptions {
  readonly aliases: readonly string[];
  readonly mtu?: number;
  readonly ingress?: readonly string[];
  readonly anycast: boolean;
}

/**
 * @throws NR_OPTION_UNKNOWN, NR_OPTION_CONFLICT, NR_OPTION_INVALID, NR_MTU_INVALID, NR_PREFIX_INVALID,
 * NR_ADDRESS_UNUSABLE
 */
export function parseEndpointOptions(
  given: Readonly<Record<string, string>>,
  withIpv6: boolean,
): EndpointOptions {
  // Without a prototype: the user's names may be any, `constructor` too.
  const options: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(given)) {
    const ours = LEGACY.get(name.toLowerCase()) ?? name;
    if (options[ours] !== undefined && options[ours] !== value) {
      throw new CodedError(
        'NR_OPTION_CONFLICT',
        `${ours} is given twice, as ${name} too, with different values`,
      );
    }
    options[ours] = value;
  }
  refuseUnknown('driver-opt', Object.keys(options), ENDPOINT_OPTIONS, ENDPOINT_OPTIONS);
  const anycast = options.anycast ?? 'false';
  if (anycast !== 'true' && anycast !== 'false') {
    throw new CodedError('NR_OPTION_INVALID', `anycast=${quote(anycast)} is neither true nor false`);
  }
  return {
    aliases: [...new Set(listOf(options['ip-aliases']).map(parseAlias))],
    ...(options.mtu !== undefined && { mtu: parseMtu(options.mtu, withIpv6) }),
    ...(options['ingress-allowed'] !== undefined && {
      ingress: [...new Set(listOf(options['ingress-allowed']).map(parseSource))],
    }),
    anycast: anycast === 'true',
  };
}

/** Whether Docker takes it for a network's name. */
export function isNetworkName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/.test(text);
}

function parseNetworkName(text: string): string {
  if (!isNetworkName(text))
    throw new CodedError('NR_OPTION_INVALID', `${quote(text)} is not a network's name`);
  return text;
}

/** A tenant's name: a letter or digit, then up to 63 of letters, digits, `-`, `_` and `.`. */
function parseTenant(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text)) {
    throw new CodedError('NR_OPTION_INVALID', `${quote(text)} is not a tenant's name`);
  }
  return text;
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** One address; a /32 or /128 behind it is allowed, as the replaced plugin wanted one. */
function parseAlias(text: string): string {
  const { address, length } = splitCidr(
    text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`,
  );
  if (!Prefix.around(address, length).isHost) {
    throw new CodedError('NR_OPTION_INVALID', `ip-aliases takes single addresses, not ${quote(text)}`);
  }
  const reserved = UNUSABLE.find((one) => one.contains(address));
  if (reserved) {
    const what = `the alias ${address} is of ${reserved}, which no endpoint can use`;
    throw new CodedError('NR_ADDRESS_UNUSABLE', what);
  }
  return address.toString();
}

/** An address, a prefix, or a range `A-B`, in canonical form. */
function parseSource(text: string): string {
  if (text.includes('/')) return Prefix.parse(text).toString();
  const [from = '', to, ...rest] = text.split('-').map((part) => part.trim());
  const first = Address.parse(from);
  if (to === undefined) return first.toString();
  const last = Address.parse(to);
  if (rest.length > 0 || first.family !== last.family || first.value > last.value) {
    throw new CodedError(
      'NR_OPTION_INVALID',
      `${quote(text)} is not a range from a lower to a higher address`,
    );
  }
  return first.equals(last) ? first.toString() : `${first}-${last}`;
}

function refuseUnknown(
  where: string,
  given: readonly string[],
  listed: readonly string[],
  known: readonly string[],
) {
  const unknown = given.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const names = unknown.map(quote).join(', ');
    throw new CodedError('NR_OPTION_UNKNOWN', `unknown ${where} ${names} (known: ${listed.join(', ')})`);
  }
}
