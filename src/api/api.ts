import type { Request, ResponseObject, ResponseToolkit } from '@hapi/hapi';
import type { Services } from '../driver/services.ts';
import { CodedError } from '../errors.ts';
import { diagnose } from './doctor/diagnose.ts';
import { repair } from './doctor/repair.ts';
import { showEndpoints } from './endpoints.ts';
import { checkHealth } from './health.ts';
import { type Keys, lookUp, lookUpAll } from './lookup.ts';
import type { Metrics } from './metrics.ts';
import { type Known, Names } from './names.ts';
import { showNetworks } from './networks.ts';
import { showPeers } from './peers.ts';
import { showPools } from './pools.ts';
import type { Pulse } from './pulse.ts';
import { showRoutes, within } from './routes.ts';
import { showStatus } from './status.ts';
import type { EndpointView, NetworkView } from './views.ts';

export interface ApiParts {
  readonly services: Services;
  readonly pulse: Pulse;
  readonly metrics: Metrics;
}

export interface ApiRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handler: (request: Request, h: ResponseToolkit) => Promise<object>;
}

/** What the operator API serves. Every handler is bounded in time; its errors are coded. */
export function routesOf({ services, pulse, metrics }: ApiParts): ApiRoute[] {
  const names = new Names(services.docker, services.clock);
  const get = (path: string, handler: ApiRoute['handler']): ApiRoute => ({ method: 'GET', path, handler });
  const endpoints = (known: Known) => showEndpoints(services, pulse.failures(), known);
  const networks = (known: Known) => showNetworks(services, known);
  return [
    get('/v1/status', async () => showStatus(services, pulse, await names.known())),
    get('/v1/networks', async () => ({ networks: await networks(await names.known()) })),
    get('/v1/networks/{id}', async (request) =>
      names.found(async (known) =>
        lookUp(idOf(request), await networks(known), networkKeys, 'NR_NETWORK_UNKNOWN'),
      ),
    ),
    get('/v1/endpoints', async (request) => {
      const name = queryOf(request, 'name');
      const named = (known: Known) =>
        name === undefined
          ? endpoints(known)
          : lookUpAll(name, endpoints(known), endpointKeys, 'NR_ENDPOINT_UNKNOWN');
      return { endpoints: await names.found(named) };
    }),
    get('/v1/endpoints/{id}', async (request) =>
      names.found((known) => lookUp(idOf(request), endpoints(known), endpointKeys, 'NR_ENDPOINT_UNKNOWN')),
    ),
    get('/v1/pools', async () => ({ pools: await showPools(services, await names.known()) })),
    get('/v1/peers', async () => showPeers(services)),
    get('/v1/routes', async (request) => {
      const prefix = prefixOf(request);
      const shown = await showRoutes(services, await names.known());
      return prefix === undefined
        ? shown
        : { ...shown, routes: shown.routes.filter((one) => within(one.prefix, prefix)) };
    }),
    get('/v1/doctor', async () => diagnose(services, pulse)),
    { method: 'POST', path: '/v1/doctor/fix', handler: async () => repair(services, pulse) },
    get('/health', async (_request, h) => {
      const health = await checkHealth(services, pulse);
      return h.response(health).code(health.status === 'failing' ? 503 : 200);
    }),
    get(
      '/metrics',
      async (_request, h): Promise<ResponseObject> =>
        h.response(await metrics.render(services, pulse)).type(metrics.contentType),
    ),
  ];
}

function networkKeys({ id, name }: NetworkView): Keys {
  return { ids: [id], names: [name], ...(name !== undefined && { label: name }) };
}

function endpointKeys({ id, interface: link, container, network, addresses }: EndpointView): Keys {
  return {
    ids: container ? [id, container.id] : [id],
    names: [link, container?.name, ...addresses.map(({ address }) => address)],
    ...(container?.name !== undefined && {
      label: `${container.name} in ${network.name ?? network.id.slice(0, 12)}`,
    }),
  };
}

function idOf(request: Request): string {
  return String(request.params.id);
}

/** @throws NR_ADDRESS_INVALID, NR_PREFIX_INVALID, NR_QUERY_INVALID */
function prefixOf(request: Request): string | undefined {
  const prefix = queryOf(request, 'prefix');
  if (prefix !== undefined) within('0.0.0.0/0', prefix); // refused before anything is read
  return prefix;
}

/** The one parameter that a path takes. @throws NR_QUERY_INVALID */
function queryOf(request: Request, name: string): string | undefined {
  const { [name]: value, ...others } = request.query as Record<string, unknown>;
  const unknown = Object.keys(others);
  if (unknown.length > 0)
    throw new CodedError('NR_QUERY_INVALID', `unknown query parameter: ${unknown.join(', ')}`);
  if (value === undefined || typeof value === 'string') return value;
  throw new CodedError('NR_QUERY_INVALID', `${name} is given twice`);
}
