/** Fleets of each kind, ready for use. */
import type { ClusterCrew } from './cluster.ts';
import { atRandom, Fleet } from './fleet.ts';
import { makeFolder, removeFolder } from './folder.ts';
import { foundCluster } from './founding.ts';
import { HERE } from './namespace.ts';
import type { Crew } from './protocol.ts';

/** Connections that each node of the others opens, as many as one of ours, which is told of as many. */
const DEGREE = 3;

/** What a crew can be told besides: to make changes by itself, so many a second on each node. */
export interface Churning extends Crew {
  churn(rate: number): void | Promise<void>;
  calm(): unknown;
}

/** A cluster whose nodes know each other, for as long as the work takes. */
export async function withCluster<T>(
  nodes: number,
  processes: number,
  namespaces: readonly string[],
  work: (fleet: Fleet<ClusterCrew>) => Promise<T>,
  addressOf: (node: number) => string = () => HERE,
): Promise<T> {
  const folder = makeFolder('cluster');
  try {
    const orders = await foundCluster(nodes, folder, addressOf);
    // Not all with the first one: 200 that come to it from one address are more than it lets near at a time.
    const options = { kind: 'cluster', orders, processes, namespaces, friends: atRandom(DEGREE) };
    return await during(await Fleet.start<ClusterCrew>(options), work);
  } finally {
    removeFolder(folder);
  }
}

/** Nodes of something else, on connections by chance. */
export async function withOthers<T>(
  kind: 'gossipsub' | 'yjs',
  nodes: number,
  processes: number,
  namespace: string,
  work: (fleet: Fleet<Churning>) => Promise<T>,
): Promise<T> {
  const orders = Array.from({ length: nodes }, () => ({}));
  const options = { kind, orders, processes, namespaces: [namespace], friends: atRandom(DEGREE) };
  return during(await Fleet.start<Churning>(options), work);
}

async function during<C extends Crew, T>(fleet: Fleet<C>, work: (fleet: Fleet<C>) => Promise<T>): Promise<T> {
  try {
    await fleet.settled();
    return await work(fleet);
  } finally {
    await fleet.end();
  }
}
