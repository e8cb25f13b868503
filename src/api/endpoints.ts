import type { Services } from '../driver/services.ts';
import { type Endpoint, lossesOf } from '../model/endpoint.ts';
import { Address } from '../net/address.ts';
import { vethNames } from '../net/ifname.ts';
import { Prefix } from '../net/prefix.ts';
import { unannounceable } from './announceable.ts';
import { byName, type Known } from './names.ts';
import type { AddressView, EndpointView, FailureView } from './views.ts';

const PROTOCOL: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** The endpoints of this host: what each has, and whether it works. */
export function showEndpoints(
  services: Services,
  failures: readonly FailureView[],
  known: Known,
): EndpointView[] {
  const byOwner = failuresByOwner(services, failures);
  const shown = [...services.state.endpoints.all()].map((endpoint) => {
    const problems = byOwner.get(ownerOf(endpoint.id)) ?? [];
    return showEndpoint(endpoint, services, problems, known);
  });
  return shown.sort(
    (a, b) => byName(a.container?.name, b.container?.name) || byName(a.network.name, b.network.name),
  );
}

function showEndpoint(
  endpoint: Endpoint,
  services: Services,
  problems: FailureView[],
  known: Known,
): EndpointView {
  const { state, host } = services;
  const container = known.container(endpoint.id);
  const network = state.networks.get(endpoint.network);
  return {
    id: endpoint.id,
    network: known.network(endpoint.network),
    ...(container && { container }),
    phase: endpoint.phase,
    state: stateOf(endpoint, services, problems),
    ...(endpoint.address !== undefined && { address: endpoint.address }),
    ...(endpoint.addressV6 !== undefined && { addressV6: endpoint.addressV6 }),
    aliases: endpoint.aliases,
    addresses: addressesOf(endpoint, services),
    mac: endpoint.mac,
    mtu: endpoint.mtu ?? network?.mtu ?? host().mtu,
    interface: vethNames(endpoint.id).host,
    ...(endpoint.sandbox !== undefined && { sandbox: endpoint.sandbox }),
    ...(endpoint.ingress && { ingress: endpoint.ingress }),
    anycast: endpoint.anycast,
    ports: endpoint.ports.map((port) => ({
      ...port,
      protocol: PROTOCOL[port.protocol] ?? String(port.protocol),
    })),
    createdAt: new Date(endpoint.createdAt).toISOString(),
    problems,
  };
}

function stateOf(
  endpoint: Endpoint,
  services: Services,
  problems: readonly FailureView[],
): EndpointView['state'] {
  const { reconciler } = services;
  if (endpoint.phase !== 'joined') return endpoint.phase;
  if (problems.length > 0) return 'failing';
  const owner = ownerOf(endpoint.id);
  if (reconciler.kernel.tracker.owned(owner).size === 0) return 'gone';
  if (endpoint.lost) return 'lost';
  if (withheldOf(endpoint, services).length > 0) return 'withheld';
  const { kernel, firewall, inside } = reconciler;
  return [kernel, firewall, inside.lane].every(({ tracker }) => tracker.settled(owner)) ? 'up' : 'pending';
}

/** Addresses that nobody is led to here, as somebody else may have been given them. */
function withheldOf(endpoint: Endpoint, { state, standing }: Services): readonly string[] {
  return standing().out ? state.claimed(endpoint) : (endpoint.unconfirmed ?? []);
}

function addressesOf(endpoint: Endpoint, services: Services): AddressView[] {
  const { reconciler, host, learned } = services;
  const withheld = new Set(withheldOf(endpoint, services));
  const lost = lossesOf(endpoint);
  const own = [endpoint.address, endpoint.addressV6].filter((one) => one !== undefined);
  return [...own, ...endpoint.aliases].map((address, index) => {
    const why = lost.get(address);
    const note = withheld.has(address)
      ? 'withheld until it is given again, as this host was forgotten'
      : unannounceable(address, host());
    const prefix = Prefix.host(Address.parse(address));
    const other = learned.holder(Address.parse(address));
    const isShared = why !== undefined || (endpoint.anycast && other?.anycast);
    const conflict = other && !isShared ? other.holder : undefined;
    return {
      address,
      kind: index < own.length ? 'address' : 'alias',
      announced: reconciler.speaker.tracker.there().has(`announcement ${prefix}`),
      ...(note !== undefined && { note }),
      ...(why !== undefined && { lost: why }),
      ...(conflict !== undefined && { conflict }),
    };
  });
}

/** Under which name the reconcile loop keeps what an endpoint needs. */
function ownerOf(endpoint: string): string {
  return `endpoint ${endpoint}`;
}

function failuresByOwner(
  { reconciler }: Services,
  failures: readonly FailureView[],
): Map<string, FailureView[]> {
  const byOwner = new Map<string, FailureView[]>();
  for (const failure of failures) {
    const lane = reconciler.lanes.find(({ name }) => name === failure.lane);
    const owner = lane?.tracker.ownerOf(failure.key) ?? '';
    byOwner.set(owner, [...(byOwner.get(owner) ?? []), failure]);
  }
  return byOwner;
}
