import type { AddressView, ElsewhereView, EndpointView } from '../../api/views.ts';
import { facts, short, table } from '../table.ts';

/** `elsewhere`: those of other hosts, if they are to be shown as well. */
export function renderEndpoints(
  endpoints: readonly EndpointView[],
  elsewhere?: readonly ElsewhereView[],
): string {
  if (elsewhere) return renderAll(endpoints, elsewhere);
  if (endpoints.length === 0) return 'no endpoints';
  return table(
    ['ENDPOINT', 'CONTAINER', 'NETWORK', 'STATE', 'INTERFACE', 'ADDRESSES'],
    endpoints.map((endpoint) => [
      short(endpoint.id),
      endpoint.container?.name ?? '',
      endpoint.network.name ?? short(endpoint.network.id),
      endpoint.state,
      endpoint.interface,
      endpoint.addresses.map(({ address }) => address).join(', '),
    ]),
  );
}

function renderAll(here: readonly EndpointView[], elsewhere: readonly ElsewhereView[]): string {
  if (here.length + elsewhere.length === 0) return 'no endpoints';
  const row = (
    { id, network, state, addresses }: EndpointView | ElsewhereView,
    host: string,
    container: string,
  ) => [
    short(id),
    host,
    container,
    network.name ?? short(network.id),
    state,
    addresses.map(({ address }) => address).join(', '),
  ];
  return table(
    ['ENDPOINT', 'HOST', 'CONTAINER', 'NETWORK', 'STATE', 'ADDRESSES'],
    [
      ...here.map((one) => row(one, 'this host', one.container?.name ?? '')),
      ...elsewhere.map((one) => row(one, one.host.name ?? short(one.host.id), '')),
    ],
  );
}

export function renderEndpoint(endpoint: EndpointView): string {
  const { container, network } = endpoint;
  return facts([
    ['id', endpoint.id],
    ['container', container && named(container)],
    ['network', named(network)],
    ['state', endpoint.state],
    ...endpoint.addresses.map((one) => [one.kind, describe(one)] as const),
    ['mac', endpoint.mac],
    ['mtu', String(endpoint.mtu)],
    ['interface', endpoint.interface],
    ['sandbox', endpoint.sandbox],
    ['anycast', endpoint.anycast ? 'yes' : undefined],
    ['ingress', endpoint.ingress && (endpoint.ingress.join(', ') || 'nobody')],
    ...endpoint.ports.map(
      ({ protocol, port, hostAddress, hostPort }) =>
        [
          'published',
          `${hostAddress === '' ? 'any' : hostAddress} ${hostPort}/${protocol} to ${port}`,
        ] as const,
    ),
    ['created', endpoint.createdAt],
    ...endpoint.problems.map(
      ({ lane, key, code, what, remedy }) =>
        ['problem', `${lane}: ${key}: ${code}: ${what}; ${remedy}`] as const,
    ),
  ]);
}

function named({ id, name }: { id: string; name?: string | undefined }): string {
  return name === undefined ? id : `${name} (${short(id)})`;
}

function describe({ address, announced, note, lost }: AddressView): string {
  if (lost !== undefined) return `${address}  lost: ${lost}`;
  return `${address}  ${announced ? 'announced' : (note ?? 'not announced yet')}`;
}
