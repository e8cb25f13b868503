import type { Obstacle } from '../driver/propagation.ts';
import { type Behind, behindText } from './behind.ts';
import { isDown } from './peers.ts';
import type { EndpointView, PeerView, PoolView, StatusView } from './views.ts';

/** What a person should look at first, the worst before the rest; empty when all is well. Pure. */
export function attentionOf(
  { loop, store, failures, docker, engine, host, pools, cluster }: Omit<StatusView, 'attention'>,
  peers: readonly PeerView[],
  endpoints: readonly EndpointView[],
  more: {
    readonly conflicts?: readonly { readonly name: string; readonly why: string }[];
    readonly obstacles?: readonly Obstacle[];
    /** Hosts that are not heard, with how many endpoints they have. */
    readonly silent?: readonly { readonly name: string; readonly endpoints: number }[];
    readonly behind?: readonly Behind[];
  } = {},
): StatusView['attention'] {
  const { conflicts = [], obstacles = [], silent = [], behind = [] } = more;
  const list: StatusView['attention'] = [];
  const add = (what: string, remedy: string) => list.push({ what, remedy });
  if (!loop.live)
    add('the reconcile loop hangs', 'restart the daemon: packets go on to flow; report this with the log');
  if (store) add(`${store.code}: nothing can be changed: ${store.what}`, store.remedy);
  for (const [remedy, group] of Map.groupBy(failures, (failure) => failure.remedy)) {
    const first = group[0]!;
    const more = group.length > 1 ? ` (and ${group.length - 1} more)` : '';
    add(`${first.code}: ${first.what}, for ${first.seconds} s${more}`, remedy);
  }
  for (const { code, what, remedy } of cluster.problems) add(`${code}: ${what}`, remedy);
  const [holder, another] = cluster.keyHolders ?? [];
  if (holder !== undefined && another === undefined && (cluster.members?.total ?? 0) > 1)
    add(
      `host ${holder} alone holds the key of the cluster: without it no host can be let in, and no certificate renewed`,
      `have one or two others hold it as well, on ${holder}: net-routed share HOST`,
    );
  const { heard = 0, total = 0 } = cluster.members ?? {};
  // It is this host that is not heard.
  const isOut = cluster.state === 'halted' || (heard === 1 && total > 2);
  for (const { name, endpoints: count } of isOut ? [] : silent)
    add(
      `endpoints of host ${name}, which is not heard: ${count}`,
      'net-routed endpoints --all lists them; if the host will not return: net-routed forget',
    );
  if (host.routerId === undefined) {
    add(
      'the routing engine is not started: the host has no address to make a BGP router id of',
      'give the uplink an address, or set --address or --router-id',
    );
  } else if (!engine.up) {
    add(
      `the routing engine is down${engine.reason === undefined ? '' : `: ${engine.reason}`}`,
      'net-routed doctor checks the engine; learned routes stay in force',
    );
  }
  const down = peers.filter(isDown);
  if (engine.up && down.length > 0) {
    const names = down.slice(0, 3).map(({ neighbour }) => neighbour);
    add(
      `peers that are down: ${names.join(', ')}${down.length > 3 ? ', …' : ''}`,
      'net-routed peers tells why',
    );
  }
  for (const one of behind) add(...behindText(one));
  if (host.routerIdStale)
    add(
      `the router id ${host.routerId} was made of an address that the host has no more`,
      'it is kept while a session is established; set --router-id to keep it for good',
    );
  if (host.routerId !== undefined && host.address === undefined && host.addressV6 === undefined) {
    add('the host has no address that others can route to', 'give the uplink an address, or set --address');
  }
  if (docker) {
    const long = `for ${docker.seconds} s, ${docker.count} times`;
    add(`${docker.code}: no comparison with Docker ${long}: ${docker.what}`, docker.remedy);
  }
  for (const { id, container, addresses } of endpoints) {
    for (const { address, lost } of addresses) {
      if (lost === undefined) continue;
      add(
        `${container?.name ?? `endpoint ${id.slice(0, 12)}`} has lost ${address}, which was given away while this host was forgotten: ${lost}`,
        'docker restart gives the container another address; with --ip, stop the one that has it first',
      );
    }
  }
  const withheld = endpoints.filter(({ state }) => state === 'withheld').length;
  if (withheld > 0)
    add(
      `endpoints that others do not reach until they are given their addresses again: ${withheld}`,
      'they are asked for by themselves; net-routed hosts tells whether a host is silent that has to answer',
    );
  for (const { addresses } of endpoints) {
    for (const { address, conflict } of addresses) {
      if (conflict === undefined) continue;
      add(
        `${address} is announced by ${conflict} too`,
        'remove one of the two containers, or set driver-opt anycast=true on both',
      );
    }
  }
  for (const { name, why } of conflicts)
    add(`network ${name}: ${why}`, 'it works as it is; remove it here and create it as the cluster has it');
  for (const { network, error } of obstacles)
    add(`${error.code}: network ${network}: ${error.what}`, error.remedy);
  const gone = endpoints.filter(({ state }) => state === 'gone');
  if (gone.length > 0)
    add(
      `endpoints without a way into their container: ${gone.length}`,
      'docker restart connects a container that runs; net-routed doctor --fix removes what Docker does not have',
    );
  for (const pool of pools) {
    if (!nearlyFull(pool)) continue;
    const { range, prefix, free, size } = pool;
    add(
      `pool ${range ?? prefix} has ${free} of ${size} addresses left`,
      `use a larger ${range === undefined ? 'subnet' : '--ip-range'}`,
    );
  }
  for (const pool of heard < total ? pools : []) {
    if (!runsDry(pool)) continue;
    add(
      `pool ${pool.range ?? pool.prefix}: this host can give ${pool.spare} more, and gets no further addresses from hosts that are not heard`,
      'bring them back, or let them be forgotten if they will not return: net-routed hosts',
    );
  }
  return list;
}

/** So little is left that this host would have been given more, if it could. */
function runsDry({ spare, part, free }: PoolView): boolean {
  return spare !== undefined && 2n * BigInt(spare) < BigInt(part) && BigInt(spare) < BigInt(free);
}

/** Fewer than one in twenty left. */
function nearlyFull({ free, size }: PoolView): boolean {
  return BigInt(free) * 20n < BigInt(size);
}
