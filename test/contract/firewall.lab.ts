import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NftFirewall } from '../../src/firewall/nft.ts';
import { type FirewallResource, firewallKey } from '../../src/ports/firewall.ts';
import { Node } from './firewall.node.ts';
import { put, remove, source, succeed } from './firewall.suite.ts';

/** Container a: addresses and the host's end of its link. */
export const A = { link: 'nra000000000', v4: '10.1.0.2', v6: 'fd00:9::2' };
export const B = { link: 'nrb000000000', v4: '10.1.0.3', v6: 'fd00:9::3' };
/** The host, towards the client. */
export const HOST = { v4: '192.0.2.1', v6: '2001:db8::1' };
/** The client also has every address of 192.0.2.0/25 from .2 to .9 and 2001:db8::2 to ::9. */
export const CLIENT = { v4: '192.0.2.2', v6: '2001:db8::2' };

/** A host with the firewall, two containers behind it, and a client on its other side. */
export class Lab {
  readonly host: Node;
  readonly a: Node;
  readonly b: Node;
  readonly client: Node;
  readonly firewall: NftFirewall;
  readonly #folder: string;

  private constructor([host, a, b, client]: readonly Node[]) {
    this.host = host!;
    this.a = a!;
    this.b = b!;
    this.client = client!;
    this.#folder = mkdtempSync(join(tmpdir(), 'net-routed-'));
    this.firewall = new NftFirewall({ command: [...host!.namespace.enter, 'nft'], folder: this.#folder });
  }

  static async open(): Promise<Lab> {
    const lab = new Lab(await Promise.all([Node.open(), Node.open(), Node.open(), Node.open()]));
    const { host, a, b, client } = lab;
    for (const node of [host, a, b, client]) {
      await node.run(`cd /proc/sys/net
        for each in all default; do echo 0 > ipv6/conf/$each/accept_dad; echo 0 > ipv4/conf/$each/rp_filter; done
        echo 0 > ipv6/icmp/ratelimit; echo 0 > ipv4/icmp_ratelimit`);
    }
    await host.run(`cd /proc/sys/net; echo 1 > ipv4/ip_forward; echo 1 > ipv6/conf/all/forwarding
      ip link add name up0 type veth peer name eth0 netns ${client.namespace.pid}
      ip link set dev up0 up; ip addr add ${HOST.v4}/24 dev up0; ip addr add ${HOST.v6}/64 dev up0 nodad`);
    const more = [2, 3, 4, 5, 6, 7, 8, 9];
    await client.run(`ip link set dev eth0 up
      ${more.map((n) => `ip addr add 192.0.2.${n}/24 dev eth0; ip addr add 2001:db8::${n}/64 dev eth0 nodad`).join('\n')}
      ip route add default via ${HOST.v4}; ip -6 route add default via ${HOST.v6}`);
    await lab.#attach(a, A);
    await lab.#attach(b, B);
    for (const [node, { v4, v6 }] of [
      [a, A],
      [b, B],
      [client, CLIENT],
    ] as const) {
      // Bound to the address, as UDP would answer from any.
      await Promise.all([node.serve('tcp', '::', 80), node.serve('udp', v4, 80), node.serve('udp', v6, 80)]);
    }
    return lab;
  }

  async #attach(node: Node, { link, v4, v6 }: typeof A): Promise<void> {
    await this.host.run(`
      ip link add name ${link} group 158 type veth peer name eth0 netns ${node.namespace.pid}
      ip link set dev ${link} up
      ip addr add 169.254.1.1/32 dev ${link} scope link; ip addr add fe80::1/64 dev ${link} nodad`);
    await node.run(`ip link set dev eth0 up; ip addr add ${v4}/32 dev eth0; ip addr add ${v6}/128 dev eth0 nodad
      ip route add 169.254.1.1 dev eth0; ip route add default via 169.254.1.1
      ip -6 route add default via fe80::1 dev eth0`);
    await this.host.run(`ip route add ${v4} dev ${link}; ip -6 route add ${v6} dev ${link}`);
  }

  /** Makes the firewall hold the sources of both containers and these resources, and nothing else. */
  async holds(...resources: readonly FirewallResource[]): Promise<void> {
    const wanted = [
      ...[A, B].flatMap(({ link, v4, v6 }) => [source(link, v4), source(link, v6)]),
      ...resources,
    ];
    const keys = new Set(wanted.map(firewallKey));
    const superfluous = [...(await this.firewall.read()).values()].filter((r) => !keys.has(firewallKey(r)));
    await succeed(this.firewall, [...superfluous.map(remove), ...wanted.map(put)]);
  }

  /** Packets that a named counter of the table has counted. */
  async counted(name: 'spoofed' | 'invalid' | 'refused'): Promise<number> {
    return Number(/packets (\d+)/.exec(await this.host.run(`nft list counter inet net_routed ${name}`))![1]);
  }

  async close(): Promise<void> {
    await this.firewall.close();
    await Promise.all([this.host, this.a, this.b, this.client].map((node) => node.close()));
    rmSync(this.#folder, { recursive: true });
  }
}
