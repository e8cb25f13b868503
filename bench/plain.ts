/** A network namespace routed by a host's kernel with nothing but ip: what a container costs without net-routed. */
import type { Host } from '../lab/host.ts';

const NAME = 'plain';
const LINK = 'px0';

const subnet = (host: Host): string => `10.200.${host.name.slice(1)}`;

/** Its address. */
export const plainAddress = (host: Host): string => `${subnet(host)}.2`;

/** The words before a command that make it run in there. */
export const plainInside = ['ip', 'netns', 'exec', NAME];

/** Makes one on a Docker host, and its route on the router. */
export async function makePlain(host: Host, router: Host): Promise<void> {
  const lines = [
    `netns add ${NAME}`,
    `link add ${LINK} type veth peer name eth0 netns ${NAME}`,
    `address add ${subnet(host)}.1/24 dev ${LINK}`,
    `link set ${LINK} up`,
  ];
  await host.must(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  const inside = [
    `address add ${plainAddress(host)}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${subnet(host)}.1`,
  ];
  await host.must(['ip', '-n', NAME, '-batch', '-'], { input: `${inside.join('\n')}\n` });
  await router.must(['ip', 'route', 'replace', `${subnet(host)}.0/24`, 'via', underlayOf(host)]);
}

export async function removePlain(host: Host, router: Host): Promise<void> {
  await host.must(['ip', 'netns', 'delete', NAME]);
  await router.must(['ip', 'route', 'delete', `${subnet(host)}.0/24`]);
}

const underlayOf = (host: Host): string => `192.168.${host.name.slice(1)}.2`;
