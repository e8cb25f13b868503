import { CodedError } from '../errors.ts';
import { parseIfname } from '../net/ifname.ts';
import { linkSysctls } from '../net/linksysctl.ts';
import { kernelKey, type Listener, type Route, type Sysctl } from '../ports/kernel.ts';

/** What a memory kernel has beside what is ours. */
export class MemoryHost {
  /** Interfaces that are not ours, with their addresses in CIDR. */
  readonly links = new Map<string, { readonly addresses: readonly string[] }>();
  /** Keys of routes that are not ours. */
  readonly routes = new Set<string>();
  /** `LINK CIDR` of addresses on our links that are not ours. */
  readonly addresses = new Set<string>();
  /** By path: our links whose other end is inside, and the addresses of that. */
  readonly sandboxes = new Map<string, Map<string, Set<string>>>();
  /** Sockets of programs. */
  readonly listeners: Listener[] = [];
  /** Settings of the host, by path. */
  readonly sysctls = new Map<string, string>([
    ['net/ipv4/ip_forward', '0'],
    ['net/ipv6/conf/all/forwarding', '0'],
  ]);

  plantLink(name: string, addresses: readonly string[] = []): void {
    this.links.set(name, { addresses });
  }

  plantRoute(route: Route): void {
    this.routes.add(kernelKey(route));
  }

  plantAddress(link: string, address: string): void {
    this.addresses.add(`${link} ${address}`);
  }

  openSandbox(path: string): void {
    this.sandboxes.set(path, new Map());
  }

  /** What Docker does after Join. */
  moveInto(path: string, link: string): void {
    this.sandboxes.get(path)?.set(link, new Set());
  }

  closeSandbox(path: string): void {
    this.sandboxes.delete(path);
  }

  putSysctl({ path, value }: Sysctl): void {
    if (!this.sysctls.has(path)) throw new CodedError('NR_KERNEL_REFUSED', `there is no setting ${path}`);
    this.sysctls.set(path, value);
  }

  /** As a new link has them: none as we want it. */
  defaultSysctls(name: string): Sysctl[] {
    return linkSysctls(parseIfname(name)).map((one) => ({ ...one, value: one.value === '0' ? '1' : '0' }));
  }
}
