/** Whether members of a cluster agree, by what each of them says for itself. */

import type { z } from 'zod';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { hostsView, peersView, storeView } from '../../src/api/views.ts';
import type { Answering } from './plugin.ts';
import { eventually, type Listed, list, show } from './support.ts';

/** Longest that members need until they agree after all can hear each other, in milliseconds. */
export const HEAL_MS = 60_000;

export async function askFor<T>(host: Answering, what: string, view: z.ZodType<T>): Promise<T> {
  return view.parse(await show(host, what));
}

/** All are seen by all, and have sessions with each other. */
export async function meet(hosts: readonly Host[]): Promise<void> {
  let missing = '';
  const met = async () => {
    const lines = await Promise.all(
      hosts.map(async (host) => {
        const seen = (await askFor(host, 'hosts', hostsView)).hosts;
        const { peers } = await askFor(host, 'peers', peersView);
        const away = seen
          .filter(({ state }) => state !== 'present')
          .map(({ name, state }) => `${name} ${state}`);
        const down = peers
          .filter(({ state }) => state !== 'established')
          .map(({ host: name, state }) => `session with ${name} ${state}`);
        const few = peers.length === hosts.length - 1 ? [] : [`${peers.length} peers`];
        return [...away, ...down, ...few].map((one) => `${host.name}: ${one}`);
      }),
    );
    missing = lines.flat().join(', ');
    return missing === '';
  };
  await told('members see each other', met, () => missing);
}

/** All have the same records. Nobody may write meanwhile. */
export async function equal(hosts: readonly Answering[]): Promise<void> {
  let differing = '';
  const same = async () => {
    const all = await Promise.all(hosts.map((host) => askFor(host, 'store', storeView)));
    const said = new Map<string, string[]>();
    for (const [at, { origins }] of all.entries()) {
      for (const { origin, known, records, hash } of origins) {
        const line = `${origin.slice(0, 8)} to ${known}: ${records} ${hash.slice(0, 8)}`;
        said.set(line, [...(said.get(line) ?? []), hosts[at]!.name]);
      }
    }
    differing = [...said]
      .filter(([, names]) => names.length < hosts.length)
      .map(([line, names]) => `${names}: ${line}`)
      .join('; ');
    return differing === '';
  };
  await told('members have the same records', same, () => differing);
}

/** Each kernel has a way to each endpoint of each other host, straight to it, and to none that is not. */
export async function routedRight(hosts: readonly Host[], pools: readonly string[]): Promise<void> {
  let wrong = '';
  const right = async () => {
    const ends = await Promise.all(hosts.map((host) => list<Listed>(host, 'endpoints')));
    const wrongs = await Promise.all(
      hosts.map(async (host, at) => {
        const wanted = hosts.flatMap(({ name }, of) =>
          ends[of]!.flatMap(({ addresses }) => addresses).map(({ address }) => {
            const { host4, host6 } = underlay(name);
            return of === at ? `${address} here` : `${address} ${address.includes(':') ? host6 : host4}`;
          }),
        );
        const found = await ways(host, pools);
        return [
          ...wanted.filter((one) => !found.includes(one)).map((one) => `${host.name} has not ${one}`),
          ...found.filter((one) => !wanted.includes(one)).map((one) => `${host.name} has ${one}`),
        ];
      }),
    );
    wrong = wrongs.flat().join(', ');
    return wrong === '';
  };
  await told('kernels have the ways to all endpoints', right, () => wrong);
}

/** `ADDRESS GATEWAY`, or `ADDRESS here`, of each host route within the pools, of which we know the first words. */
async function ways(host: Host, pools: readonly string[]): Promise<string[]> {
  const both = ['-4', '-6'].map(async (family) => {
    const text = await host.must(['ip', '-j', family, 'route', 'show', 'table', 'main']);
    return JSON.parse(text || '[]') as { dst: string; type?: string; gateway?: string }[];
  });
  return (await Promise.all(both))
    .flat()
    .filter(({ dst, type }) => type !== 'blackhole' && type !== 'unreachable' && !dst.includes('/'))
    .filter(({ dst }) => pools.some((pool) => dst.startsWith(pool)))
    .map(({ dst, gateway }) => `${dst} ${gateway ?? 'here'}`);
}

async function told(what: string, probe: () => Promise<boolean>, left: () => string): Promise<void> {
  try {
    await eventually(what, probe, HEAL_MS);
  } catch (error) {
    throw new Error(`${what}: ${left()}`, { cause: error });
  }
}
