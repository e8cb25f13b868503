import { Address } from '../net/address.ts';
import type { PublishedPort } from '../ports/firewall.ts';
import type { Operation } from '../ports/target.ts';

/** A connection as the kernel remembers it, whoever has opened it; all that ends are told apart by. */
export interface Flow {
  /** Where its packets are sent to. */
  readonly address: string;
  readonly port: number;
  /** Where they arrive, and who answers. */
  readonly toAddress: string;
  readonly toPort: number;
}

/** A line of `conntrack -L`, undefined for what has no ports; pure. */
export function parseFlow(line: string): Flow | undefined {
  const match = / src=\S+ dst=(\S+) sport=\d+ dport=(\d+) .*?\bsrc=(\S+) dst=\S+ sport=(\d+) dport=\d+/.exec(
    line,
  );
  if (!match) return undefined;
  const [, address, port, toAddress, toPort] = match;
  return {
    address: canonical(address!),
    port: Number(port),
    toAddress: canonical(toAddress!),
    toPort: Number(toPort),
  };
}

/**
 * Whether a flow is at odds with what becomes of a published port; pure. `local` says whether an address is the
 * host's own.
 *
 * A port that comes has all that is sent to it: what was translated to somebody else no longer is. What was not
 * translated is a connection of the host itself, or, without connections as in UDP, packets that nobody takes. A port
 * that goes takes those with it that it has translated, and not those that were sent to the container itself.
 */
export function isStale(
  { do: what, resource }: Operation<PublishedPort>,
  flow: Flow,
  local: (address: string) => boolean,
): boolean {
  if (flow.port !== resource.port) return false;
  const here =
    resource.hostAddress === undefined ? isCovered(flow, local) : flow.address === resource.hostAddress;
  const ours = flow.toAddress === resource.toAddress && flow.toPort === resource.toPort;
  const translated = flow.toAddress !== flow.address || flow.toPort !== flow.port;
  if (what === 'remove') return here && ours && translated;
  return here && !ours && (translated || resource.protocol === 'udp');
}

/** A port on every address has all but ::1, which is left to the host. */
function isCovered({ address }: Flow, local: (address: string) => boolean): boolean {
  return address !== '::1' && local(address);
}

function canonical(text: string): string {
  return Address.tryParse(text)?.toString() ?? text;
}
