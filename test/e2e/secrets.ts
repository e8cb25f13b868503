/** What tests of clusters that form by a secret have in common. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Host } from '../../lab/host.ts';
import { hostsView, type StatusView, statusView } from '../../src/api/views.ts';
import { eventually } from './support.ts';

export const SECRET_FILE = '/etc/net-routed/cluster.secret';

/** Puts the secrets there as careful hands do: nobody sees half of a file. */
export async function putSecrets(host: Host, ...secrets: string[]): Promise<void> {
  const script = `umask 077; mkdir -p /etc/net-routed; cat > ${SECRET_FILE}.new; mv ${SECRET_FILE}.new ${SECRET_FILE}`;
  await host.must(['sh', '-c', script], { input: secrets.map((secret) => `${secret}\n`).join('') });
}

/** A secret as the command draws it; `of`: for the cluster of the one on that host. */
export async function newSecret(host: Host, isNext = false): Promise<string> {
  return (await host.must(['net-routed', 'secret', ...(isNext ? ['--of', SECRET_FILE] : [])])).trim();
}

export async function statusOf(host: Host): Promise<StatusView> {
  return statusView.parse(JSON.parse(await host.must(['net-routed', 'status', '--json'])));
}

/** Waits until a host sees exactly these members: `h1 present, h2 present`, ordered by name. */
export async function sees(host: Host, wanted: string, timeoutMs = 40_000): Promise<void> {
  await eventually(
    `${host.name} sees ${wanted}`,
    async () => {
      const { hosts } = hostsView.parse(
        JSON.parse(await host.must(['net-routed', 'hosts', '--all', '--json'])),
      );
      const all = hosts.map(({ name, state }) => `${name} ${state}`);
      return all.sort().join(', ') === wanted;
    },
    timeoutMs,
  );
}

/** Prometheus' text of a host. */
export async function metricsOf(host: Host): Promise<string> {
  const call = request({
    socketPath: host.path('/run/net-routed/api.sock'),
    path: '/metrics',
    agent: false,
  }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return text(response);
}

/** A count: 0 for what is not counted yet. */
export async function counted(host: Host, name: string, labels = ''): Promise<number> {
  const line = (await metricsOf(host))
    .split('\n')
    .find((one) => one.startsWith(`net_routed_${name}${labels} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** How many connections were refused for that reason. */
export function refusedFor(host: Host, reason: string): Promise<number> {
  return counted(host, 'cluster_refused_total', `{reason="${reason}"}`);
}
