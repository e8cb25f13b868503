/** `docker run` of a container of ours against one of Docker's own bridge. */
import type { Host } from '../../lab/host.ts';
import { clear, createNetwork, DockerApi, docker } from '../dockerapi.ts';
import { timed } from '../flight.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';

const OURS = 'bench';
const OWN = 'benchbridge';
const GOAL = 'ratio <= 1.0';

interface Samples {
  readonly command: number[];
  readonly ping: number[];
  readonly api: number[];
  readonly remove: number[];
}

const none = (): Samples => ({ command: [], ping: [], api: [], remove: [] });

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const host = lab.host('h1');
  const api = new DockerApi(host);
  await createNetwork(host, OURS, '10.1.0.0/16');
  await docker(host, 'network', 'create', '--subnet', '172.31.0.0/16', OWN);
  const samples: Record<string, Samples> = { [OURS]: none(), [OWN]: none() };
  const rounds = count(30, 3);
  // Two rounds unmeasured: the first containers of a dockerd are slower.
  for (let round = -2; round < rounds; round++) {
    // Who comes second finds warmer caches, so they take turns.
    for (const network of round % 2 === 0 ? [OURS, OWN] : [OWN, OURS]) {
      const into = round < 0 ? none() : samples[network]!;
      await byCommand(host, network, into);
      into.api.push(await timed(async () => api.run(network)));
      await docker(host, 'rm', '-f', '-v', ...(await docker(host, 'ps', '-q')).split('\n'));
    }
    if (round % 10 === 9) say(`${round + 1} of ${rounds} rounds`);
  }
  api.close();
  await clear(host);
  await docker(host, 'network', 'rm', OWN);
  const pair = (what: string, of: keyof Samples, goal?: string) => {
    const against = samples[OWN]![of];
    return [
      figure(`${what}, net-routed`, 'ms', samples[OURS]![of], { against, ...(goal && { goal }) }),
      figure(`${what}, bridge`, 'ms', against),
    ];
  };
  return {
    figures: [
      ...pair('docker run -d', 'command', GOAL),
      ...pair('docker run -d, then ping from the host answered', 'ping'),
      ...pair('create and start by the API', 'api'),
      ...pair('docker rm -f', 'remove'),
    ],
    notes: [
      'from the start of the docker command in the host to its end; the bridge is a bridge network of its own, ' +
        'the networks take turns; with the ping: until the first answer, one process for it included',
    ],
  };
}

async function byCommand(host: Host, network: string, samples: Samples): Promise<void> {
  const started = performance.now();
  const id = await docker(host, 'run', '-d', '--network', network, 'busybox:local', 'sleep', '36000');
  const running = performance.now() - started;
  samples.command.push(running);
  const format = `{{.NetworkSettings.Networks.${network}.IPAddress}}`;
  const address = await docker(host, 'inspect', '-f', format, id);
  const answered = await timed(() => host.must(['ping', '-n', '-c', '1', '-W', '5', address]));
  samples.ping.push(running + answered);
  samples.remove.push(await timed(() => docker(host, 'rm', '-f', id)));
}

export const runRow: Row = { name: 'run', lab: 'docker', run };
