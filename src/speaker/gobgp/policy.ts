import { createHash } from 'node:crypto';
import { Prefix } from '../../net/prefix.ts';
import type { Peer, PrefixRule } from '../../ports/speaker.ts';
import { meshMark } from '../holder.ts';
import { flattened, type Range, rangeOf, within } from '../rules.ts';
import type { Dialect } from './dialect.ts';
import type { Message } from './encode.ts';
import { hostOf, type Rules } from './peers.ts';

/** What the policy has to know of a peer. */
export interface Ruled extends Rules {
  readonly key: string;
  /** Its address, without zone. */
  readonly address: string;
  readonly localAs: number;
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
  const groups = grouped(peers, ({ import: rules, mesh, localAs }) => [rules, mesh !== undefined && localAs]);
  const meshed = new Set(peers.flatMap(({ mesh, localAs }) => (mesh === undefined ? [] : [localAs])));
  return assemble(dialect, 'import', [
    own,
    ...groups.flatMap((group) => {
      const [{ mesh, localAs }] = group;
      const accepted = piecesFor(group, 'import', ranges(group[0].import), {
        // Nobody else says of its own routes that they are the mesh's.
        ...(mesh === undefined ? meshed.size > 0 && { unmark: [...meshed] } : { mark: localAs }),
      });
      return [...accepted, ending(group, 'import')];
    }),
  ]);
}

/**
 * What each peer is told: what its export rules and the pools say, of what was originated here. So no route that a
 * peer told goes on to another, and this host is no transit; but for the mesh's, to clients. Those are of hosts that
 * may have more prefixes than this one knows.
 */
export function exportPolicy(
  dialect: Dialect,
  peers: readonly Ruled[],
  pools: readonly Prefix[],
): EnginePolicy {
  const local = { route_type: dialect.names.local };
  const groups = grouped(peers, (peer) => [
    peer.export,
    peer.nextHop,
    peer.mesh,
    peer.mesh === 'client' && peer.localAs,
  ]);
  return assemble(
    dialect,
    'export',
    groups.flatMap((group) => {
      const [{ export: rules, nextHop, mesh, localAs }] = group;
      const own = piecesFor(group, 'export', within(ranges(rules), pools), { conditions: local, nextHop });
      const passed =
        mesh === 'client' ? piecesFor(group, 'passing', within(ranges(rules), ALL), { passes: localAs }) : [];
      return [...own, ...passed, ending(group, 'export')];
    }),
  );
}

/** The rules of every peer, out of the names of the statements that end each group's part. */
export function rulesIn(
  policies: readonly { statements?: readonly { name?: string }[] }[],
): Map<string, Rules> {
  const found = new Map<
    string,
    { import: PrefixRule[]; export: PrefixRule[]; mesh?: NonNullable<Peer['mesh']> }
  >();
  for (const { statements } of policies) {
    for (const { name } of statements ?? []) {
      const match = /^net-routed-\w+ (import|export) (\{.*\})$/.exec(name ?? '');
      if (!match) continue;
      const direction = match[1] as 'import' | 'export';
      const memo = JSON.parse(match[2]!) as {
        peers: string[];
        rules: PrefixRule[];
        mesh?: NonNullable<Peer['mesh']>;
      };
      for (const key of memo.peers) {
        const entry = found.get(key) ?? { import: [], export: [] };
        entry[direction] = memo.rules;
        if (memo.mesh !== undefined) entry.mesh = memo.mesh;
        found.set(key, entry);
      }
    }
  }
  return found;
}

type Group = readonly [Ruled, ...Ruled[]];

/** What is done with routes besides accepting them; AS numbers are those of marks. */
interface Treatment {
  readonly conditions?: Message;
  readonly nextHop?: string | undefined;
  /** Gets the mark of the mesh. */
  readonly mark?: number;
  /** Loses it. */
  readonly unmark?: readonly number[];
  /** Only with the mark, which is taken off; the next hop stays. */
  readonly passes?: number;
}

interface Piece extends Treatment {
  readonly name: string;
  readonly addresses?: readonly string[];
  readonly ranges?: readonly Range[];
  readonly accept: boolean;
}

/** Everything, of both families. */
const ALL: readonly Prefix[] = ['0.0.0.0/0', '::/0'].map((text) => Prefix.parse(text));

/** Peers that are alike, in the order of their keys. */
function grouped(peers: readonly Ruled[], by: (peer: Ruled) => unknown): Group[] {
  const sorted = [...peers].sort((a, b) => (a.key < b.key ? -1 : 1));
  return [...Map.groupBy(sorted, (peer) => JSON.stringify(by(peer))).values()] as unknown as Group[];
}

function ranges(rules: readonly PrefixRule[]): Range[] {
  return rules.map((rule) => rangeOf(rule));
}

/** What is accepted of a group's routes, by family. */
function piecesFor(group: Group, what: string, some: readonly Range[], treatment: Treatment): Piece[] {
  const addresses = group.map(({ address }) => address);
  return ([4, 6] as const).flatMap((family) => {
    const these = flattened(some.filter(({ prefix }) => prefix.family === family));
    if (these.length === 0) return [];
    return [
      { name: `${group[0].key} ${what} IPv${family}`, addresses, ranges: these, accept: true, ...treatment },
    ];
  });
}

/** The end of a group's part: that nothing else is accepted, with the rules to read again. */
function ending(group: Group, direction: 'import' | 'export'): Piece {
  const [{ [direction]: rules, mesh }] = group;
  const memo = { peers: group.map(({ key }) => key), rules, ...(direction === 'export' && { mesh }) };
  return {
    name: `${direction} ${JSON.stringify(memo)}`,
    addresses: group.map(({ address }) => address),
    accept: false,
  };
}

function assemble(dialect: Dialect, direction: string, pieces: readonly Piece[]): EnginePolicy {
  const { names } = dialect;
  const digest = createHash('sha256')
    .update(JSON.stringify([direction, pieces, 2]))
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
      ...(piece.passes !== undefined && {
        large_community_set: setOf(names.communitySet, { list: [pattern(piece.passes)] }),
      }),
    },
    actions: actionsOf(dialect, piece),
  }));
  return { name: prefixName, sets, policy: { name: prefixName, statements } };
}

function actionsOf({ names }: Dialect, { accept, nextHop, mark, unmark, passes }: Piece): Message {
  const removed = passes === undefined ? unmark : [passes];
  return {
    route_action: accept ? names.accept : names.reject,
    // By its address: version 3.36 does not know its own when there is a zone in it.
    ...(nextHop !== undefined && { nexthop: { address: nextHop } }),
    ...(passes !== undefined && { nexthop: { unchanged: true } }),
    ...(mark !== undefined && { large_community: { type: names.add, communities: [meshMark(mark)] } }),
    ...(removed && { large_community: { type: names.remove, communities: removed.map(pattern) } }),
  };
}

/** A mark as a regular expression. */
function pattern(asn: number): string {
  return `^${meshMark(asn)}$`;
}
