import type { Network } from '../model/network.ts';
import type { Change } from '../ports/store.ts';
import type { Context } from './context.ts';
import { logicalOf } from './logical.ts';
import { record } from './record.ts';

/**
 * Changes, for the write that removes a network, which remember that Docker was told to here: what another host of the
 * cluster has is not made here again by itself. Not for a copy that the daemon removes, nor for one that Docker gave up
 * while it was being made.
 */
export function declines({ state, cluster }: Context, network: Network): Change[] {
  const logical = logicalOf(state, network.pools);
  const isAlone = cluster.members.present().length < 2;
  if (!logical || isAlone || network.copy === 'making' || network.copy === 'ending') return [];
  const { id, createdAt } = logical;
  return [{ key: state.declined.key(id), value: record({ network: id, createdAt }) }];
}
