import { z } from 'zod';

export const portSchema = z.object({
  protocol: z.number(),
  port: z.number(),
  hostAddress: z.string(),
  hostPort: z.number(),
});

export const endpointSchema = z.object({
  /** Docker's id, 64 hex digits. */
  id: z.string(),
  network: z.string(),
  address: z.string().optional(),
  addressV6: z.string().optional(),
  mac: z.string(),
  /** Further addresses of the container, routed to it as well. */
  aliases: z.array(z.string()),
  /** In bytes; absent for the network's. */
  mtu: z.number().optional(),
  /** Who may open connections to it; absent for everybody. Addresses, prefixes, ranges `A-B`. */
  ingress: z.array(z.string()).optional(),
  /** Other hosts may announce its addresses too. */
  anycast: z.boolean(),
  /** `left`: Docker has called Leave and is taking its interface out of the sandbox. */
  phase: z.enum(['created', 'joined', 'left']),
  sandbox: z.string().optional(),
  /** The host's incarnation at Join: after a reboot nothing of the sandbox is left. */
  incarnation: z.string().optional(),
  ports: z.array(portSchema),
  /** Addresses that its host has to be given again, since it was forgotten: until then nobody is led here by them. */
  unconfirmed: z.array(z.string()).optional(),
  /** Addresses that somebody else was given meanwhile: they are its own no more, although its container has them. */
  lost: z.array(z.object({ address: z.string(), why: z.string() })).optional(),
  createdAt: z.number(),
});
/** One interface of one container in one network. */
export type Endpoint = z.infer<typeof endpointSchema>;

/** All of an endpoint's addresses: IPv4, IPv6, aliases. */
export function addressesOf(endpoint: Endpoint): string[] {
  return [endpoint.address, endpoint.addressV6, ...endpoint.aliases].filter((one) => one !== undefined);
}

/** Those of its addresses that it has lost, and why. */
export function lossesOf({ lost = [] }: Endpoint): ReadonlyMap<string, string> {
  return new Map(lost.map(({ address, why }) => [address, why]));
}

/** All of its addresses without those that it has lost. */
export function standingOf(endpoint: Endpoint): string[] {
  const lost = lossesOf(endpoint);
  return addressesOf(endpoint).filter((address) => !lost.has(address));
}

/** The endpoint without an address that was answered for. */
export function confirmed({ unconfirmed, ...endpoint }: Endpoint, address: string): Endpoint {
  const rest = (unconfirmed ?? []).filter((one) => one !== address);
  return rest.length > 0 ? { ...endpoint, unconfirmed: rest } : endpoint;
}
