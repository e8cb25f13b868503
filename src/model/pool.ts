import { z } from 'zod';
import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';

const addressSchema = z.string().refine((text) => Address.tryParse(text) !== undefined);
const prefixSchema = z.string().refine(isPrefix);
/** A pool's id, as far as it can be taken apart. */
export const poolIdSchema = z.string().refine((id) => isPrefix(poolName(id).prefix));

const attributes = {
  /** The gateway of its endpoints: link-local unless the user named one. */
  gateway: addressSchema,
  /** The user named the gateway, so it is an address of the subnet. */
  gatewayGiven: z.boolean(),
  /** Addresses that the user set apart (--aux-address). */
  auxiliary: z.array(addressSchema),
  /** The driver chose the prefix. */
  automatic: z.boolean(),
};

export const poolSchema = z.object({
  id: poolIdSchema,
  tenant: z.string(),
  /** CIDR of the subnet. */
  prefix: prefixSchema,
  /** Id of the integer space of its addresses: another one each time that the pool is created. */
  space: z.string(),
  ...attributes,
  createdAt: z.number(),
});
/** A subnet that addresses are given from, on all hosts alike. */
export type Pool = z.infer<typeof poolSchema>;

export const poolUseSchema = z.object({
  pool: z.string(),
  /** CIDR of the part that this host's automatic addresses come from (--ip-range). */
  range: z.string().optional(),
  /** The name of the network, where the user gave it along with the pool. */
  network: z.string().optional(),
  /** What the pool was like, to make it again if it is removed in spite of this. */
  ...attributes,
  /** In milliseconds since 1970. */
  since: z.number(),
});
/** That a host's Docker has asked for a pool and not given it back. */
export type PoolUse = z.infer<typeof poolUseSchema>;

export const allocationSchema = z.object({
  pool: z.string(),
  address: z.string(),
  /**
   * `held`: asked for and not yet an endpoint's; `endpoint`: that endpoint's; `gateway` and `auxiliary`: set apart by
   * the user; `resting`: freed, and not given again for a while.
   */
  use: z.enum(['held', 'endpoint', 'gateway', 'auxiliary', 'resting']),
  endpoint: z.string().optional(),
  /** When it came to be so, in milliseconds since 1970. */
  since: z.number(),
  /** Of the loan, for an address in a chunk of another host. */
  nonce: z.string().optional(),
  /** Other hosts may have it, too, if they say the same: its endpoint is an anycast one, or has to be. */
  shared: z.boolean().optional(),
});
/** What an address of a pool is used for on a host; absent for one that the host does not use. */
export type Allocation = z.infer<typeof allocationSchema>;

/** A pool's id, which Docker keeps and shows to no one. */
export function poolId(tenant: string, prefix: string): string {
  return `${tenant}:${prefix}`;
}

/** The opposite of poolId. */
export function poolName(id: string): { readonly tenant: string; readonly prefix: string } {
  const colon = id.indexOf(':');
  return { tenant: id.slice(0, colon), prefix: id.slice(colon + 1) };
}

function isPrefix(text: string): boolean {
  try {
    Prefix.parse(text);
    return true;
  } catch {
    return false;
  }
}
