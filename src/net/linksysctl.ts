import type { Ifname } from './ifname.ts';

interface LinkSysctl {
  readonly kind: 'sysctl';
  readonly path: string;
  readonly value: string;
}

/**
 * The settings of the host's end of an endpoint's veth, by path below /proc/sys (Documentation/networking/ip-sysctl):
 * a loose reverse path
 * check whatever `all` says, as a container with several networks may answer through another than it was asked by
 * (the firewall admits a container's own addresses only, which is stricter than rp_filter); forwarding; ARP requests only from the gateway address so that the sandbox's ARP table
 * holds nothing else, no router advertisements from the sandbox; and, for one that publishes ports, its replies
 * to what the host asked of itself by 127.0.0.1.
 */
export function linkSysctls(name: Ifname, publishes = false): LinkSysctl[] {
  const four = `net/ipv4/conf/${name}`;
  const six = `net/ipv6/conf/${name}`;
  return [
    [`${four}/rp_filter`, '2'],
    [`${four}/forwarding`, '1'],
    [`${four}/arp_announce`, '2'],
    [`${four}/route_localnet`, publishes ? '1' : '0'],
    [`${six}/forwarding`, '1'],
    [`${six}/accept_ra`, '0'],
  ].map(([path, value]) => ({ kind: 'sysctl', path: path!, value: value! }));
}
