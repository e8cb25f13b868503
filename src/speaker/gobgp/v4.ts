import type { Prefix } from '../../net/prefix.ts';
import type { LargeCommunity } from '../holder.ts';
import type { Answer } from './client.ts';
import { attributesFrom, communitiesOf, type Dialect, familyOf, nlriOf } from './dialect.ts';

/** Version 4: prefixes and attributes are plain fields, of which one is set. */
export const v4: Dialect = {
  version: 'v4',
  folder: 'gobgp-v4',
  package: 'api',
  service: 'api.GoBgpService',
  withdrawsDenied: true,
  names: {
    global: 'TABLE_TYPE_GLOBAL',
    postPolicy: 'TYPE_POST_POLICY',
    endOfInit: 'TYPE_END_OF_INIT',
    internal: 'PEER_TYPE_INTERNAL',
    external: 'PEER_TYPE_EXTERNAL',
    resetIn: 'DIRECTION_IN',
    resetOut: 'DIRECTION_OUT',
    prefixSet: 'DEFINED_TYPE_PREFIX',
    neighborSet: 'DEFINED_TYPE_NEIGHBOR',
    communitySet: 'DEFINED_TYPE_LARGE_COMMUNITY',
    add: 'TYPE_ADD',
    remove: 'TYPE_REMOVE',
    any: 'TYPE_ANY',
    local: 'ROUTE_TYPE_LOCAL',
    accept: 'ROUTE_ACTION_ACCEPT',
    reject: 'ROUTE_ACTION_REJECT',
    imports: 'POLICY_DIRECTION_IMPORT',
    exports: 'POLICY_DIRECTION_EXPORT',
    established: 'SESSION_STATE_ESTABLISHED',
    overLimit: 'ADMIN_STATE_PFX_CT',
    adminDown: 'ADMIN_STATE_DOWN',
  },
  nlri: (prefix) => ({ prefix: nlriOf(prefix) }),
  attributes(origin: number, nextHop: string, prefix: Prefix, communities: readonly LargeCommunity[]) {
    const reach =
      prefix.family === 4
        ? { next_hop: { next_hop: nextHop } }
        : {
            mp_reach: {
              family: familyOf(prefix),
              next_hops: [nextHop],
              nlris: [{ prefix: nlriOf(prefix) }],
            },
          };
    const marks = { large_communities: { communities: communitiesOf(communities) } };
    return [{ origin: { origin } }, reach, marks];
  },
  listPeers: (advertised) => ({ enable_advertised: advertised }),
  prefixOf(path) {
    const prefix = path.nlri?.prefix;
    return prefix && `${prefix.prefix}/${prefix.prefix_len ?? 0}`;
  },
  attributesOf(path) {
    const found: Record<string, Answer> = {};
    for (const attribute of path.pattrs) Object.assign(found, attribute);
    return attributesFrom(found);
  },
};
