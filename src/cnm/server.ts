import type { Server as HttpServer } from 'node:http';
import hapi, { type Server } from '@hapi/hapi';
import type { Logger } from 'pino';
import type { AddressCalls, NetworkCalls } from '../driver/calls.ts';
import { listenOnFd, listenOnPath } from '../http/listen.ts';
import { MAX_BODY } from './body.ts';
import { ipamMethods } from './ipam.ts';
import { createListener, onClientError, type Patience } from './listener.ts';
import { plain } from './method.ts';
import { networkMethods } from './network.ts';
import { refuse } from './refuse.ts';
import type { CallMetrics } from './report.ts';
import { serve } from './serve.ts';

export interface PluginOptions {
  /** Where to listen: a socket file, or a listening socket that systemd passed. */
  readonly on: { readonly path: string } | { readonly fd: number };
  /** The network driver; without it the server is an IPAM driver only. */
  readonly network?: NetworkCalls | undefined;
  readonly address: AddressCalls;
  /** A dockerd uses the network driver for the first time in its life: what an earlier one was making is left as it is. */
  readonly activated?: (() => void) | undefined;
  readonly log: Logger;
  /** Longest time that a call may take, in milliseconds; 10000 when absent. */
  readonly deadlineMs?: number | undefined;
  readonly metrics?: CallMetrics | undefined;
  readonly patience?: Patience | undefined;
}

/** A started-or-not server of Docker's plugin API. */
export interface PluginServer {
  /** @throws NR_SOCKET_IN_USE */
  start(): Promise<void>;
  /** Lets calls in progress end, up to `ms` milliseconds (5000 when absent), and removes the socket file. */
  stop(ms?: number): Promise<void>;
}

/** A server of Docker's plugin API (v1) on a unix socket. */
export function createPluginServer(options: PluginOptions): PluginServer {
  const listener = createListener(options.patience ?? { headersMs: 30_000, requestMs: 60_000 });
  const server = createHapi(listener, options);
  return {
    async start() {
      await server.initialize();
      await ('fd' in options.on
        ? listenOnFd(listener, options.on.fd)
        : listenOnPath(listener, options.on.path));
      await server.start();
      options.log.info({ ...options.on }, 'serves the Docker plugin API');
    },
    async stop(ms = 5000) {
      await server.stop({ timeout: ms });
    },
  };
}

function createHapi(listener: HttpServer, options: PluginOptions): Server {
  const server = hapi.server({
    listener,
    autoListen: false,
    compression: false,
    debug: false,
    routes: {
      // Docker sends no Content-Type, and a person with curl the wrong one: the body is JSON always.
      payload: { output: 'stream', parse: false, maxBytes: MAX_BODY, timeout: false },
      state: { parse: false, failAction: 'ignore' },
      cache: false,
    },
  });
  // hapi's own handler would close idle connections and answers no JSON.
  listener.removeAllListeners('clientError');
  listener.on('clientError', onClientError);

  const methods = [
    plain('Plugin.Activate', () => {
      if (options.network) options.activated?.();
      return { Implements: options.network ? ['NetworkDriver', 'IpamDriver'] : ['IpamDriver'] };
    }),
    ...(options.network ? networkMethods(options.network) : []),
    ...ipamMethods(options.address),
  ];
  const paths = new Set(methods.map(({ name }) => `/${name}`));
  const settings = { ...options, deadlineMs: options.deadlineMs ?? 10_000 };
  for (const method of methods) {
    server.route({ method: 'POST', path: `/${method.name}`, handler: serve(method, settings) });
  }
  server.ext('onPreResponse', (request, h) => {
    const { response } = request;
    if (!('isBoom' in response) || !response.isBoom) return h.continue;
    return refuse(request, h, response, paths, options);
  });
  return server;
}
