import type { Prefix } from '../../net/prefix.ts';
import type { LargeCommunity } from '../holder.ts';
import type { Answer } from './client.ts';
import { attributesFrom, communitiesOf, type Dialect, familyOf, nlriOf } from './dialect.ts';
import type { Message } from './encode.ts';

const TYPE = 'type.googleapis.com/apipb.';

/** Names of the attributes' messages, as version 4 calls the same fields. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  OriginAttribute: 'origin',
  AsPathAttribute: 'as_path',
  NextHopAttribute: 'next_hop',
  MultiExitDiscAttribute: 'multi_exit_disc',
  LocalPrefAttribute: 'local_pref',
  LargeCommunitiesAttribute: 'large_communities',
  MpReachNLRIAttribute: 'mp_reach',
};

function any(name: string, message: Message): Message {
  return { '@type': `${TYPE}${name}`, ...message };
}

/** Version 3: prefixes and attributes travel inside google.protobuf.Any. */
export const v3: Dialect = {
  version: 'v3',
  folder: 'gobgp-v3',
  package: 'apipb',
  service: 'apipb.GobgpApi',
  withdrawsDenied: false,
  names: {
    global: 'GLOBAL',
    postPolicy: 'POST_POLICY',
    endOfInit: 'END_OF_INIT',
    internal: 'INTERNAL',
    external: 'EXTERNAL',
    resetIn: 'IN',
    resetOut: 'OUT',
    prefixSet: 'PREFIX',
    neighborSet: 'NEIGHBOR',
    communitySet: 'LARGE_COMMUNITY',
    add: 'ADD',
    remove: 'REMOVE',
    any: 'ANY',
    local: 'ROUTE_TYPE_LOCAL',
    accept: 'ACCEPT',
    reject: 'REJECT',
    imports: 'IMPORT',
    exports: 'EXPORT',
    established: 'ESTABLISHED',
    overLimit: 'PFX_CT',
    adminDown: 'DOWN',
  },
  nlri: (prefix) => any('IPAddressPrefix', nlriOf(prefix)),
  attributes(origin: number, nextHop: string, prefix: Prefix, communities: readonly LargeCommunity[]) {
    const reach =
      prefix.family === 4
        ? any('NextHopAttribute', { next_hop: nextHop })
        : any('MpReachNLRIAttribute', {
            family: familyOf(prefix),
            next_hops: [nextHop],
            nlris: [any('IPAddressPrefix', nlriOf(prefix))],
          });
    const marks = any('LargeCommunitiesAttribute', { communities: communitiesOf(communities) });
    return [any('OriginAttribute', { origin }), reach, marks];
  },
  listPeers: (advertised) => ({ enableAdvertised: advertised }),
  prefixOf(path) {
    const { nlri } = path;
    if (nlri?.['@type'] !== `${TYPE}IPAddressPrefix`) return undefined;
    return `${nlri.prefix}/${nlri.prefix_len ?? 0}`;
  },
  attributesOf(path) {
    const found: Record<string, Answer> = {};
    for (const attribute of path.pattrs) {
      const name = ATTRIBUTES[String(attribute['@type']).slice(TYPE.length)];
      if (name) found[name] = attribute;
    }
    return attributesFrom(found);
  },
};
