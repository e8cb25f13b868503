/** Whole daemons in a cluster, without Docker: how it grows, how soon all know a change, what it takes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type BareHost, makeBareCluster, removeBareCluster } from '../../lab/bare.ts';
import { until } from '../../lab/wait.ts';
import { DriverClient, type NetworkIds } from '../driver.ts';
import { pause, timed } from '../flight.ts';
import { memoryHere, processorMs } from '../memory.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';
import { SOCKET } from '../stage.ts';

const SIZES = [5, 16, 50] as const;
/** Until the last of so many has a change, at most: of the design, as for the following. */
const VISIBLE_MS = (size: number) => (size <= 16 ? 100 : 150);
/** How long processor time is counted, in milliseconds. */
const IDLE_MS = 20_000;
const LOAD_MS = 15_000;
/** Addresses that all hosts together ask for, and give back, in a second. */
const RATE = 200;
/** What a daemon says of what it knows, small enough to be asked often. */
const pools = z.object({ pools: z.array(z.object({ prefix: z.string() })) });
const store = z.object({ origins: z.array(z.unknown()) });

async function run(bench: Bench): Promise<Finding> {
  const figures: Figure[] = [];
  for (const size of SIZES.slice(0, bench.count(SIZES.length, 1))) {
    const folder = mkdtempSync(join(tmpdir(), 'net-routed-bench-'));
    let hosts: readonly BareHost[] = [];
    try {
      const grown = await timed(async () => {
        hosts = await makeBareCluster(size, folder);
      });
      bench.say(`${size} daemons are a cluster after ${Math.round(grown / 1000)} s`);
      await alike(hosts);
      figures.push(figure(`${size} daemons started and joined, one after the other`, 's', [grown / 1000]));
      figures.push(...(await measured(bench, hosts)));
    } finally {
      await removeBareCluster(hosts);
      rmSync(folder, { recursive: true });
    }
  }
  return {
    figures,
    notes: [
      'each daemon is a process in a network namespace of its own, all on one bridge; no Docker and no engine: what ' +
        'the cluster takes by itself; of all daemons on all cores of this machine',
      'a change: RequestPool on one host, until the operator API of the last host shows the pool; hosts are asked one ' +
        'after the other, which takes about 2 ms for each and is in the figure',
      `load: ${RATE} RequestAddress a second on all hosts together, each given back; from hosts in turn`,
      'goals: those of the design: a change visible (of a node, without asking each daemon in turn); an acknowledged ' +
        'allocation; 10 % of a core at 1,000 operations a second in 5 hosts; 15 s to be alike; memory of a daemon',
      'processor time: of the daemons, in percent of a core for each; memory: RSS of each, and PSS, where what is ' +
        'shared counts in parts',
    ],
  };
}

async function measured({ count }: Bench, hosts: readonly BareHost[]): Promise<Figure[]> {
  const size = hosts.length;
  const clients = hosts.map((host) => new DriverClient(host.path(SOCKET)));
  try {
    const idle = await shares(hosts, () => pause(count(IDLE_MS, 1000)));
    const visible: number[] = [];
    for (let at = 0; at < count(30, 2); at++) {
      const [one, prefix] = [clients[(at * 7) % size]!, `10.${at + 1}.0.0/16`];
      visible.push(
        await timed(async () => {
          await one.requestPool(prefix);
          for (const host of hosts) await until('the pool is known', () => knows(host, prefix), PATIENCE);
        }),
      );
    }
    const networks = await Promise.all(clients.map((client) => client.createNetwork('10.200.0.0/16')));
    const calls: number[] = [];
    const busy = await shares(hosts, () => load(clients, networks, count(LOAD_MS, 1000), calls));
    const healed = await timed(() => alike(hosts));
    const memory = hosts.map(({ pid }) => memoryHere(pid));
    const MB = 1024 * 1024;
    return [
      figure(`the last of ${size} daemons shows a new pool`, 'ms', visible, {
        goal: `p99 <= ${VISIBLE_MS(size)}`,
      }),
      figure(`processor time of each of ${size} daemons, nothing to do`, '%', idle),
      figure(`processor time of each of ${size} daemons, ${RATE} addresses a second in all`, '%', busy, {
        goal: '<= 10',
      }),
      figure(`RequestAddress meanwhile, ${size} daemons`, 'ms', calls, { goal: 'p99 <= 5' }),
      figure(`all ${size} stores alike after that`, 'ms', [healed], { goal: '<= 15000' }),
      figure(
        `RSS of each of ${size} daemons`,
        'MB',
        memory.map(({ rss }) => rss / MB),
        { goal: '< 100' },
      ),
      figure(
        `PSS of each of ${size} daemons`,
        'MB',
        memory.map(({ pss }) => pss / MB),
      ),
    ];
  } finally {
    for (const client of clients) client.close();
  }
}

const PATIENCE = { timeoutMs: 60_000 };

async function knows(host: BareHost, prefix: string): Promise<boolean> {
  return pools.parse(await host.get('/v1/pools')).pools.some((one) => one.prefix === prefix);
}

/** Until all hosts have the same records. */
async function alike(hosts: readonly BareHost[]): Promise<void> {
  await until(
    'all stores are alike',
    async () => {
      const all = new Set<string>();
      for (const host of hosts) all.add(JSON.stringify(store.parse(await host.get('/v1/store')).origins));
      return all.size === 1;
    },
    PATIENCE,
  );
}

/** The part of a core that each daemon takes during the work, in percent. */
async function shares(hosts: readonly BareHost[], work: () => Promise<unknown>): Promise<number[]> {
  const before = hosts.map(({ pid }) => processorMs(pid));
  const ms = await timed(work);
  return hosts.map(({ pid }, at) => ((processorMs(pid) - before[at]!) / ms) * 100);
}

/** Asks for addresses at the rate, each on the next host, and gives them back; notes how long each took. */
async function load(
  clients: readonly DriverClient[],
  networks: readonly NetworkIds[],
  ms: number,
  calls: number[],
): Promise<void> {
  const started = performance.now();
  const open = new Set<Promise<void>>();
  let failure: unknown;
  for (let due = 0; performance.now() - started < ms; due++) {
    const wait = started + (due * 1000) / RATE - performance.now();
    if (wait > 0) await pause(wait);
    const [client, network] = [clients[due % clients.length]!, networks[due % clients.length]!];
    const one = (async () => {
      try {
        const began = performance.now();
        const address = await client.requestAddress(network);
        calls.push(performance.now() - began);
        await client.releaseAddress({ ...network, address, endpoint: '' });
      } catch (error) {
        failure ??= error;
      }
    })().finally(() => open.delete(one));
    open.add(one);
  }
  await Promise.all(open);
  if (failure) throw failure;
}

export const daemonsRow: Row = { name: 'daemons', lab: 'none', run };
