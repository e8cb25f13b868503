/** The cluster of a lab's hosts, made by the commands that a user would type. */
import { LabError } from './errors.ts';
import type { Host } from './host.ts';
import { underlay } from './topology.ts';
import { all } from './wait.ts';

/** Longest that a host takes to join, in milliseconds. */
const JOIN_MS = 120_000;

/** Has the first host make a cluster, and the others join it; those that are in one already stay as they are. */
export async function formCluster(hosts: readonly Host[], say: (line: string) => void): Promise<void> {
  const [founder] = hosts;
  if (!founder) return;
  const alone = new Set<Host>();
  await all(
    hosts.map(async (host) => {
      if (await isAlone(host)) alone.add(host);
    }),
  );
  if (alone.has(founder)) {
    say(`${founder.name}# net-routed init`);
    await founder.must(['net-routed', 'init']);
  }
  const newcomers = hosts.filter((one) => alone.has(one) && one !== founder);
  for (const host of newcomers) {
    const at = underlay(founder.name).host4;
    const token = (await founder.must(['net-routed', 'token'])).trim();
    say(`${host.name}# net-routed join ${at} --token ${token.slice(0, 8)}...`);
    const argv = ['net-routed', 'join', at, '--token', '-'];
    const { status, stderr } = await host.exec(argv, { input: token, timeoutMs: JOIN_MS });
    if (status !== 0)
      throw new LabError(`${host.name} did not join the cluster of ${founder.name}: ${stderr.trim()}`);
  }
  const [second] = newcomers;
  if (!alone.has(founder) || !second) return;
  say(`${founder.name}# net-routed share ${second.name}`);
  await founder.must(['net-routed', 'share', second.name]);
}

async function isAlone(host: Host): Promise<boolean> {
  const { cluster } = JSON.parse(await host.must(['net-routed', 'status', '--json'])) as {
    cluster: { state: string };
  };
  return cluster.state === 'alone';
}
