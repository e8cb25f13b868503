import { setImmediate } from 'node:timers/promises';
import { isSilent } from '../cluster/membership/problems.ts';
import { logicalOf, nameOf } from '../driver/logical.ts';
import type { Services } from '../driver/services.ts';
import { addressesOf, lossesOf } from '../model/endpoint.ts';
import { isGone } from '../model/gone.ts';
import type { Entry } from '../ports/store.ts';
import { byName } from './names.ts';
import type { ElsewhereView } from './views.ts';

/** Records that are read in one turn, and endpoints that are shown at most. */
const SLICE = 1000;
const MAX = 10_000;
/** Of an id a person writes so many digits at least. */
const TEXT_MIN = 4;

type Parts = Pick<Services, 'store' | 'state' | 'membership' | 'clock'>;

/** The endpoints of the other hosts of the cluster, as their records say: read from disk, at most MAX. */
export async function showElsewhere(services: Parts): Promise<ElsewhereView[]> {
  const { store, state } = services;
  const hosts = othersOf(services);
  const shown: ElsewhereView[] = [];
  for (let after: string | undefined = ''; after !== undefined && shown.length < MAX; ) {
    const { entries, next } = store.slice('endpoint', after, SLICE);
    for (const entry of entries) {
      const host = hosts.get(entry.key.split('/')[1] ?? '');
      const endpoint = host && state.endpoints.read(entry);
      if (!endpoint) continue;
      const lost = lossesOf(endpoint);
      shown.push({
        id: endpoint.id,
        host: { id: host.id, name: host.name },
        network: networkOf(services, host.id, endpoint.network),
        state: host.isSilent ? 'silent' : endpoint.phase,
        addresses: addressesOf(endpoint).map((address) => {
          const why = lost.get(address);
          return why === undefined ? { address } : { address, lost: why };
        }),
      });
    }
    after = next;
    if (next !== undefined) await setImmediate();
  }
  return shown.slice(0, MAX).sort((a, b) => byName(a.host.name, b.host.name) || (a.id < b.id ? -1 : 1));
}

/**
 * Who has what a person asks for by an id or its beginning, or an address, if that is another host: what a container
 * is called is known on its own host only.
 */
export async function hostOf(services: Parts, text: string): Promise<string | undefined> {
  if (text.length < TEXT_MIN) return undefined;
  const all = await showElsewhere(services);
  const found = all.find(
    ({ id, addresses }) => id.startsWith(text) || addresses.some(({ address }) => address === text),
  );
  return found?.host.name;
}

/** How many endpoints, 1,000 at most, each host has that is not heard any more. */
export function silentElsewhere(services: Parts): { readonly name: string; readonly endpoints: number }[] {
  const silent = [...othersOf(services).values()].filter((host) => host.isSilent);
  return silent.flatMap(({ id, name }) => {
    const prefix = `endpoint/${id}/`;
    const { entries } = services.store.slice('endpoint', prefix, SLICE);
    const endpoints = entries.filter(({ key }: Entry) => key.startsWith(prefix)).length;
    return endpoints > 0 ? [{ name, endpoints }] : [];
  });
}

/** The members that are not gone, but this host, by id. */
function othersOf({ membership, clock }: Parts) {
  const hosts = membership.describe().member?.hosts ?? [];
  const others = hosts.filter((host) => !host.isSelf && !isGone(host));
  return new Map(
    others.map((host) => [host.id, { ...host, isSilent: isSilent(host, clock.now()) }] as const),
  );
}

/** What the cluster calls the network, which each host's Docker has under another id. */
function networkOf({ store, state }: Parts, host: string, id: string): ElsewhereView['network'] {
  const network = state.networks.read(store.get(`network/${host}/${id}`));
  const logical = network && logicalOf(state, network.pools);
  const name = logical && nameOf(state, logical.id);
  return name === undefined ? { id } : { id, name };
}
