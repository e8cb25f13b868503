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
 * route servers' clients only, so there is one policy for all, whose statements look at the neighbour.
 */
export function importPolicy(dialect: Dialect, peers: readonly Ruled[]): EnginePolicy {
  const own: Piece = { name: 'own', conditions: { route_type: dialect.names.local }, accept: true };
  return assemble(dialect, 'import', [
    own,
    ...peers.flatMap((peer) =>
      piecesOf(
        peer,
        peer.import.map((rule) => rangeOf(rule)),
        `import ${peer.key} ${write(peer.import)}`,
        {},
      ),
    ),
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
  return assemble(
    dialect,
    'export',
    peers.flatMap((peer) =>
      piecesOf(
        peer,
        within(
          peer.export.map((rule) => rangeOf(rule)),
          pools,
        ),
        `export ${peer.key} ${write(peer.export)}`,
        { route_type: dialect.names.local },
        peer.nextHop,
      ),
    ),
  );
}

/** The rules of every peer, out of the names of the statements that end the peer's part. */
export function rulesIn(
  policies: readonly { statements?: readonly { name?: string }[] }[],
): Map<string, Rules> {
  const found = new Map<string, { import: PrefixRule[]; export: PrefixRule[] }>();
  for (const { statements } of policies) {
    for (const { name } of statements ?? []) {
      const match = /^net-routed-\w+ (import|export) (peer \S+) (\[.*\])$/.exec(name ?? '');
      if (!match) continue;
      const [, direction, key, rules] = match as unknown as [string, 'import' | 'export', string, string];
      const entry = found.get(key) ?? { import: [], export: [] };
      entry[direction] = JSON.parse(rules);
      found.set(key, entry);
    }
  }
  return found;
}

interface Piece {
  readonly name: string;
  readonly address?: string;
  readonly ranges?: readonly Range[];
  readonly conditions: Message;
  readonly accept: boolean;
  readonly nextHop?: string | undefined;
}

/** A peer's part: what is accepted, by family, and at the end that nothing else is. */
function piecesOf(
  peer: Ruled,
  ranges: readonly Range[],
  last: string,
  conditions: Message,
  nextHop?: string,
): Piece[] {
  const { address } = peer;
  const accepted = ([4, 6] as const).flatMap((number) => {
    const some = flattened(ranges.filter(({ prefix }) => prefix.family === number));
    if (some.length === 0) return [];
    return [{ name: `${peer.key} IPv${number}`, address, ranges: some, conditions, accept: true, nextHop }];
  });
  return [...accepted, { name: last, address, conditions: {}, accept: false }];
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
      ...(piece.address !== undefined && {
        neighbor_set: setOf(names.neighborSet, { list: [hostOf(piece.address)] }),
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

function write(rules: readonly PrefixRule[]): string {
  return JSON.stringify(rules);
}
