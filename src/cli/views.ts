import type { Command } from 'commander';
import type { z } from 'zod';
import {
  endpointsView,
  hostsView,
  networksView,
  networkView,
  peersView,
  poolsView,
  routesView,
  statusView,
} from '../api/views.ts';
import { CodedError } from '../errors.ts';
import { asking, askingOf, show } from './command.ts';
import { renderEndpoint, renderEndpoints } from './show/endpoints.ts';
import { renderHosts } from './show/hosts.ts';
import { renderNetwork, renderNetworks } from './show/networks.ts';
import { renderPeers } from './show/peers.ts';
import { renderPoolsOfHosts } from './show/pools.ts';
import { renderRoutes } from './show/routes.ts';
import { renderStatus } from './show/status.ts';
import { unexpected } from './usage.ts';

/** One command that asks for one view. */
interface Viewing<T> {
  readonly view: z.ZodType<T>;
  readonly render: (shown: T) => string;
  readonly path: (id: string, options: Readonly<Record<string, unknown>>) => string;
}

/** The commands that only look. */
export function addViews(program: Command): void {
  const status = program.command('status').summary('how this host is, and what to look at first');
  view(status, { view: statusView, render: renderStatus, path: () => '/v1/status' });

  const networks = group(
    program,
    'networks',
    'network',
    'networks of this host, and of the others of its cluster',
    'docker network create and docker network rm make and remove them.',
  );
  view(list(networks, 'networks'), {
    view: networksView,
    render: ({ networks: all }) => renderNetworks(all),
    path: () => '/v1/networks',
  });
  view(one(networks, 'network', 'its id, the beginning of it, or its name'), {
    view: networkView,
    render: renderNetwork,
    path: (id) => `/v1/networks/${encodeURIComponent(id)}`,
  });

  const endpoints = group(
    program,
    'endpoints',
    'endpoint',
    'endpoints: containers in networks, on this host or on all',
    'A container has one in each of its networks.',
  );
  view(list(endpoints, 'endpoints').option('--all', 'those of the other hosts, too'), {
    view: endpointsView,
    render: ({ endpoints: here, elsewhere }) => renderEndpoints(here, elsewhere),
    path: (_id, { all }) => (all === true ? '/v1/endpoints?all=yes' : '/v1/endpoints'),
  });
  view(
    one(
      endpoints,
      'endpoint',
      'the container, its id or the beginning of it; or an id, address or interface',
    ),
    {
      view: endpointsView,
      render: ({ endpoints: all }) => all.map(renderEndpoint).join('\n\n'),
      path: (name) => `/v1/endpoints?name=${encodeURIComponent(name)}`,
    },
  );

  const pools = group(program, 'pools', 'pool', 'subnets that addresses are given from');
  view(list(pools, 'pools'), {
    view: poolsView,
    render: ({ pools: all }) => renderPoolsOfHosts(all),
    path: () => '/v1/pools',
  });

  const routes = group(program, 'routes', 'route', 'routes as wanted, in the kernel, announced and learned');
  view(
    list(routes, 'routes').option('--prefix <PREFIX>', 'only those within, or around, a prefix or address'),
    {
      view: routesView,
      render: renderRoutes,
      path: (_id, { prefix }) =>
        prefix === undefined ? '/v1/routes' : `/v1/routes?prefix=${encodeURIComponent(String(prefix))}`,
    },
  );

  const hosts = group(program, 'hosts', 'host', 'hosts of the cluster');
  view(list(hosts, 'hosts').option('--all', 'those that have left or come back under another id, too'), {
    view: hostsView,
    render: ({ hosts: all }) => renderHosts(all),
    path: (_id, { all }) => (all === true ? '/v1/hosts?all=yes' : '/v1/hosts'),
  });

  const peers = group(program, 'peers', 'peer', 'BGP neighbours');
  view(list(peers, 'peers'), { view: peersView, render: renderPeers, path: () => '/v1/peers' });
}

/** A noun with its verbs; `note` follows the summary in its help. */
function group(program: Command, name: string, alias: string, summary: string, note = ''): Command {
  const parent = program
    .command(name)
    .alias(alias)
    .summary(summary)
    .description(`${sentence(summary)} ${note}`.trim());
  return parent.addHelpText('after', () => {
    const [, options = ''] = parent.commands[0]!.helpInformation().split(/^Options:\n/m);
    return `\nOptions of list, the default:\n${options}`.trimEnd();
  });
}

function list(parent: Command, what: string): Command {
  return parent
    .command('list', { isDefault: true })
    .alias('ls')
    .summary(`list ${what} (the default)`)
    .description(`Lists ${what}.`)
    .allowExcessArguments();
}

function one(parent: Command, what: string, by: string): Command {
  return parent
    .command('show')
    .alias('inspect')
    .summary('show one in detail')
    .description(`Shows ${what === 'endpoint' ? 'an' : 'a'} ${what} in detail.`)
    .argument('<NAME>', by, (text: string) => {
      if (text === '') throw new CodedError('NR_USAGE', 'an id or a name is expected');
      return text;
    });
}

function view<T>(command: Command, { view: schema, render, path }: Viewing<T>): void {
  if (command.description() === '') command.description(sentence(command.summary()));
  asking(command).action(async () => {
    const words = command.args;
    if (words.length > command.registeredArguments.length) throw unexpected(command, words);
    await show(askingOf(command), path(words[0] ?? '', command.opts()), schema, render);
  });
}

function sentence(summary: string): string {
  return `${summary[0]!.toUpperCase()}${summary.slice(1)}.`;
}
