/** Hosts as rows need them: an empty daemon, network namespaces, waiting for what takes time. */
import type { Host } from '../lab/host.ts';
import { until } from '../lab/wait.ts';
import { DriverClient } from './driver.ts';

export const SOCKET = '/run/docker/plugins/net-routed.sock';

/** Waits until something is so, a minute at most. */
export function eventually(what: string, probe: () => boolean | Promise<boolean>): Promise<boolean> {
  return until(what, probe, { timeoutMs: 60_000 });
}

export const driverOf = (host: Host): DriverClient => new DriverClient(host.path(SOCKET));

/** Id of the engine's process as the host counts; undefined when none runs. */
export async function enginePid(host: Host): Promise<number | undefined> {
  const { stdout } = await host.exec(['pgrep', '-x', 'gobgpd']);
  return Number(stdout.trim().split('\n')[0]) || undefined;
}

export async function killEngine(host: Host): Promise<void> {
  const pid = await enginePid(host);
  if (pid !== undefined) await host.must(['kill', '-KILL', String(pid)]);
}

interface Status {
  readonly failures: readonly unknown[];
  readonly peers: { readonly established: number };
}

/** Waits until the daemon has its peer and nothing in the way. */
export async function wellOn(host: Host): Promise<void> {
  await eventually(`all is well on ${host.name}`, async () => {
    const { status, stdout } = await host.exec(['net-routed', 'status', '--json']);
    if (status !== 0) return false;
    const { failures, peers } = JSON.parse(stdout) as Status;
    return failures.length === 0 && peers.established > 0;
  });
}

/**
 * A daemon that knows nothing, with its session. The engine goes on, and the daemon takes back what it announced there,
 * unless a new one is wanted as well.
 */
export async function fresh(host: Host, newEngine = false): Promise<void> {
  await host.stopDaemon();
  if (newEngine) await killEngine(host);
  await host.must(['rm', '-rf', '/var/lib/net-routed']);
  await host.startDaemon();
  await wellOn(host);
}

/** Network namespaces as Docker's sandboxes are; their paths. */
export async function sandboxes(host: Host, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, at) => `bench${at}`);
  await removeSandboxes(host);
  await host.must(['ip', '-batch', '-'], { input: names.map((name) => `netns add ${name}\n`).join('') });
  return names.map((name) => `/run/netns/${name}`);
}

export async function removeSandboxes(host: Host): Promise<void> {
  await host.must(['sh', '-c', 'ip netns list | cut -d" " -f1 | sed "s/^/netns delete /" | ip -batch -']);
}

/** How many calls are in flight where several are. */
export const PARALLEL = 50;
