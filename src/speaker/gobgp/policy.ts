import { createHash } from 'node:crypto';
import type { Prefix } from '../../net/prefix.ts';
import type { PrefixRule } from '../../ports/speaker.ts';
import { flattened, type Range, rangeOf, within } from '../rules.ts';
import type { Dialect } from './dialect.ts';
import type { Message } from './encode.ts';
import { hostOf, type Rules } from './peers.ts';

/** What the policy has to know of a peer. */
export interface Ruled extends Rules {
  readonly key: string;
  /** Its address, without zone. */
  readonly address: string;
  /** The only next hop that a peer behind an interface can use: our link-local address there. */
  readonly nextHop?: string;
}

/** One direction's policy, with the sets that its statements refer to. */
export interface EnginePolicy {
  readonly name: string;
  readonly sets: readonly Message[];
  readonly policy: Message;
}

/** Begins the name of every policy and set of ours. A digest of the content follows: same name, same content. */
export const OURS = 'net-routed-';

/**
 * What each peer may tell us: what its import rules say, nothing else. GoBGP applies the policies of single peers to
 * route servers' clients only, so there is one policy for all, whose statements look at the neighbour. Peers of equal
 * rules share their statements: each is looked at for every route and every peer.
 */
export function importPolicy(dialect: Dialect, peers: readonly Ruled[]): EnginePolicy {
  const own: Piece = { name: 'own', conditions: { route_type: dialect.names.local }, accept: true };
  const groups = grouped(peers, ({ import: rules }) => [rules]);
  return assemble(dialect, 'import', [
    own,
    ...groups.flatMap((group) => piecesOf(group, 'import', ranges(group[0].import), {})),
  ]);
}

/**
 * What each peer is told: what its export rules and the pools say, of what was originated here. So no route that a
 * peer told goes on to another, and this host is no transit.
 */
export function exportPolicy(
  dialect: Dialect,
  peers: readonly Ruled[],
  pools: readonly Prefix[],
): EnginePolicy {
  const local = { route_type: dialect.names.local };
  const groups = grouped(peers, (peer) => [peer.export, peer.nextHop]);
  return assemble(
    dialect,
    'export',
    groups.flatMap((group) => piecesOf(group, 'export', within(ranges(group[0].export), pools), local)),
  );
}

/** The rules of every peer, out of the names of the statements that end each group's part. */
export function rulesIn(
  policies: readonly { statements?: readonly { name?: string }[] }[],
): Map<string, Rules> {
  const found = new Map<string, { import: PrefixRule[]; export: PrefixRule[] }>();
  for (const { statements } of policies) {
    for (const { name } of statements ?? []) {
      const match = /^net-routed-\w+ (import|export) (\{.*\})$/.exec(name ?? '');
      if (!match) continue;
      const direction = match[1] as 'import' | 'export';
      const memo = JSON.parse(match[2]!) as { peers: string[]; rules: PrefixRule[] };
      for (const key of memo.peers) {
        const entry = found.get(key) ?? { import: [], export: [] };
        entry[direction] = memo.rules;
        found.set(key, entry);
      }
    }
  }
  return found;
}

type Group = readonly [Ruled, ...Ruled[]];

interface Piece {
  readonly name: string;
  readonly addresses?: readonly string[];
  readonly ranges?: readonly Range[];
  readonly conditions: Message;
  readonly accept: boolean;
  readonly nextHop?: string | undefined;
}

/** Peers that are alike, in the order of their keys. */
function grouped(peers: readonly Ruled[], by: (peer: Ruled) => unknown): Group[] {
  const sorted = [...peers].sort((a, b) => (a.key < b.key ? -1 : 1));
  return [...Map.groupBy(sorted, (peer) => JSON.stringify(by(peer))).values()] as unknown as Group[];
}

function ranges(rules: readonly PrefixRule[]): Range[] {
  return rules.map((rule) => rangeOf(rule));
}

/** A group's part: what is accepted, by family, and at the end that nothing else is, with the rules to read again. */
function piecesOf(
  group: Group,
  direction: 'import' | 'export',
  some: readonly Range[],
  conditions: Message,
): Piece[] {
  const [{ key, nextHop }] = group;
  const addresses = group.map(({ address }) => address);
  const memo = JSON.stringify({ peers: group.map((peer) => peer.key), rules: group[0][direction] });
  const accepted = ([4, 6] as const).flatMap((family) => {
    const these = flattened(some.filter(({ prefix }) => prefix.family === family));
    if (these.length === 0) return [];
    const hop = direction === 'export' ? nextHop : undefined;
    return [
      { name: `${key} IPv${family}`, addresses, ranges: these, conditions, accept: true, nextHop: hop },
    ];
  });
  return [...accepted, { name: `${direction} ${memo}`, addresses, conditions: {}, accept: false }];
}

function assemble(dialect: Dialect, direction: string, pieces: readonly Piece[]): EnginePolicy {
  const { names } = dialect;
  const digest = createHash('sha256')
    .update(JSON.stringify([direction, pieces, 1]))
    .digest('hex');
  const prefixName = `${OURS}${digest.slice(0, 12)}`;
  const sets: Message[] = [];
  const setOf = (type: string, content: Message): Message => {
    const name = `${prefixName}-${sets.length}`;
    sets.push({ defined_type: type, name, ...content });
    return { type: names.any, name };
  };
  const statements = pieces.map((piece) => ({
    name: `${prefixName} ${piece.name}`,
    conditions: {
      ...piece.conditions,
      // GoBGP takes an empty set of neighbours for all of them: there is never one.
      ...(piece.addresses && {
        neighbor_set: setOf(names.neighborSet, { list: piece.addresses.map(hostOf) }),
      }),
      ...(piece.ranges && {
        prefix_set: setOf(names.prefixSet, {
          prefixes: piece.ranges.map(({ prefix, min, max }) => ({
            ip_prefix: prefix.toString(),
            mask_length_min: min,
            mask_length_max: max,
          })),
        }),
      }),
    },
    actions: {
      route_action: piece.accept ? names.accept : names.reject,
      // By its address: version 3.36 does not know its own when there is a zone in it.
      ...(piece.nextHop !== undefined && { nexthop: { address: piece.nextHop } }),
    },
  }));
  return { name: prefixName, sets, policy: { name: prefixName, statements } };
}
