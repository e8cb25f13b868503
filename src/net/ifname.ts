import { CodedError } from '../errors.ts';
import { quote } from './address.ts';

/**
 * A Linux interface name: 1 to 15 bytes, none of them white space, a slash or a colon (dev_valid_name), and neither of
 * the two names that sysctl has for all interfaces (sysctl_dev_name_is_allowed).
 */
export type Ifname = string & { readonly brand: 'Ifname' };

/** @throws NR_CONFIG_INVALID for what the kernel, or a batch file of iproute2, could not take as a name. */
export function parseIfname(text: string): Ifname {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(text) || text === 'all' || text === 'default') {
    throw new CodedError('NR_CONFIG_INVALID', `${quote(text)} is not an interface name`);
  }
  return text as Ifname;
}

/** Names of the veth pair of an endpoint: the host's end, and the one that Docker moves into the sandbox. */
export function vethNames(endpointId: string): { host: Ifname; peer: Ifname } {
  const host = `nr${endpointId.slice(0, 10)}`;
  return { host: parseIfname(host), peer: parseIfname(`${host}c`) };
}
