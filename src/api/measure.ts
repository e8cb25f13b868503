import { Counter, Gauge, Registry } from 'prom-client';
import type { Services } from '../driver/services.ts';
import { showHosts } from './cluster.ts';
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

  measureCluster(services, { counter, gauge, labelled, registers });

  const { commits, failed, conflicts, merged, refused, observerFailures } = storeCounts();
  counter('store_commits_total', 'Commits that are durable', commits);
  counter('store_commits_failed_total', 'Commits that the disk refused', failed);
  counter('store_conflicts_total', 'Commits that lost against another one', conflicts);
  counter('store_merged_total', 'Records that came from other hosts', merged);
  counter('store_refused_total', 'Records from other hosts that cannot stand', refused);
  counter(
    'store_observer_failures_total',
    'Failures at what a record says; each is in the log',
    observerFailures,
  );
  gauge(
    'store_records',
    'Records in the store, those of other hosts and removed ones too',
    services.storeRecords(),
  );
  return registry;
}

interface Made {
  counter(name: string, help: string, value: number): void;
  gauge(name: string, help: string, value: number): void;
  labelled<L extends string>(name: string, help: string, ...labelNames: L[]): Gauge<L>;
  readonly registers: Registry[];
}

/** The cluster's part; nothing but that there is none for a host alone. */
function measureCluster(
  { membership, clock }: Services,
  { counter, gauge, labelled, registers }: Made,
): void {
  const { state, member } = membership.describe();
  const states = labelled('cluster_state', 'How this host is in its cluster', 'state');
  for (const one of ['alone', 'waiting', 'joining', 'member', 'leaving', 'halted'])
    states.set({ state: one }, Number(one === state));
  if (!member) return;
  const members = labelled('cluster_members', 'Members by state', 'state');
  const offsets = labelled('cluster_clock_offset_seconds', 'How far ahead clocks of others are', 'host');
  for (const one of showHosts({ state, id: '', name: '', member }, clock.now())) {
    members.inc({ state: one.state });
    if (one.clockOffset !== undefined) offsets.set({ host: one.name }, one.clockOffset);
  }
  gauge('cluster_links', 'Members that gossip is exchanged with', member.links);
  gauge('cluster_problems', 'What does not work, as status shows it', member.problems.length);
  if (member.keyHolders)
    gauge('cluster_key_holders', "Members that hold the cluster's key", member.keyHolders.length);
  if (member.certifiedUntil !== undefined) {
    const help = "End of this host's certificate, since 1970";
    gauge('cluster_certificate_end_seconds', help, member.certifiedUntil / 1000);
  }
  const { sentBytes, receivedBytes, sentFrames, receivedFrames } = member.traffic;
  counter('cluster_sent_bytes_total', 'To other hosts, before TLS', sentBytes);
  counter('cluster_received_bytes_total', 'From other hosts, before TLS', receivedBytes);
  counter('cluster_sent_frames_total', 'Messages to other hosts', sentFrames);
  counter('cluster_received_frames_total', 'Messages from other hosts', receivedFrames);
  const { compared, repaired, unmended } = member.repairs;
  counter('cluster_compared_total', 'Comparisons of all records with another host', compared);
  counter('cluster_repaired_total', 'Records that were not as elsewhere, and are again', repaired);
  counter('cluster_unmended_total', "Times that a host's records were still not as elsewhere", unmended);
  const refused = new Counter({
    name: 'net_routed_cluster_refused_total',
    help: 'Connections that did not come about, and what members told that was not believed, by reason',
    labelNames: ['reason'],
    registers,
  });
  for (const [reason, count] of member.refused) refused.inc({ reason }, count);
  const closed = new Counter({
    name: 'net_routed_cluster_closed_total',
    help: 'Connections that ended, by reason',
    labelNames: ['reason'],
    registers,
  });
  for (const [reason, count] of member.closed) closed.inc({ reason: wordOf(reason) }, count);
  const { probes } = member;
  counter('cluster_probe_sent_packets_total', 'UDP packets to other hosts', probes.traffic.sent);
  counter('cluster_probe_received_packets_total', 'UDP packets that came', probes.traffic.received);
  gauge('cluster_probe_health', 'How slow this host finds itself, from 0 to 8', probes.health);
  const dropped = new Counter({
    name: 'net_routed_cluster_probe_refused_total',
    help: 'UDP packets that were not taken, by reason',
    labelNames: ['reason'],
    registers,
  });
  for (const [reason, count] of probes.refused) dropped.inc({ reason }, count);
}

/** A word for the label: some reasons are sentences, with ids in them. */
function wordOf(reason: string): string {
  return /^[a-zA-Z_-]+$/.test(reason) ? reason : 'said';
}
