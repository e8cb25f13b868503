/** One TCP stream between containers on two hosts against the same between the hosts. */
import type { Host } from '../../lab/host.ts';
import { clear, createNetwork, sleeper } from '../dockerapi.ts';
import { makePlain, plainAddress, plainInside, removePlain } from '../plain.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';
import { eventually } from '../stage.ts';

interface Report {
  readonly end: { readonly sum_received: { readonly bits_per_second: number } };
}

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const [h1, h2] = [lab.host('h1'), lab.host('h2')];
  for (const host of [h1, h2]) await createNetwork(host, 'bench', '10.1.0.0/16');
  const near = await sleeper(h1, 'near', '--network', 'bench', '--ip', '10.1.0.2');
  const far = await sleeper(h2, 'far', '--network', 'bench', '--ip', '10.1.0.3');
  const inside = (pid: number) => ['nsenter', '-t', String(pid), '-n'];
  const containers: number[] = [];
  const hosts: number[] = [];
  const plain: number[] = [];
  for (const host of [h1, h2]) await makePlain(host, lab.tor);
  const seconds = count(3, 1);
  for (let round = 0; round < count(7, 1); round++) {
    hosts.push(await stream(h1, [], h2, [], '192.168.2.2', seconds));
    containers.push(await stream(h1, inside(near), h2, inside(far), '10.1.0.3', seconds));
    plain.push(await stream(h1, plainInside, h2, plainInside, plainAddress(h2), seconds));
    say(
      `hosts ${hosts.at(-1)!.toFixed(1)}, containers ${containers.at(-1)!.toFixed(1)}, plain ${plain.at(-1)!.toFixed(1)} Gbit/s`,
    );
  }
  for (const host of [h1, h2]) {
    await clear(host);
    await removePlain(host, lab.tor);
  }
  return {
    figures: [
      figure('container to container on another host', 'Gbit/s', containers, {
        against: hosts,
        goal: 'ratio >= 0.95',
      }),
      figure('the same against plain namespaces', 'Gbit/s', containers, { against: plain }),
      figure('host to host', 'Gbit/s', hosts),
      figure('plain namespaces routed the same way', 'Gbit/s', plain, { against: hosts }),
    ],
    notes: [
      `iperf3, one stream of ${seconds} s, taking turns; hosts are network namespaces of this machine behind a router ` +
        'namespace, so the processor is the limit and not a wire: each packet is forwarded three times instead of ' +
        'once, which a wire would hide; plain: veth and routes by ip alone, so what is missing to those is ours',
    ],
  };
}

/** Gbit/s that arrived. */
async function stream(
  from: Host,
  fromInside: readonly string[],
  to: Host,
  toInside: readonly string[],
  address: string,
  seconds: number,
): Promise<number> {
  const server = to.spawn([...toInside, 'iperf3', '-s', '-1'], 'ignore');
  const listens = [...toInside, 'sh', '-c', "ss -Htln 'sport = :5201' | grep -q ."];
  await eventually('iperf3 listens', async () => (await to.exec(listens)).status === 0);
  const client = ['iperf3', '-c', address, '-t', String(seconds), '-O', '0.5', '-J'];
  const text = await from.must([...fromInside, ...client]);
  await server.done;
  const { end } = JSON.parse(text) as Report;
  return end.sum_received.bits_per_second / 1e9;
}

export const streamRow: Row = { name: 'stream', lab: 'docker', run };
