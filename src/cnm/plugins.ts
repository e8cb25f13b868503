import { join } from 'node:path';
import type { NetworkCalls } from '../driver/calls.ts';
import { createPluginServer, type PluginOptions, type PluginServer } from './server.ts';

export interface PluginsOptions extends Omit<PluginOptions, 'on' | 'network'> {
  readonly network: NetworkCalls;
  /** Where Docker looks for plugins; /run/docker/plugins when absent. */
  readonly folder?: string | undefined;
  /** Listening sockets that systemd passed, by driver name with or without `.sock`; the others are made. */
  readonly inherited?: ReadonlyMap<string, number> | undefined;
}

/** Docker finds a plugin by the name of its socket file. */
export const NETWORK_PLUGIN = 'net-routed';
export const IPAM_PLUGIN = 'ipam-routed';

/** Both of Docker's plugins: they start together or not at all. */
export function createPlugins(options: PluginsOptions): PluginServer {
  const { network, ...ipamOnly } = options;
  const servers = [
    createPluginServer({ ...options, on: place(NETWORK_PLUGIN, options) }),
    createPluginServer({ ...ipamOnly, on: place(IPAM_PLUGIN, options) }),
  ];
  return {
    async start() {
      const started: PluginServer[] = [];
      try {
        for (const server of servers) {
          await server.start();
          started.push(server);
        }
      } catch (error) {
        await Promise.all(started.map((server) => server.stop()));
        throw error;
      }
    },
    async stop(ms) {
      await Promise.all(servers.map((server) => server.stop(ms)));
    },
  };
}

function place(
  name: string,
  { folder = '/run/docker/plugins', inherited }: PluginsOptions,
): PluginOptions['on'] {
  const fd = inherited?.get(name) ?? inherited?.get(`${name}.sock`);
  return fd === undefined ? { path: join(folder, `${name}.sock`) } : { fd };
}
