import type { Request, ResponseObject, ResponseToolkit } from '@hapi/hapi';
import type { Current } from '../driver/current.ts';
import type { Services } from '../driver/services.ts';
import { asCoded, CodedError } from '../errors.ts';
import { quote } from '../net/address.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker } from '../ports/docker.ts';
import type { Log } from '../ports/log.ts';
import { diagnose } from './doctor/diagnose.ts';
import { repair } from './doctor/repair.ts';
import { hostOf, showElsewhere } from './elsewhere.ts';
import { showEndpoints } from './endpoints.ts';
import { checkHealth } from './health.ts';
import { type Member, memberRoutes } from './joining.ts';
import { type Keys, lookUp, lookUpAll } from './lookup.ts';
import type { Metrics } from './metrics.ts';
import { type Known, Names } from './names.ts';
import { findNetwork, showNetworks } from './networks.ts';
import { showPeers } from './peers.ts';
import { showPools } from './pools.ts';
import type { Pulse } from './pulse.ts';
import { queryOf } from './query.ts';
import { showRoutes, within } from './routes.ts';
import { showStatus } from './status.ts';
import type { EndpointView } from './views.ts';

/** What is shown and may be replaced by another: the parts that stand on the store. */
export interface Shown {
  readonly services: Services;
  readonly pulse: Pulse;
}

export interface ApiParts {
  readonly current: Current<Shown>;
  readonly membership: Member;
  readonly metrics: Metrics;
  readonly docker: Docker;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ApiRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handler: (request: Request, h: ResponseToolkit) => Promise<object>;
}

/** How long a request waits while the parts are replaced, in milliseconds. */
const WAIT_MS = 10_000;

/** What the operator API serves. Every handler is bounded in time; its errors are coded. */
export function routesOf({ current, membership, metrics, docker, clock }: ApiParts): ApiRoute[] {
  const names = new Names(docker, clock);
  type Handler = (shown: Shown, request: Request, h: ResponseToolkit) => Promise<object>;
  const get = (path: string, handler: Handler, method: ApiRoute['method'] = 'GET'): ApiRoute => ({
    method,
    path,
    handler: (request, h) => current.use(WAIT_MS, (shown) => handler(shown, request, h)),
  });
  const endpoints = ({ services, pulse }: Shown, known: Known) =>
    showEndpoints(services, pulse.failures(), known);
  const networks = ({ services }: Shown, known: Known) => showNetworks(services, known);
  return [
    ...memberRoutes(membership, clock),
    get('/v1/status', async ({ services, pulse }) => showStatus(services, pulse, await names.known())),
    get('/v1/networks', async (shown) => ({ networks: await networks(shown, await names.known()) })),
    get('/v1/networks/{id}', async (shown, request) =>
      names.found(async (known) => findNetwork(idOf(request), await networks(shown, known))),
    ),
    get('/v1/endpoints', async (shown, request) => {
      const name = queryOf(request, 'name', 'all');
      const named = (known: Known) =>
        name === undefined
          ? endpoints(shown, known)
          : lookUpAll(name, endpoints(shown, known), endpointKeys, 'NR_ENDPOINT_UNKNOWN');
      const here = await names.found(named).catch(async (error: unknown) => {
        throw asCoded(error).code === 'NR_ENDPOINT_UNKNOWN' && name !== undefined
          ? notHere(name, await hostOf(shown.services, name))
          : error;
      });
      if (queryOf(request, 'all', 'name') === undefined) return { endpoints: here };
      return { endpoints: here, elsewhere: await showElsewhere(shown.services) };
    }),
    get('/v1/endpoints/{id}', async (shown, request) =>
      names.found((known) =>
        lookUp(idOf(request), endpoints(shown, known), endpointKeys, 'NR_ENDPOINT_UNKNOWN'),
      ),
    ),
    get('/v1/pools', async ({ services }) => ({ pools: await showPools(services, await names.known()) })),
    get('/v1/store', async ({ services }) => ({ origins: await services.storeDigest() })),
    get('/v1/peers', async ({ services }) => showPeers(services)),
    get('/v1/routes', async ({ services }, request) => {
      const prefix = prefixOf(request);
      const shown = await showRoutes(services, await names.known());
      return prefix === undefined
        ? shown
        : { ...shown, routes: shown.routes.filter((one) => within(one.prefix, prefix)) };
    }),
    get('/v1/doctor', async ({ services, pulse }) => diagnose(services, pulse)),
    get('/v1/doctor/fix', async ({ services, pulse }) => repair(services, pulse), 'POST'),
    get('/health', async ({ services, pulse }, _request, h) => {
      const health = await checkHealth(services, pulse);
      return h.response(health).code(health.status === 'failing' ? 503 : 200);
    }),
    get(
      '/metrics',
      async ({ services, pulse }, _request, h): Promise<ResponseObject> =>
        h.response(await metrics.render(services, pulse)).type(metrics.contentType),
    ),
  ];
}

/** That no endpoint of this host is called so. `host`: who has it. */
function notHere(name: string, host: string | undefined): CodedError {
  const what =
    host === undefined
      ? `nothing on this host has the id or name ${quote(name)}`
      : `${quote(name)} is on host ${host}`;
  const remedy =
    host === undefined
      ? 'net-routed endpoints lists those of this host, with --all those of the others, too'
      : `net-routed endpoints show ${name} on that host, or net-routed endpoints --all here`;
  return new CodedError('NR_ENDPOINT_UNKNOWN', what, { remedy });
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
