import { Counter, Gauge, Registry } from 'prom-client';
import type { Services } from '../driver/services.ts';
import { showPeers } from './peers.ts';
import type { Pulse } from './pulse.ts';

/** Everything that is read off the running parts, in a registry of its own: nothing of it is kept between two. */
export async function measure(services: Services, pulse: Pulse): Promise<Registry> {
  const { state, reconciler, learned, speaker, driver, version, clock, startedAt, storeCounts } = services;
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, value: number) =>
    new Counter({ name: `net_routed_${name}`, help, registers }).inc(value);
  const gauge = (name: string, help: string, value: number) =>
    new Gauge({ name: `net_routed_${name}`, help, registers }).set(value);
  const labelled = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge<L>({ name: `net_routed_${name}`, help, labelNames, registers });

  labelled('info', 'Version of the daemon', 'version').set({ version }, 1);
  gauge('uptime_seconds', 'Since the daemon started', (clock.now() - startedAt) / 1000);
  gauge('resident_memory_bytes', 'Memory of the daemon', process.memoryUsage.rss());

  const { passes, resyncs, errors, lastPassMs } = reconciler.stats;
  counter('loop_passes_total', 'Passes of the reconcile loop', passes);
  counter('loop_resyncs_total', 'Times that everything was read back', resyncs);
  counter('loop_errors_total', 'Passes and read-backs that failed as a whole', errors);
  gauge('loop_last_pass_seconds', 'Duration of the last pass', lastPassMs / 1000);
  gauge('loop_live', 'Whether the reconcile loop goes on', Number(pulse.live()));
  const failures = labelled('failures', 'Keys that do not work now, by what they are of', 'lane');
  for (const { name } of reconciler.lanes) {
    failures.set({ lane: name }, 0);
  }
  for (const { lane } of reconciler.failures()) failures.inc({ lane });

  const endpoints = labelled('endpoints', 'Endpoints by phase', 'phase');
  for (const phase of ['created', 'joined', 'left']) endpoints.set({ phase }, 0);
  for (const { phase } of state.endpoints.all()) endpoints.inc({ phase });
  gauge('networks', 'Networks', [...state.networks.all()].length);
  const addresses = labelled('pool_addresses', 'Addresses of a pool by what they are', 'pool', 'use');
  for (const pool of state.pools.all()) {
    const usage = await driver.holdings.usage(pool);
    for (const [use, count] of Object.entries(usage)) addresses.set({ pool: pool.id, use }, Number(count));
  }

  gauge('learned_routes', 'Prefixes learned from peers', learned.all().size);
  const announced = [...reconciler.speaker.tracker.there().values()].filter(
    ({ kind }) => kind === 'announcement',
  );
  gauge('announcements', 'Prefixes announced to peers', announced.length);
  gauge('engine_up', 'Whether the routing engine can be talked to', Number(speaker.engine().up));
  const established = labelled('peer_established', 'Whether the session with a peer is established', 'peer');
  for (const { neighbour, state: now } of (await showPeers(services)).peers) {
    established.set({ peer: neighbour }, Number(now === 'established'));
  }

  const { commits, failed, conflicts } = storeCounts();
  counter('store_commits_total', 'Commits that are durable', commits);
  counter('store_commits_failed_total', 'Commits that the disk refused', failed);
  counter('store_conflicts_total', 'Commits that lost against another one', conflicts);
  return registry;
}
