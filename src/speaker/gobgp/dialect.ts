import type { Prefix } from '../../net/prefix.ts';
import type { LargeCommunity } from '../holder.ts';
import type { Answer } from './client.ts';
import type { Message } from './encode.ts';

/** What of a path can be read, whichever API it came through. */
export interface Attributes {
  readonly nextHops: readonly string[];
  readonly asPath: readonly number[];
  readonly origin: number;
  readonly med: number;
  readonly localPreference: number;
  readonly communities: readonly LargeCommunity[];
}

/** Names of enumeration values, which the two APIs prefix differently. */
export interface Names {
  readonly global: string;
  readonly postPolicy: string;
  readonly endOfInit: string;
  readonly internal: string;
  readonly external: string;
  readonly resetIn: string;
  readonly resetOut: string;
  readonly prefixSet: string;
  readonly neighborSet: string;
  readonly communitySet: string;
  readonly add: string;
  readonly remove: string;
  readonly any: string;
  readonly local: string;
  readonly accept: string;
  readonly reject: string;
  readonly imports: string;
  readonly exports: string;
  readonly established: string;
  readonly overLimit: string;
  readonly adminDown: string;
}

/** Where version 3 and 4 of GoBGP's API differ; all else is the same in both. */
export interface Dialect {
  readonly version: 'v3' | 'v4';
  readonly folder: string;
  readonly package: string;
  readonly service: string;
  readonly names: Names;
  /** Whether a soft reset takes back what the policy denies since; else only a new session does. */
  readonly withdrawsDenied: boolean;
  nlri(prefix: Prefix): Message;
  attributes(
    origin: number,
    nextHop: string,
    prefix: Prefix,
    communities: readonly LargeCommunity[],
  ): Message[];
  listPeers(advertised: boolean): Message;
  /** Prefix in CIDR, undefined for what is no plain IP prefix. */
  prefixOf(path: Answer): string | undefined;
  attributesOf(path: Answer): Attributes;
}

/** The address family of a prefix as both APIs write it. */
export function familyOf(prefix: Prefix): Message {
  return family(prefix.family);
}

export function family(number: 4 | 6): Message {
  return { afi: number === 4 ? 'AFI_IP' : 'AFI_IP6', safi: 'SAFI_UNICAST' };
}

export function nlriOf(prefix: Prefix): Message {
  return { prefix: prefix.address.toString(), prefix_len: prefix.length };
}

export function communitiesOf(communities: readonly LargeCommunity[]): Message[] {
  return communities.map(({ admin, data1, data2 }) => ({
    global_admin: admin,
    local_data1: data1,
    local_data2: data2,
  }));
}

/** Puts together what was read from single attributes, named as version 4 names them. */
export function attributesFrom(attributes: Readonly<Record<string, Answer>>): Attributes {
  const segments: { numbers?: number[] }[] = attributes.as_path?.segments ?? [];
  return {
    nextHops: attributes.next_hop
      ? [attributes.next_hop.next_hop ?? '']
      : (attributes.mp_reach?.next_hops ?? []),
    asPath: segments.flatMap((segment) => segment.numbers ?? []),
    origin: attributes.origin?.origin ?? 0,
    med: attributes.multi_exit_disc?.med ?? 0,
    localPreference: attributes.local_pref?.local_pref ?? 100,
    communities: (attributes.large_communities?.communities ?? []).map(
      (one: { global_admin?: number; local_data1?: number; local_data2?: number }) => ({
        admin: one.global_admin ?? 0,
        data1: one.local_data1 ?? 0,
        data2: one.local_data2 ?? 0,
      }),
    ),
  };
}
