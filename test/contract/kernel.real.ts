import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { IprouteKernel, type IprouteOptions } from '../../src/kernel/iproute.ts';
import type { Route } from '../../src/ports/kernel.ts';
import { type Bench, UPLINK, until } from './kernel.bench.ts';
import { ip, ipBatch } from './kernel.inside.ts';

/** The kernel of the namespace that this process is in, emptied. */
export async function openReal(
  options?: IprouteOptions,
): Promise<Bench & { readonly kernel: IprouteKernel }> {
  empty();
  ipBatch([
    `link add name ${UPLINK} type veth peer name ${UPLINK}p`,
    `link set dev ${UPLINK} up`,
    `link set dev ${UPLINK}p up`,
    `addr add 192.0.2.1/24 dev ${UPLINK}`,
    `addr add 2001:db8::1/64 dev ${UPLINK} nodad`,
  ]);
  const kernel = new IprouteKernel(options);
  const sandboxes = new Map<string, ChildProcess>();
  const closeSandbox = async (path: string) => {
    const holder = sandboxes.get(path);
    sandboxes.delete(path);
    if (!holder || holder.exitCode !== null) return;
    holder.stdin!.end();
    await once(holder, 'close');
  };
  const within = (path: string, words: string) =>
    execFileSync('nsenter', [`--net=${path}`, 'ip', ...words.split(' ')], { encoding: 'utf8' });
  return {
    kernel,
    async plantLink(name, addresses = []) {
      ipBatch([
        `link add name ${name} type veth peer name ${name.slice(-8)}_p`,
        // They would get an IPv6 address some time after they are up.
        `link set dev ${name} addrgenmode none`,
        `link set dev ${name.slice(-8)}_p addrgenmode none`,
        `link set dev ${name} up`,
        `link set dev ${name.slice(-8)}_p up`,
        ...addresses.map((one) => `addr add ${one} dev ${name}`),
      ]);
    },
    async plantRoute({ prefix, table, metric }: Route) {
      const gateway = prefix.includes(':') ? '2001:db8::7' : '192.0.2.7';
      ip(`route add ${prefix} via ${gateway} dev ${UPLINK} proto static metric ${metric} table ${table}`);
    },
    async plantAddress(link, address) {
      ip(`addr add ${address} scope global dev ${link}`);
    },
    async planted() {
      const links = (JSON.parse(ip('-j -d addr show')) as { ifname: string; group: string }[])
        .filter(({ ifname, group }) => group !== '158' && !/^nr[0-9a-f]{10}c$/.test(ifname))
        .concat(JSON.parse(ip('-j -d link show')).filter(({ ifname }: never) => /_p$/.test(ifname)))
        .map(stable);
      const own = JSON.parse(ip('-j addr show group 158')).flatMap((link: { addr_info?: unknown[] }) =>
        (link.addr_info ?? []).filter((one) => (one as { scope: string }).scope === 'global'),
      );
      return JSON.stringify([links, own, JSON.parse(ip('-j route show table all proto static'))]);
    },
    async vanish(link) {
      ip(`link del dev ${link}`);
    },
    async openSandbox() {
      // Ends with its input, and so with this process.
      const holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up; echo up; exec cat'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await once(holder.stdout!, 'data');
      const path = `/proc/${holder.pid}/ns/net`;
      sandboxes.set(path, holder);
      return path;
    },
    async moveInto(sandbox, link) {
      ip(`link set dev ${link}c netns ${sandbox.split('/')[2]}`);
      within(sandbox, `link set dev ${link}c name eth0`);
      within(sandbox, 'link set dev eth0 up');
    },
    async inSandbox(sandbox) {
      const [link] = JSON.parse(within(sandbox, '-j addr show dev eth0'));
      return (link.addr_info as { local: string; prefixlen: number; scope: string }[])
        .filter(({ scope }) => scope === 'global')
        .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
        .sort();
    },
    closeSandbox,
    async close() {
      await kernel.close();
      for (const path of [...sandboxes.keys()]) await closeSandbox(path);
      await until(() => ownChildren().length === 0, 'the end of all helper processes');
    },
  };
}

/** Processes that this one has started and that are still there. */
export function ownChildren(): string[] {
  const { stdout } = {
    stdout: execFileSync('ps', ['--ppid', String(process.pid), '-o', 'args=']).toString(),
  };
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('ps '));
}

function empty(): void {
  const links = () => (JSON.parse(ip('-j link show')) as { ifname: string }[]).map(({ ifname }) => ifname);
  // Again, as those of a namespace that has just ended go by themselves meanwhile.
  for (let others = links().slice(1); others.length > 0; others = links().slice(1)) {
    const moves = others.map((name) => `link set dev ${name} group 77`);
    const input = [...moves, 'link del group 77', ''].join('\n');
    spawnSync('ip', ['-force', '-batch', '-'], { input });
  }
  for (const protocol of ['158', 'static']) {
    for (const family of ['-4', '-6']) ip(`${family} route flush table all proto ${protocol}`);
  }
}

/** Without what changes by itself. */
function stable(link: object): object {
  const { addr_info: addresses, operstate: _, flags: __, ...rest } = link as Record<string, unknown>;
  return { ...rest, addresses: (addresses as { local: string }[] | undefined)?.map(({ local }) => local) };
}
