import type { CheckView } from '../views.ts';
import { counted } from '../words.ts';
import { fail, ok, warn } from './check.ts';
import { losesDefault } from './forwarding.ts';
import { dotted, type Sysctls } from './sysctl.ts';

/** The kernel's settings that routing depends on. `endpoints`: how many there are on this host. */
export function checkSettings(
  settings: Sysctls,
  endpoints: number,
  defaultsByRa: readonly string[],
): CheckView[] {
  return [
    forwarding('IPv4 forwarding', settings, 'net/ipv4/ip_forward'),
    ...ipv6(settings),
    reversePath(settings),
    ...([4, 6] as const).flatMap((family) => neighbours(settings, family, endpoints)),
    ...advertisements(settings, defaultsByRa),
  ];
}

function forwarding(name: string, settings: Sysctls, path: string): CheckView {
  const value = settings.read(path);
  if (value !== undefined && value !== '0') return ok(name, `${dotted(path)}=${value}`);
  const remedy = `net-routed doctor --fix, or sysctl -w ${dotted(path)}=1`;
  return fail(name, `${dotted(path)}=${value ?? 'absent'}: the host does not route`, remedy);
}

function ipv6(settings: Sysctls): CheckView[] {
  const disabled = settings.read('net/ipv6/conf/all/disable_ipv6');
  if (disabled === '0') return [forwarding('IPv6 forwarding', settings, 'net/ipv6/conf/all/forwarding')];
  const what = disabled === undefined ? 'the kernel has no IPv6' : 'net.ipv6.conf.all.disable_ipv6=1';
  return [warn('IPv6', what, 'use IPv4 networks only, or switch IPv6 on')];
}

function reversePath(settings: Sysctls): CheckView {
  const path = 'net/ipv4/conf/all/rp_filter';
  const value = settings.read(path);
  if (value !== '1') return ok('reverse path filter', `${dotted(path)}=${value ?? 'absent'}`);
  return warn(
    'reverse path filter',
    `${dotted(path)}=1 drops packets that come in by another uplink than answers leave by`,
    `sysctl -w ${dotted(path)}=2 where the host has several uplinks`,
  );
}

/** A neighbour entry for each endpoint, and others' besides, must fit below the kernel's hard limit. */
function neighbours(settings: Sysctls, family: 4 | 6, endpoints: number): CheckView[] {
  const path = `net/ipv${family}/neigh/default/gc_thresh3`;
  const limit = Number(settings.read(path));
  if (Number.isNaN(limit)) return []; // only the host's first network namespace has it
  const name = `IPv${family} neighbours`;
  const there = counted(endpoints, 'endpoint');
  if (endpoints * 2 <= limit) return [ok(name, `${dotted(path)}=${limit} for ${there}`)];
  const what = `${dotted(path)}=${limit} is little for ${there}`;
  const remedy = `sysctl -w ${dotted(path)}=${endpoints * 4}, and gc_thresh2 to half of that`;
  return [endpoints < limit ? warn(name, what, remedy) : fail(name, what, remedy)];
}

function advertisements(settings: Sysctls, defaultsByRa: readonly string[]): CheckView[] {
  const forwards = settings.read('net/ipv6/conf/all/forwarding') !== '0';
  return defaultsByRa
    .filter((link) => losesDefault(settings, link))
    .map((link) =>
      warn(
        `router advertisements on ${link}`,
        forwards
          ? `${link} ignores them since the host forwards IPv6: its default route will expire`
          : `the default route of ${link} comes from them, which forced IPv6 forwarding to stay off`,
        `sysctl -w net.ipv6.conf.${link}.accept_ra=2, then net-routed doctor --fix`,
      ),
    );
}
