import { z } from 'zod';
import { poolIdSchema } from './pool.ts';

export const logicalSchema = z.object({
  /** The id of its first pool. */
  id: z.string(),
  tenant: z.string(),
  encap: z.literal('none'),
  /** Of its endpoints on all hosts, in bytes; absent for that of each host's uplink. */
  mtu: z.number().optional(),
  internal: z.boolean(),
  /** Ids of its pools, IPv4 first. No pool is in two networks. */
  pools: z.array(poolIdSchema).min(1),
  createdAt: z.number(),
});
/** A network as the cluster knows it, whichever hosts have it in their Docker. */
export type Logical = z.infer<typeof logicalSchema>;

export const networkNameSchema = z.object({
  tenant: z.string(),
  name: z.string(),
  /** The id of the logical network. */
  network: z.string(),
});
/** What a logical network is called: a name is one network's within a tenant, and a network has one name. */
export type NetworkName = z.infer<typeof networkNameSchema>;

/** A name's id within its namespace. */
export function networkNameId(tenant: string, name: string): string {
  return `${tenant}/${name}`;
}

/** What a host's network is compared by with the logical one. */
export type Traits = Pick<Logical, 'pools' | 'mtu' | 'internal'>;
