import { readFileSync } from 'node:fs';
import type { Repaired } from './check.ts';
import { dotted, type Sysctls } from './sysctl.ts';

const IPV4 = 'net/ipv4/ip_forward';
const IPV6 = 'net/ipv6/conf/all/forwarding';
/** Route flag of the kernel: learned from a router advertisement (RTF_ADDRCONF, ipv6_route.h). */
const ADDRCONF = 0x40000;

/**
 * Makes the host forward packets: every host is a router. IPv6 stays as it is where the host has its own default
 * route from router advertisements that the kernel would then no longer accept (user-visible loss of IPv6). What was
 * done is in the words of sysctl(8).
 */
export function enableForwarding(
  settings: Sysctls,
  defaultsByRa: readonly string[] = raDefaults(),
): Repaired {
  const done: string[] = [];
  const left: string[] = [];
  const enable = (path: string) => {
    if (settings.read(path) !== '0') return;
    try {
      settings.write(path, '1');
      done.push(`${dotted(path)}=1`);
    } catch (error) {
      left.push(`${dotted(path)}=1: ${(error as Error).message}`);
    }
  };
  enable(IPV4);
  const losing = defaultsByRa.filter((link) => losesDefault(settings, link));
  if (settings.read(IPV6) !== '0') return { done, left };
  if (losing.length === 0) enable(IPV6);
  else
    left.push(
      `${dotted(IPV6)}=1: ${losing.join(', ')} would lose its default route; set its accept_ra to 2 first`,
    );
  return { done, left };
}

/** Whether the link takes router advertisements only as long as the host does not forward. */
export function losesDefault(settings: Sysctls, link: string): boolean {
  return settings.read(`net/ipv6/conf/${link}/accept_ra`) === '1';
}

/** Links through which the kernel itself took an IPv6 default route from router advertisements. */
export function raDefaults(text = readOrEmpty('/proc/net/ipv6_route')): string[] {
  const links = new Set<string>();
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const [destination = '', length, flags = '0', link = ''] = [fields[0], fields[1], fields[8], fields[9]];
    if (length === '00' && /^0+$/.test(destination) && (Number.parseInt(flags, 16) & ADDRCONF) !== 0)
      links.add(link);
  }
  return [...links];
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a kernel without IPv6
  }
}
