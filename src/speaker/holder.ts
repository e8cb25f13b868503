import { Address } from '../net/address.ts';

/**
 * What hosts tell each other about a route, in large communities (RFC 8092) that every router passes on:
 *
 *     ASN:1580:ROUTER-ID   the host that originated it, its router id as a number
 *     ASN:1581:1           several hosts announce it on purpose (anycast)
 *     ASN:1582:1           came from a peer of the mesh; within one engine only, nobody is told
 *
 * ASN is that of the host which announces, so that the numbers stay within its own name space.
 */
export interface LargeCommunity {
  readonly admin: number;
  readonly data1: number;
  readonly data2: number;
}

const HOLDER = 1580;
const ANYCAST = 1581;
const MESH = 1582;

/** The communities of an announcement. `routerId` is an IPv4 address in dotted notation. */
export function markOf(asn: number, routerId: string, anycast: boolean): LargeCommunity[] {
  const marks = [{ admin: asn, data1: HOLDER, data2: Number(Address.parse(routerId).value) }];
  if (anycast) marks.push({ admin: asn, data1: ANYCAST, data2: 1 });
  return marks;
}

/** The community that an engine of this AS gives to what peers of its mesh tell, as engines write it. */
export function meshMark(asn: number): string {
  return `${asn}:${MESH}:1`;
}

/** What the communities of a route say; `holder` is undefined where no host of ours originated it. */
export function readMark(communities: readonly LargeCommunity[]): {
  readonly holder?: string;
  readonly anycast: boolean;
} {
  const holder = communities.find(({ data1 }) => data1 === HOLDER);
  const anycast = communities.some(({ data1, data2 }) => data1 === ANYCAST && data2 === 1);
  if (!holder) return { anycast };
  return { holder: Address.of(4, BigInt(holder.data2 >>> 0)).toString(), anycast };
}
