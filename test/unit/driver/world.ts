import assert from 'node:assert/strict';
import { Cluster } from '../../../src/cluster/protocol/cluster.ts';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import type { Ground } from '../../../src/cluster/protocol/ports.ts';
import type { Context } from '../../../src/driver/context.ts';
import { Driver } from '../../../src/driver/driver.ts';
import { PoolSpaces } from '../../../src/driver/spaces.ts';
import type { Endpoint } from '../../../src/model/endpoint.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import { NAMESPACES } from '../../../src/plan/namespaces.ts';
import { State } from '../../../src/plan/state.ts';
import type { Listener } from '../../../src/ports/kernel.ts';
import type { LearnedRoute } from '../../../src/ports/speaker.ts';
import { MemoryStore } from '../../../src/store/memory.ts';
import type { Replica } from '../../../src/store/replica.ts';

/** A store for `clusterOf`, of the founder of a cluster. */
export function founded(): MemoryStore {
  const store = new MemoryStore({ classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]) });
  const founder = { number: 1, key: 'k', complete: true, name: 'h1' };
  store.write([{ key: `member/${store.origin}`, value: founder }], () => {});
  store.flush();
  return store;
}

/** The cluster's part of a host, which moves only when it is asked to unless it is given time. */
export function clusterOf(store: Replica, spaces: PoolSpaces, ground: Partial<Ground> = {}): Cluster {
  const quiet = () => {};
  return new Cluster({
    replica: store,
    ground: {
      calls: { ask: () => assert.fail('there is nobody to ask') },
      timer: { now: () => 1_000_000, after: () => quiet },
      random: () => 0.5,
      log: { info: quiet, warn: quiet },
      ...ground,
    },
    boot: 'a boot',
    restMs: 60_000,
    isUsed: spaces.isUsed,
    judge: spaces.judge,
    describe: spaces.describe,
  });
}

/** A host that does all it is asked to at once. */
export function contextOf(
  store: Replica,
  state: State,
  cluster: Cluster,
  spaces: PoolSpaces,
  time: { now: number },
) {
  const dead = new Set<string>();
  /** Alive as far as anybody can tell, but in no sandbox that is there. */
  const absent = new Set<string>();
  const marked: string[] = [];
  const learned = new Map<string, LearnedRoute>();
  const listeners: Listener[] = [];
  const quiet = () => {};
  const context: Context = {
    store,
    state,
    cluster,
    spaces,
    clock: { now: () => time.now, after: () => quiet },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    making: new Set(),
    automatic: [Prefix.parse('10.128.0.0/9'), Prefix.parse('fd6e:7264::/32')],
    spread: 0n,
    restMs: 60_000,
    incarnation: () => 'this boot',
    alive: (endpoint: Endpoint) => !dead.has(endpoint.id),
    present: (endpoint: Endpoint) => !dead.has(endpoint.id) && !absent.has(endpoint.id),
    expect: (id) => void dead.delete(id),
    holder: (address) => learned.get(Prefix.host(address).toString()),
    claimed: () => undefined,
    listeners: async (port) => listeners.filter((one) => port === undefined || one.port === port),
    settled: async (endpoint) => void marked.push(endpoint),
    mark: (endpoint) => void marked.push(endpoint),
  };
  return { context, dead, absent, marked, learned, listeners };
}

/** A driver on a memory store, alone. */
export function world(change: Partial<Context> = {}) {
  const store = founded();
  const state = new State(store);
  const time = { now: 1_000_000 };
  const spaces = new PoolSpaces(store, state);
  const cluster = clusterOf(store, spaces, { timer: { now: () => time.now, after: () => () => {} } });
  const host = contextOf(store, state, cluster, spaces, time);
  const context = { ...host.context, ...change };
  const driver = new Driver(context);
  return { ...host, store, state, cluster, time, context, driver };
}

export type World = ReturnType<typeof world>;

/** Everything that the store holds, to show that a call changed nothing. */
export function contents({ store }: World): string {
  const namespaces = ['network', 'pool', 'pool-use', 'allocation', 'endpoint'];
  return JSON.stringify(
    namespaces.flatMap((namespace) =>
      [...store.list(namespace)].map(({ key, value }) => [key, Object.entries(value as object).sort()]),
    ),
  );
}

export const POOL = { pool: '10.1.0.0/16', options: {}, v6: false };
const SPACE = 'net-routed';

/** A network `n1` with the subnet 10.1.0.0/16, as dockerd creates one. */
export async function withNetwork(change: Partial<Context> = {}): Promise<World & { pool: string }> {
  const it = world(change);
  const { id } = await it.driver.requestPool(POOL);
  await it.driver.createNetwork({
    network: 'n1',
    options: {},
    internal: false,
    ipv4: [{ addressSpace: SPACE, pool: '10.1.0.0/16', auxAddresses: {} }],
    ipv6: [],
  });
  return { ...it, pool: id };
}

/** An endpoint with the address, as dockerd creates one. */
export async function endpoint(
  it: World & { pool: string },
  id: string,
  address: string,
  options: Record<string, string> = {},
) {
  const held = await it.driver.requestAddress({ pool: it.pool, address, gateway: false });
  return it.driver.createEndpoint({ network: 'n1', endpoint: id, address: held.address, options });
}
