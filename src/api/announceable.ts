import { Address } from '../net/address.ts';
import type { HostView } from '../plan/endpoint.ts';

/** Why an endpoint's address is not announced by this host, and shall not be; undefined for one that shall. */
export function unannounceable(text: string, host: HostView): string | undefined {
  const address = Address.parse(text);
  if (!host.exportable.some((prefix) => prefix.contains(address)))
    return 'not announced: outside of the pools';
  const nextHop = address.family === 4 ? host.address : host.addressV6;
  return nextHop === undefined ? `not announced: the host has no IPv${address.family} address` : undefined;
}
