import type { Services } from '../../driver/services.ts';
import { asCoded } from '../../errors.ts';
import { wallOf } from '../../ports/clock.ts';
import { kernelKey } from '../../ports/kernel.ts';
import { behindRouters, behindText } from '../behind.ts';
import { bounded } from '../bounded.ts';
import { isDown, showPeers } from '../peers.ts';
import type { Pulse } from '../pulse.ts';
import type { CheckView, DoctorView } from '../views.ts';
import { fail, ok, some, warn } from './check.ts';
import { checkCluster } from './cluster.ts';
import { checkLocal } from './local.ts';
import { checkPublished } from './published.ts';
import { compareThree, type ThreeViews } from './three.ts';

/** Longest wait for Docker, and for the kernel, in milliseconds. */
const WAIT_MS = 10_000;
/** What is younger than this may still be on its way, in milliseconds. */
const YOUNG_MS = 60_000;

/** All checks: of the host, of this daemon, and of what Docker, store and kernel say of each other. */
export async function diagnose(services: Services, pulse: Pulse): Promise<DoctorView> {
  const { paths, state } = services;
  const endpoints = [...state.endpoints.all()].length;
  const groups = await Promise.all([
    checkLocal({ ...paths, gobgpd: paths.gobgpd, endpoints }),
    checkDaemon(services, pulse),
    threeViews(services).then(compareThree, (error: unknown) => failed('kernel', error)),
    checkPublished(services).catch((error: unknown) => failed('published ports', error)),
  ]);
  return { checks: groups.flat(), fixed: [] };
}

function failed(name: string, error: unknown): CheckView[] {
  const { what, remedy } = asCoded(error);
  return [fail(name, what, remedy)];
}

async function checkDaemon(services: Services, pulse: Pulse): Promise<CheckView[]> {
  const { speaker, version, facts, host, storeRefusal } = services;
  const refusal = storeRefusal();
  const failures = pulse.failures();
  const engine = speaker.engine();
  const { address, addressV6 } = host();
  const { uplink } = facts();
  const own = [address, addressV6].filter((one) => one !== undefined).join(', ');
  return [
    ok('daemon', `version ${version}`),
    pulse.live() ? ok('loop', 'goes on') : fail('loop', 'hangs', 'restart the daemon: packets go on to flow'),
    ...(refusal ? failed('store', refusal) : [ok('store', 'takes writes')]),
    ...failures
      .slice(0, 20)
      .map(({ lane, key, code, what, remedy }) => fail(`${lane}: ${key}`, `${code}: ${what}`, remedy)),
    engine.up
      ? ok('engine', `${engine.name} ${engine.version}`)
      : fail(
          'engine',
          engine.reason ?? 'is down',
          'read the log of the daemon: it tells how the engine ended',
        ),
    ...(await checkPeers(services)),
    own === ''
      ? fail(
          'addresses',
          'the host has none that others can route to',
          'give the uplink one, or set --address',
        )
      : ok('addresses', own),
    uplink
      ? ok('uplink', `${uplink.name}, MTU ${uplink.mtu}`)
      : warn('uplink', 'no interface has a default route', 'set --address and --mtu'),
    ...checkMtu(services),
    ...checkCluster(services.membership.describe(), services.clock.now()),
  ];
}

async function checkPeers(services: Services): Promise<CheckView[]> {
  const { peers, problems } = await showPeers(services);
  if (problems.length > 0) return problems.map(({ what, remedy }) => warn('peers', what, remedy));
  if (peers.length === 0)
    return [warn('peers', 'none: addresses are known on this host only', remedyFor(services))];
  const checks = peers.map((peer) => {
    const { neighbour, state, reason } = peer;
    if (!isDown(peer))
      return ok(`peer ${neighbour}`, state === 'established' ? state : `${state}, just begun`);
    const remedy = 'check that it is reachable, and address, AS number and password on both sides';
    return fail(`peer ${neighbour}`, reason === undefined ? state : `${state}: ${reason}`, remedy);
  });
  const routers = behindRouters(services, peers);
  return [...checks, ...routers.map((one) => warn(`router ${one.router}`, ...behindText(one)))];
}

/** By what a host without peers gets some: those of its cluster come by themselves. */
function remedyFor({ membership }: Services): string {
  const { state } = membership.describe();
  if (state === 'waiting') return 'net-routed status tells what it waits for; or set --peer and --peer-as';
  if (state === 'alone')
    return 'let it join other hosts (net-routed init, token and join), or set --peer and --peer-as';
  return 'let other hosts join (net-routed token), or set --peer and --peer-as';
}

function checkMtu({ state, facts, host }: Services): CheckView[] {
  const { uplink } = facts();
  if (!uplink) return [];
  const large = [...state.endpoints.all()].filter((endpoint) => {
    return (endpoint.mtu ?? state.networks.get(endpoint.network)?.mtu ?? host().mtu) > uplink.mtu;
  });
  if (large.length === 0) return [ok('MTU', `no endpoint has more than the ${uplink.mtu} of ${uplink.name}`)];
  const ids = large.map(({ id }) => id.slice(0, 12));
  return [
    warn(
      'MTU',
      `more than the ${uplink.mtu} of ${uplink.name}: ${some(ids)}`,
      'create the network with -o mtu',
    ),
  ];
}

async function threeViews({ docker, state, clock, kernel, reconciler }: Services): Promise<ThreeViews> {
  const listed = await bounded(docker.networks(), WAIT_MS, 'Docker').catch(() => undefined);
  const there = await bounded(kernel.read(), WAIT_MS, 'kernel');
  const { tracker } = reconciler.kernel;
  const settled = (item: { createdAt: number }) => Math.abs(wallOf(clock) - item.createdAt) > YOUNG_MS;
  const missing = [...tracker.allWanted()].map(kernelKey).filter((key) => !there.has(key));
  return {
    docker: listed,
    networks: [...state.networks.all()].map((one) => ({ id: one.id, settled: settled(one) })),
    endpoints: [...state.endpoints.all()].map((one) => ({ id: one.id, settled: settled(one) })),
    // Settings are nobody's: they come and go with their link.
    stray: [...there]
      .filter(([key, { kind }]) => kind !== 'sysctl' && tracker.wanted(key) === undefined)
      .map(([key]) => key),
    missing,
  };
}
