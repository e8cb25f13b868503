import { z } from 'zod';

export const poolSchema = z.object({
  id: z.string(),
  tenant: z.string(),
  /** CIDR of the subnet. */
  prefix: z.string(),
  /** CIDR of the part that automatic addresses come from (--ip-range). */
  range: z.string().optional(),
  /** The gateway of its endpoints: link-local unless the user named one. */
  gateway: z.string(),
  /** The user named the gateway, so it is an address of the subnet. */
  gatewayGiven: z.boolean(),
  /** The driver chose the prefix. */
  automatic: z.boolean(),
  createdAt: z.number(),
});
/** A subnet that addresses are given from. */
export type Pool = z.infer<typeof poolSchema>;

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
});
/** What an address of a pool is used for; absent for a free one. */
export type Allocation = z.infer<typeof allocationSchema>;

/** A pool's id, which Docker keeps and shows to no one. */
export function poolId(tenant: string, prefix: string): string {
  return `${tenant}:${prefix}`;
}
