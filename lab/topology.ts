/** The underlay: which addresses are where, and the links that carry them. */
import { enterNetwork } from './namespace.ts';
import { hostsMax, type Link } from './plan.ts';
import type { ProcessId } from './process.ts';
import { must, run, succeeded } from './run.ts';
import { all, until } from './wait.ts';

/** Name of the fabric router, and of the plain host behind it. */
export const torName = 'tor';
export const outName = 'out';

/** AS number of the fabric router. */
export const torAs = 65000;

/** Names of the Docker hosts. */
export const hostNames = (count: number): string[] => Array.from({ length: count }, (_, at) => `h${at + 1}`);

/** Number of a Docker host, from its name. */
const hostNumber = (name: string): number => Number(/^h(\d+)$/.exec(name)?.[1] ?? Number.NaN);

/** Addresses of the link between a Docker host and the fabric router. */
export function underlay(name: string) {
  const n = hostNumber(name);
  return {
    torPort: `swp${n}`,
    host4: `192.168.${n}.2`,
    tor4: `192.168.${n}.1`,
    host6: `fd00:168:${n}::2`,
    tor6: `fd00:168:${n}::1`,
  };
}

/** Which names lead to which addresses on each host, as lines of /etc/hosts. */
export const hostLines = (): string =>
  hostNames(hostsMax)
    .map((name) => `${underlay(name).host4} ${name}\n`)
    .join('');

/** The plain host's addresses; two per family so that one can be blocked and the other not. */
const outAddresses = ['192.0.2.10', '192.0.2.11', '2001:db8::10', '2001:db8::11'];

/** A veth pair between two namespaces. It is made in them, so no link is ever seen in the machine's own. */
const link = (from: ProcessId, fromName: string, to: ProcessId, toName: string): string =>
  `link add ${fromName} netns ${from.pid} type veth peer name ${toName} netns ${to.pid}`;

const address = (device: string, prefix: string): string =>
  `address replace ${prefix} dev ${device}${prefix.includes(':') ? ' nodad' : ''}`;

const batch = async (lines: string[], where: string[] = []): Promise<void> => {
  await must([...where, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
};

/** Removes links that an ended host's network, which the kernel takes down in its own time, still has here. */
async function disconnect(init: ProcessId, names: string[]): Promise<void> {
  const inHost = enterNetwork(init);
  const gone = async (): Promise<boolean> => {
    const links = JSON.parse(await must([...inHost, 'ip', '-json', 'link'])) as { ifname: string }[];
    const left = names.filter((name) => links.some((link) => link.ifname === name));
    for (const name of left) {
      const argv = [...inHost, 'ip', 'link', 'delete', name];
      const result = await run(argv);
      if (!result.stderr.includes('Cannot find device')) succeeded(argv, result);
    }
    return left.length === 0;
  };
  await until(`the old links ${names.join(', ')} to go`, gone, { timeoutMs: 10_000 });
}

/** What all hosts' addresses on the underlay are in, and the router's bridge that is the link which they share. */
const underlays = ['192.168.0.0/16', 'fd00:168::/32'];
const sharedLink = 'lan';

/** Connects Docker hosts to the fabric router, each by a link of its own or all by one. */
export async function connectHosts(
  tor: ProcessId,
  hosts: Record<string, ProcessId>,
  kind: Link,
): Promise<void> {
  const ends = Object.entries(hosts).map(([name, init]) => ({ init, ...underlay(name) }));
  if (ends.length === 0) return;
  await all([
    disconnect(
      tor,
      ends.map(({ torPort }) => torPort),
    ),
    ...ends.map(({ init }) => disconnect(init, ['eth0'])),
  ]);
  await batch(ends.map(({ init, torPort }) => link(init, 'eth0', tor, torPort)));
  const isShared = kind === 'shared';
  if (isShared) await makeBridge(tor);
  const torLines = ends.flatMap(({ torPort, tor4, tor6 }) => [
    ...(isShared ? [`link set ${torPort} master ${sharedLink}`] : []),
    address(isShared ? sharedLink : torPort, `${tor4}/24`),
    address(isShared ? sharedLink : torPort, `${tor6}/64`),
    `link set ${torPort} up`,
  ]);
  await batch(torLines, enterNetwork(tor));
  await all(
    ends.map(({ init, host4, host6, tor4, tor6 }) =>
      batch(
        [
          address('eth0', `${host4}/24`),
          address('eth0', `${host6}/64`),
          'link set eth0 up',
          `route replace default via ${tor4}`,
          `route replace ::/0 via ${tor6}`,
          ...(isShared ? underlays.map((prefix) => `route replace ${prefix} dev eth0`) : []),
        ],
        enterNetwork(init),
      ),
    ),
  );
}

async function makeBridge(tor: ProcessId): Promise<void> {
  const inTor = enterNetwork(tor);
  const { status } = await run([...inTor, 'ip', 'link', 'show', sharedLink]);
  if (status !== 0) await batch([`link add ${sharedLink} type bridge`, `link set ${sharedLink} up`], inTor);
}

/** Connects the plain host to the fabric router. */
export async function connectOut(tor: ProcessId, out: ProcessId): Promise<void> {
  await all([disconnect(tor, ['uplink']), disconnect(out, ['eth0'])]);
  await batch([link(out, 'eth0', tor, 'uplink')]);
  await batch(
    [address('uplink', '192.0.2.1/24'), address('uplink', '2001:db8::1/64'), 'link set uplink up'],
    enterNetwork(tor),
  );
  await batch(
    [
      ...outAddresses.map((at) => address('eth0', at.includes(':') ? `${at}/64` : `${at}/24`)),
      'link set eth0 up',
      'route replace default via 192.0.2.1',
      'route replace ::/0 via 2001:db8::1',
    ],
    enterNetwork(out),
  );
}
