import type { Command } from 'commander';
import type { z } from 'zod';
import {
  endpointsView,
  endpointView,
  networksView,
  networkView,
  peersView,
  poolsView,
  routesView,
  statusView,
} from '../api/views.ts';
import { asking, askingOf, show } from './command.ts';
import { renderEndpoint, renderEndpoints } from './show/endpoints.ts';
import { renderNetwork, renderNetworks } from './show/networks.ts';
import { renderPeers } from './show/peers.ts';
import { renderPools } from './show/pools.ts';
import { renderRoutes } from './show/routes.ts';
import { renderStatus } from './show/status.ts';

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

  const networks = group(program, 'networks', 'network', 'networks of this host');
  view(list(networks, 'networks'), {
    view: networksView,
    render: ({ networks: all }) => renderNetworks(all),
    path: () => '/v1/networks',
  });
  view(one(networks, 'a network: its id, the beginning of it, or its name'), {
    view: networkView,
    render: renderNetwork,
    path: (id) => `/v1/networks/${encodeURIComponent(id)}`,
  });

  const endpoints = group(program, 'endpoints', 'endpoint', 'endpoints of this host: containers in networks');
  view(list(endpoints, 'endpoints'), {
    view: endpointsView,
    render: ({ endpoints: all }) => renderEndpoints(all),
    path: () => '/v1/endpoints',
  });
  view(
    one(endpoints, 'an endpoint: its id, the beginning of it, an address of it, its interface or container'),
    {
      view: endpointView,
      render: renderEndpoint,
      path: (id) => `/v1/endpoints/${encodeURIComponent(id)}`,
    },
  );

  const pools = group(program, 'pools', 'pool', 'subnets that addresses are given from');
  view(list(pools, 'pools'), {
    view: poolsView,
    render: ({ pools: all }) => renderPools(all),
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

  const peers = group(program, 'peers', 'peer', 'BGP neighbours');
  view(list(peers, 'peers'), { view: peersView, render: renderPeers, path: () => '/v1/peers' });
}

function group(program: Command, name: string, alias: string, summary: string): Command {
  return program
    .command(name)
    .alias(alias)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`);
}

function list(parent: Command, what: string): Command {
  return parent.command('list', { isDefault: true }).alias('ls').summary(`list ${what} (the default)`);
}

function one(parent: Command, argument: string): Command {
  return parent.command('show').alias('inspect').summary('show one in detail').argument('<ID>', argument);
}

function view<T>(command: Command, { view: schema, render, path }: Viewing<T>): void {
  asking(command).action(async () => {
    const [id = ''] = command.args;
    await show(askingOf(command), path(id, command.opts()), schema, render);
  });
}
