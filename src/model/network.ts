import { z } from 'zod';
import { CodedError } from '../errors.ts';
import { quote } from '../net/address.ts';

/** Largest and smallest MTU, in bytes: RFC 791 asks for 68, RFC 8200 for 1280, a veth takes up to 65535. */
export const MTU_MIN = { 4: 68, 6: 1280 } as const;
export const MTU_MAX = 65535;

export const networkSchema = z.object({
  /** Docker's id, 64 hex digits. */
  id: z.string(),
  tenant: z.string(),
  encap: z.literal('none'),
  /** Of its endpoints, in bytes; absent for the uplink's. */
  mtu: z.number().optional(),
  internal: z.boolean(),
  /** Ids of its pools, IPv4 first. */
  pools: z.array(z.string()),
  /**
   * Absent for one that somebody made by hand on this host; else it is a copy of another host's, made by the daemon:
   * `making` until Docker has listed it, `ending` when it is to be removed.
   */
  copy: z.enum(['making', 'kept', 'ending']).optional(),
  /** Of a copy: ids of the hosts on which somebody had made it, when that was last looked up. */
  makers: z.array(z.string()).optional(),
  createdAt: z.number(),
});
/** A network as Docker knows it on this host. */
export type Network = z.infer<typeof networkSchema>;

/**
 * Reads an MTU option.
 * @throws NR_MTU_INVALID
 */
export function parseMtu(text: string, withIpv6: boolean): number {
  const least = MTU_MIN[withIpv6 ? 6 : 4];
  const mtu = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 0;
  if (mtu < least || mtu > MTU_MAX) {
    throw new CodedError('NR_MTU_INVALID', `MTU ${quote(text)} is not between ${least} and ${MTU_MAX}`);
  }
  return mtu;
}
