import type { HostView } from '../../api/views.ts';
import { isGone } from '../../model/gone.ts';
import { placeText } from '../../net/place.ts';
import { duration, short, table } from '../table.ts';

/** Clocks that differ by less are not worth a word, in seconds. */
const OFFSET = 1;

export function renderHosts(hosts: readonly HostView[]): string {
  if (hosts.length === 0) return 'no hosts: this one is in no cluster';
  return table(
    ['HOST', 'ID', 'STATE', 'ADDRESS', 'HEARD', 'LINK', 'KEY', 'CHUNKS', 'CLOCK', 'NOTE'],
    hosts.map((host) => [
      host.name,
      short(host.id),
      host.state,
      host.address === undefined ? '' : placeText({ address: host.address, port: host.port ?? 0 }),
      heard(host),
      host.linked ? 'yes' : '',
      host.holdsKey ? 'yes' : '',
      host.chunks === 0 ? '' : String(host.chunks),
      offset(host.clockOffset),
      note(host),
    ]),
  );
}

function heard({ self, heard: seconds }: HostView): string {
  if (self) return 'this host';
  return seconds === undefined ? '' : `${duration(seconds)} ago`;
}

function offset(seconds: number | undefined): string {
  if (seconds === undefined || Math.abs(seconds) < OFFSET) return '';
  return `${seconds > 0 ? '+' : '-'}${duration(Math.abs(seconds))}`;
}

function note(host: HostView): string {
  const { trouble, blocking, udpBlocked, banned, returnedAs } = host;
  if (isGone(host)) {
    if (returnedAs !== undefined) return `came back as ${short(returnedAs)}`;
    return banned ? 'banned' : '';
  }
  const udp = udpBlocked ? 'no UDP from it' : undefined;
  return [trouble, udp, blocking ? 'keeps removed records' : undefined]
    .filter((one) => one !== undefined)
    .join('; ');
}
