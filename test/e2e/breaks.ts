/** Breaking the network between hosts of one link, and mending it. */
import type { Host } from '../../lab/host.ts';

const TABLE = 'netdev broken';

/** The hardware address of a host on the link. */
async function macOf(host: Host): Promise<string> {
  const [link] = JSON.parse(await host.must(['ip', '-j', 'link', 'show', 'eth0'])) as { address: string }[];
  return link!.address;
}

/** `at` hears nothing of these any more, not even who they are on the link. They may well hear it. */
export async function deafen(at: Host, to: readonly Host[]): Promise<void> {
  const macs = await Promise.all(to.map(macOf));
  const rules = `table ${TABLE} {
    chain from {
      type filter hook ingress device eth0 priority 0
      ether saddr { ${macs.join(', ')} } drop
    }
  }\n`;
  await at.must(['nft', '-f', '-'], { input: rules });
}

/** No frame goes between the two sides. */
export async function part(one: readonly Host[], other: readonly Host[]): Promise<void> {
  await Promise.all([...one.map((host) => deafen(host, other)), ...other.map((host) => deafen(host, one))]);
}

/** All hear each other again. */
export async function mend(hosts: readonly Host[]): Promise<void> {
  // Adding it first makes removing it work wherever it was not.
  await Promise.all(hosts.map((host) => host.must(['nft', `add table ${TABLE}; delete table ${TABLE}`])));
}
