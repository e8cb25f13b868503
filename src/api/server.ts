import { createServer } from 'node:http';
import hapi, { type Server } from '@hapi/hapi';
import { listenOnPath } from '../http/listen.ts';
import { type ApiParts, routesOf } from './api.ts';
import { refuse } from './refuse.ts';

/** Most bytes of a request's body. */
const BODY_MAX = 64 * 1024;

/** A started-or-not server of the operator API. */
export interface ApiServer {
  /** For requests without a socket: tests. */
  readonly hapi: Server;
  /** @throws NR_SOCKET_IN_USE */
  start(): Promise<void>;
  /** Lets requests in progress end, up to `ms` milliseconds (2000 when absent), and removes the socket file. */
  stop(ms?: number): Promise<void>;
}

/** The operator API on a unix socket: whoever may open it may see and do everything. */
export function createApi(parts: ApiParts, path: string): ApiServer {
  const listener = createServer({ requireHostHeader: false });
  const server = hapi.server({
    listener,
    autoListen: false,
    compression: false,
    debug: false,
    routes: {
      // A person with curl sends another content type, and means JSON all the same.
      payload: { maxBytes: BODY_MAX, override: 'application/json' },
      state: { parse: false, failAction: 'ignore' },
      cache: false,
    },
  });
  const routes = routesOf(parts);
  for (const { method, path: where, handler } of routes) server.route({ method, path: where, handler });
  server.ext('onPreResponse', (request, h) => {
    const { response } = request;
    return 'isBoom' in response && response.isBoom ? refuse(request, h, response, routes) : h.continue;
  });
  return {
    hapi: server,
    async start() {
      await server.initialize();
      await listenOnPath(listener, path);
      await server.start();
      parts.log.info({ path }, 'serves the operator API');
    },
    async stop(ms = 2000) {
      await server.stop({ timeout: ms });
    },
  };
}
