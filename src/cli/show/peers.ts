import type { PeersView } from '../../api/views.ts';
import { duration, table } from '../table.ts';
import { renderProblems } from './routes.ts';

export function renderPeers({ peers, problems }: PeersView): string {
  const parts = [
    peers.length === 0
      ? 'no peers'
      : table(
          [
            'PEER',
            'ORIGIN',
            'HOST',
            'AS',
            'STATE',
            'FOR',
            'ROUTER ID',
            'RECEIVED',
            'ACCEPTED',
            'ADVERTISED',
            'REASON',
          ],
          peers.map((peer) => [
            peer.neighbour,
            peer.origin ?? '',
            peer.host ?? '',
            peer.as === undefined ? '' : String(peer.as),
            peer.state,
            peer.state === 'established' ? duration(peer.uptime) : '',
            peer.routerId ?? '',
            String(peer.received),
            String(peer.accepted),
            String(peer.advertised),
            peer.reason ?? '',
          ]),
        ),
    renderProblems(problems),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}
