import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Services } from '../driver/services.ts';
import { attentionOf } from './attention.ts';
import { behindRouters } from './behind.ts';
import { showCluster } from './cluster.ts';
import { silentElsewhere } from './elsewhere.ts';
import { showEndpoints } from './endpoints.ts';
import type { Known } from './names.ts';
import { conflictsOf } from './networks.ts';
import { showPeers } from './peers.ts';
import { showPools } from './pools.ts';
import { problemOf } from './problem.ts';
import type { Pulse } from './pulse.ts';
import type { StatusView } from './views.ts';

/** The daemon at a glance. */
export async function showStatus(services: Services, pulse: Pulse, known: Known): Promise<StatusView> {
  const { state, clock, reconciler, learned, speaker, paths, version, startedAt } = services;
  const failures = pulse.failures();
  const endpoints = showEndpoints(services, failures, known);
  const { peers } = await showPeers(services);
  const announced = [...reconciler.speaker.tracker.there().values()].filter(
    ({ kind }) => kind === 'announcement',
  );
  const facts: Omit<StatusView, 'attention'> = {
    version,
    startedAt: new Date(startedAt).toISOString(),
    uptime: Math.round((clock.now() - startedAt) / 1000),
    host: showHost(services),
    engine: { ...speaker.engine() },
    peers: { established: peers.filter((peer) => peer.state === 'established').length, total: peers.length },
    networks: [...state.networks.all()].length,
    endpoints: { total: endpoints.length, up: endpoints.filter((one) => one.state === 'up').length },
    routes: { announced: announced.length, learned: learned.all().size },
    cluster: showCluster(services.membership.describe(), clock.now()),
    loop: { live: pulse.live(), ...reconciler.stats },
    failures,
    ...showTrouble(services),
    pools: await showPools(services, known),
    paths: {
      store: join(paths.stateDir, 'store.db'),
      runDir: paths.runDir,
      pluginDir: paths.pluginDir,
      dockerSocket: paths.dockerSocket,
    },
    log: logTarget(),
  };
  const { obstacles } = services.propagation;
  const more = {
    conflicts: conflictsOf(services, known),
    obstacles,
    silent: silentElsewhere(services),
    behind: behindRouters(services, peers),
  };
  return { ...facts, attention: attentionOf(facts, peers, endpoints, more) };
}

function showTrouble({ janitor, clock, storeRefusal }: Services): Pick<StatusView, 'store' | 'docker'> {
  const { trouble } = janitor;
  const refusal = storeRefusal();
  const seconds = Math.round((clock.now() - (trouble?.since ?? 0)) / 1000);
  return {
    ...(refusal && { store: problemOf(refusal) }),
    ...(trouble && { docker: { ...problemOf(trouble.error), count: trouble.count, seconds } }),
  };
}

function showHost({ host, facts, identity, identityStale }: Services): StatusView['host'] {
  const { address, addressV6, mtu } = host();
  const { uplink } = facts();
  const known = identity();
  return {
    ...(address !== undefined && { address }),
    ...(addressV6 !== undefined && { addressV6 }),
    ...(uplink && { uplink: uplink.name }),
    mtu,
    ...(known && { routerId: known.routerId, as: known.asn }),
    ...(identityStale() && { routerIdStale: true }),
  };
}

/** Where standard error goes to, which is where the log goes. */
function logTarget(): string {
  if (process.env.JOURNAL_STREAM) return 'journal';
  try {
    const path = readlinkSync('/proc/self/fd/2');
    return path.startsWith('/') && !path.startsWith('/dev/') ? path : 'standard error';
  } catch {
    return 'standard error';
  }
}
