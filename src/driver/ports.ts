import type { Endpoint } from '../model/endpoint.ts';
import { quote } from '../net/address.ts';
import { publishedPorts } from '../plan/endpoint.ts';
import type { PublishedPort } from '../ports/firewall.ts';
import type { Listener } from '../ports/kernel.ts';
import type { PortBinding } from './calls.ts';

/** Where ports come from that the user leaves open; Linux's own range for the same (ip_local_port_range). */
const EPHEMERAL = { first: 32768, last: 60999 };

type Port = Endpoint['ports'][number];

/** Why a binding can have none of the host ports that it may have. */
export interface Taken {
  /** For a person. */
  readonly what: string;
  /** Who is in the way, if there is only one port to be had and a program of the host has it. */
  readonly listener?: Listener;
}

/**
 * Chooses the host port of each binding: the one asked for, the first free one of a range, or any free one; pure. Not
 * free is what `others` publish, and what a program listens on, if it would lose packets to the published port.
 */
export function choosePorts(
  bindings: readonly PortBinding[],
  endpoint: Endpoint,
  others: Iterable<Endpoint>,
  listeners: readonly Listener[],
): { readonly ports: Port[] } | { readonly taken: Taken } {
  const published = [...others].flatMap((other) =>
    publishedPorts(other).map((one) => ({ ...one, by: other.id })),
  );
  const ports: Port[] = [];
  for (const binding of bindings) {
    const [first, last] =
      binding.hostPort === 0
        ? [EPHEMERAL.first, EPHEMERAL.last]
        : [binding.hostPort, Math.max(binding.hostPort, binding.hostPortEnd)];
    const { protocol, port, hostAddress } = binding;
    const claim = (hostPort: number) => publishedPorts({ ...endpoint, ports: [{ ...binding, hostPort }] });
    const claims = claim(first);
    const own = publishedPorts({ ...endpoint, ports }).map((one) => ({ ...one, by: endpoint.id }));
    const clashes = [...published, ...own].filter((one) =>
      claims.some((mine) => meet(mine, one, one.hostAddress)),
    );
    const heard = robbed(claims, listeners, false);
    const used = new Set([...clashes, ...heard].map((one) => one.port));
    let hostPort = first;
    while (used.has(hostPort) && hostPort <= last) hostPort++;
    if (hostPort > last) {
      const name = claims[0]?.protocol;
      if (first !== last)
        return {
          taken: { what: `every port from ${first} to ${last}/${name} of the host is in use or published` },
        };
      const by = clashes.find((one) => one.port === first)?.by;
      const what = `port ${first}/${name} of the host is`;
      if (by !== undefined)
        return { taken: { what: `${what} published already by endpoint ${by.slice(0, 12)}` } };
      const listener = heard.find((one) => one.port === first);
      return { taken: { what: `${what} in use`, ...(listener && { listener }) } };
    }
    ports.push({ protocol, port, hostAddress, hostPort });
  }
  return { ports };
}

/** Whether a packet can be for both, ports aside; `address` is the other's, absent for all of its family. */
function meet(
  mine: PublishedPort,
  other: { readonly protocol: string; readonly family: number },
  address: string | undefined,
): boolean {
  if (mine.protocol !== other.protocol || mine.family !== other.family) return false;
  return mine.hostAddress === undefined || address === undefined || mine.hostAddress === address;
}

/**
 * The programs that would lose packets to published ports, or those to them; pure. On whatever port unless `samePort`.
 * What comes for ::1 is never taken from the host.
 */
export function robbed(
  published: readonly PublishedPort[],
  listeners: readonly Listener[],
  samePort = true,
): Listener[] {
  return listeners.filter((listener) =>
    published.some(
      (mine) =>
        meet(mine, listener, listener.address) &&
        (mine.port === listener.port || !samePort) &&
        !(listener.address === '::1' && mine.hostAddress === undefined),
    ),
  );
}

/** Who listens, for a person. @throws NR_KERNEL_UNAVAILABLE, NR_KERNEL_REFUSED */
export async function whoListens(
  { protocol, family, address, port }: Listener,
  listeners: (port: number) => Promise<readonly Listener[]>,
): Promise<string> {
  const named = await listeners(port);
  const same = named.find(
    (one) => one.protocol === protocol && one.family === family && one.address === address,
  );
  const who = same?.program ? `${quote(same.program.name)} (process ${same.program.pid})` : 'a program';
  return `${who} listens on ${address ?? (family === 4 ? '0.0.0.0' : '::')}`;
}
