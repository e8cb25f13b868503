import { CodedError } from '../errors.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { PortBinding } from './calls.ts';

/** Where ports come from that the user leaves open; Linux's own range for the same (ip_local_port_range). */
const EPHEMERAL = { first: 32768, last: 60999 };

type Port = Endpoint['ports'][number];

/**
 * Chooses the host port of each binding: the one asked for, the first free one of a range, or any free one; pure.
 * @throws NR_PORT_IN_USE
 */
export function choosePorts(bindings: readonly PortBinding[], others: Iterable<Endpoint>): Port[] {
  const taken = [...others].flatMap((endpoint) => endpoint.ports);
  const chosen: Port[] = [];
  for (const binding of bindings) {
    const [first, last] =
      binding.hostPort === 0
        ? [EPHEMERAL.first, EPHEMERAL.last]
        : [binding.hostPort, Math.max(binding.hostPort, binding.hostPortEnd)];
    const clashes = [...taken, ...chosen].filter(
      (port) => port.protocol === binding.protocol && meet(port.hostAddress, binding.hostAddress),
    );
    const used = new Set(clashes.map((port) => port.hostPort));
    let hostPort = first;
    while (used.has(hostPort) && hostPort <= last) hostPort++;
    if (hostPort > last) {
      const range = first === last ? `port ${first}` : `every port from ${first} to ${last}`;
      throw new CodedError('NR_PORT_IN_USE', `${range} of the host is published already`);
    }
    const { protocol, port, hostAddress } = binding;
    chosen.push({ protocol, port, hostAddress, hostPort });
  }
  return chosen;
}

/** Whether two host addresses can receive the same packet; empty and unspecified ones receive all. */
function meet(a: string, b: string): boolean {
  const any = (text: string) => text === '' || text === '0.0.0.0' || text === '::';
  return any(a) || any(b) || a === b;
}
