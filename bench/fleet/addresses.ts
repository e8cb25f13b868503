/** The driver's way to addresses, on a node without a daemon around it. */
import { systemClock } from '../../src/clock.ts';
import type { ClusterNode } from '../../src/cluster/node/node.ts';
import { Addresses } from '../../src/driver/addresses.ts';
import type { Context } from '../../src/driver/context.ts';
import { PoolSpaces, spaceChange } from '../../src/driver/spaces.ts';
import { type Pool, poolId } from '../../src/model/pool.ts';
import { State } from '../../src/plan/state.ts';
import type { Change } from '../../src/ports/store.ts';
import { log } from './log.ts';

const PREFIX = '10.0.0.0/8';
const POOL: Pool = {
  id: poolId('default', PREFIX),
  tenant: 'default',
  prefix: PREFIX,
  space: 'bench',
  gateway: '169.254.1.1',
  gatewayGiven: false,
  auxiliary: [],
  automatic: false,
  createdAt: 1_795_000_000_000,
};

/** Records of a pool with 16 million addresses. */
export function poolOf(): Change[] {
  return [{ key: `pool/${POOL.id}`, value: POOL }, spaceChange(POOL)];
}

/** Allocates an address as a RequestAddress of Docker does: durable when the promise resolves. */
export function allocating({ replica, cluster }: ClusterNode, restMs: number): () => Promise<string> {
  const state = new State(replica);
  const context: Context = {
    store: replica,
    state,
    cluster,
    spaces: new PoolSpaces(replica, state),
    clock: systemClock,
    log,
    making: new Set(),
    automatic: [],
    spread: BigInt(`0x${replica.origin.slice(0, 12)}`),
    restMs,
    incarnation: () => 'bench',
    alive: () => true,
    present: () => true,
    expect: () => {},
    holder: () => undefined,
    listeners: async () => [],
    settled: async () => {},
    claimed: () => {},
    mark: () => {},
  };
  const addresses = new Addresses(context);
  return () => addresses.choose(POOL);
}
