import type { Declined } from '../model/declined.ts';
import type { Logical } from '../model/logical.ts';
import type { Network } from '../model/network.ts';
import { same } from '../plan/tracker.ts';
import { differences } from './logical.ts';

/** What a host's copies are planned from. */
export interface Known {
  readonly logicals: readonly Logical[];
  /** What they are called, by their ids. */
  readonly names: ReadonlyMap<string, string>;
  /** Ids of the members that have a network which somebody made there by hand, by the ids of its pools. */
  readonly makers: ReadonlyMap<string, readonly string[]>;
  /** Whether a host was forgotten: its networks were not removed by anybody. */
  readonly isForgotten: (host: string) => boolean;
  /** Whether this host is the first of those that have a network. */
  readonly isFirst: (network: Network) => boolean;
  /** The networks of this host. */
  readonly here: readonly Network[];
  readonly declined: readonly Declined[];
  /** Whether all records of networks can be read. One that cannot be may be of any that somebody made by hand. */
  readonly isSure: boolean;
  /** Whether this host is to have copies. Those that it has go in any case when it is time. */
  readonly makes: boolean;
}

/** What is to be done on one host. */
export interface Copies {
  readonly make: readonly { readonly logical: Logical; readonly name: string }[];
  readonly remove: readonly Network[];
  /** Copies that stay only because not all records can be read. */
  readonly held: readonly Network[];
  /** Copies as they are to be written down: who has made them, and that they stay after all. */
  readonly write: readonly Network[];
  /** Ids of the logical networks of which it does not matter any more that they were removed here by hand. */
  readonly forget: readonly string[];
}

/**
 * Which networks of the cluster this host is to have by itself. One is there as long as a member has it that somebody
 * made there by hand. If all of those were forgotten, nobody has removed it: then the first host that has it takes it
 * over, as if it had been made there. As long as that is not sure, nothing is removed, taken over or forgotten. Pure.
 */
export function planCopies(known: Known): Copies {
  const { logicals, names, here, declined, isSure, makes, isForgotten, isFirst } = known;
  const byPool = new Map(logicals.flatMap((one) => one.pools.map((pool) => [pool, one] as const)));
  const byId = new Map(logicals.map((one) => [one.id, one]));
  const makersOf = ({ pools }: Logical) =>
    [...new Set(pools.flatMap((pool) => known.makers.get(pool) ?? []))].sort();
  const isWanted = (logical: Logical) => makersOf(logical).length > 0;

  const stays: Network[] = [];
  const remove: Network[] = [];
  const held: Network[] = [];
  for (const network of here) {
    if (network.copy === undefined) continue;
    const logical = network.pools.map((pool) => byPool.get(pool)).find((one) => one !== undefined);
    const left = !!logical && !isWanted(logical) && !!network.makers?.some(isForgotten);
    const isRight = logical && (isWanted(logical) || left) && differences(logical, network).length === 0;
    if (!isSure) {
      const makers = [...new Set([...(network.makers ?? []), ...(logical ? makersOf(logical) : [])])].sort();
      stays.push(logical && isWanted(logical) ? kept(network, makers) : network);
      if (!isRight) held.push(network);
      continue;
    }
    if (!isRight) remove.push(network);
    else stays.push(left ? takenOver(network, isFirst(network)) : kept(network, makersOf(logical)));
  }
  const before = new Map(here.map((network) => [network.id, network]));

  const poolsHere = new Set(here.flatMap(({ pools }) => pools));
  const madeHere = new Set(here.filter(({ copy }) => copy === undefined).flatMap(({ pools }) => pools));
  const counts = ({ network, createdAt }: Declined) => {
    const logical = byId.get(network);
    const isSame = logical?.createdAt === createdAt;
    return !!logical && isSame && isWanted(logical) && !logical.pools.some((pool) => madeHere.has(pool));
  };
  const refused = new Set(declined.filter(counts).map(({ network }) => network));
  const isMissing = (logical: Logical) =>
    makes &&
    isWanted(logical) &&
    !logical.pools.some((pool) => poolsHere.has(pool)) &&
    !refused.has(logical.id);
  return {
    make: logicals.filter(isMissing).flatMap((logical) => {
      const name = names.get(logical.id);
      return name === undefined ? [] : [{ logical, name }];
    }),
    remove,
    held,
    write: stays.filter((network) => !same(network, before.get(network.id))),
    forget: declined.filter((one) => isSure && !counts(one)).map(({ network }) => network),
  };
}

function kept(network: Network, makers: string[]): Network {
  return { ...network, makers, copy: network.copy === 'ending' ? 'kept' : network.copy };
}

function takenOver(network: Network, isFirst: boolean): Network {
  const { copy, makers, ...own } = network;
  return isFirst ? own : kept(network, makers ?? []);
}
