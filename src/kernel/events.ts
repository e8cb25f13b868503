import { Address } from '../net/address.ts';
import { type KernelEvent, ROUTE_PROTOCOL } from '../ports/kernel.ts';

/**
 * A line of `ip -N -o monitor label link address route`; undefined for what tells nothing. It is not printed as JSON
 * (iproute2 6.1: `-j monitor` prints text all the same).
 */
export function parseEvent(line: string): KernelEvent | undefined {
  // ENOBUFS: the kernel had more to tell than the socket could hold (lib/libnetlink.c, rtnl_listen).
  if (line.includes('netlink receive error') || line.includes('No buffer space')) return { kind: 'overrun' };
  const match = /^\[(LINK|ADDR|ROUTE)\](Deleted )?(.*)$/.exec(line);
  if (!match) return undefined;
  const [, label, deleted, rest = ''] = match;
  const gone = deleted !== undefined;
  if (label === 'ROUTE') return parseRouteEvent(rest, gone);
  const name = /^\d+: ([^\s@]+)/.exec(rest)?.[1]?.replace(/:$/, '');
  if (name === undefined) return undefined;
  return label === 'LINK' ? { kind: 'link', name, gone } : { kind: 'address', link: name };
}

/** Table of what the host itself has, by number and name (rtnetlink(7)): not ways to anybody. */
const LOCAL = ['255', 'local'];

function parseRouteEvent(text: string, gone: boolean): KernelEvent | undefined {
  const words = text.trim().split(/\s+/);
  // The type comes first unless it is unicast, by number or name.
  const first = words[0] ?? '';
  const dst = /^(\d+|[a-z]{4,})$/.test(first) && first !== 'default' ? (words[1] ?? '') : first;
  const own = words[words.indexOf('proto') + 1] === String(ROUTE_PROTOCOL) && words.includes('proto');
  if (dst === 'default') {
    return { kind: 'route', prefix: words.includes('pref') ? '::/0' : '0.0.0.0/0', gone };
  }
  const [host = '', length] = dst.split('/');
  const address = Address.tryParse(host);
  if (!address) return undefined;
  const prefix = `${address}/${length ?? (address.family === 4 ? 32 : 128)}`;
  if (own) return { kind: 'route', prefix, gone };
  const local = words.includes('table') && LOCAL.includes(words[words.indexOf('table') + 1] ?? '');
  return local ? undefined : { kind: 'foreign-route', prefix, gone };
}
