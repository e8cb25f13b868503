import type { StatusView } from '../../api/views.ts';
import { counted } from '../../api/words.ts';
import { duration, facts, table } from '../table.ts';
import { renderCluster } from './cluster.ts';
import { renderPools } from './pools.ts';

export function renderStatus(status: StatusView): string {
  const { host, engine, peers, endpoints, routes, loop, paths } = status;
  const uplink = host.uplink === undefined ? '' : `${host.uplink}, `;
  const addresses =
    [host.address, host.addressV6].filter((one) => one !== undefined).join(' and ') || 'no address';
  const parts = [
    `net-routed ${status.version}, up ${duration(status.uptime)}`,
    attention(status),
    facts([
      ['host', `${addresses} (${uplink}MTU ${host.mtu}), ${identity(host)}`],
      [
        'engine',
        `${[engine.name, engine.version].join(' ').trim()} ${engine.up ? 'up' : `down${because(engine.reason)}`}`,
      ],
      ['cluster', renderCluster(status.cluster)],
      ['peers', `${peers.established} of ${peers.total} established`],
      ['networks', String(status.networks)],
      ['endpoints', `${endpoints.up} of ${endpoints.total} up`],
      ['routes', `${routes.announced} announced, ${routes.learned} learned`],
      ['loop', `${loop.live ? 'live' : 'hangs'}, ${passes(loop)} took ${loop.lastPassMs} ms`],
      ['store', paths.store],
      ['plugins', paths.pluginDir],
      ['log', status.log],
    ]),
    failures(status),
    status.pools.length === 0 ? '' : renderPools(status.pools),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function passes({ passes: count }: StatusView['loop']): string {
  return `${counted(count, 'pass', 'passes')}, ${count === 1 ? 'it' : 'the last'}`;
}

function identity({ routerId, as }: StatusView['host']): string {
  return routerId === undefined ? 'no router id yet' : `router id ${routerId}, AS ${as}`;
}

function attention({ attention: list }: StatusView): string {
  if (list.length === 0) return 'all is well';
  return ['look at first:', ...list.map(({ what, remedy }) => `  ${what}; ${remedy}`)].join('\n');
}

function failures({ failures: list }: StatusView): string {
  if (list.length === 0) return '';
  return table(
    ['FAILURE', 'FOR', 'TRIES', 'ERROR'],
    list.map((one) => [
      `${one.lane}: ${one.key}`,
      duration(one.seconds),
      String(one.count),
      `${one.code}: ${one.what}; ${one.remedy}`,
    ]),
  );
}

function because(reason: string | undefined): string {
  return reason === undefined ? '' : `: ${reason}`;
}
