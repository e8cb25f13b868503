/** Roots of other Debian releases: debootstrapped from this machine's mirror once, kept in the user's cache. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { archive, proxyEnvironment } from './archive.ts';
import { LabError } from './errors.ts';
import { checkout, rootsFolder } from './paths.ts';
import type { Release } from './plan.ts';
import { run } from './run.ts';
import { alone } from './state.ts';

/** What a lab host's programs come from, beyond a minimal system. */
const packages = (release: Release): string[] => [
  ...['docker.io', 'containerd', 'runc', 'frr', 'gobgpd', 'nftables', 'iptables', 'iproute2', 'conntrack'],
  ...['busybox-static', 'tini', 'procps', 'kmod', 'iputils-ping', 'tcpdump', 'iperf3', 'ca-certificates'],
  // A package of its own since Debian 13.
  ...(release === 'bookworm' ? [] : ['docker-cli']),
];

const buildTimeoutMs = 30 * 60_000;

/** Code name of the Debian release that this machine runs. */
function machineRelease(): string | undefined {
  return /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
}

/** Folder of a release's root, built if need be; undefined when the machine's own programs will do. */
export async function releaseRoot(
  release: Release | undefined,
  say: (line: string) => void,
): Promise<string | undefined> {
  if (release === undefined || release === machineRelease()) return undefined;
  const key = createHash('sha256').update(packages(release).toSorted().join(' ')).digest('hex').slice(0, 10);
  const root = join(rootsFolder(), `${release}-${key}`);
  if (existsSync(root)) return root;
  return alone(`the root of ${release}`, buildTimeoutMs, async () => {
    if (!existsSync(root)) await build(release, root, say);
    return root;
  });
}

async function build(release: Release, root: string, say: (line: string) => void): Promise<void> {
  mkdirSync(rootsFolder(), { recursive: true });
  // A builder that was killed leaves its folder; nobody else builds this release now.
  for (const name of readdirSync(rootsFolder()).filter((one) => one.startsWith(`.${release}-`)))
    await rm(join(rootsFolder(), name), { recursive: true });
  const draft = join(rootsFolder(), `.${release}-${process.pid}`);
  const before = performance.now();
  say(`building a root of Debian ${release} in ${root} (about 500 MB, a minute or two)`);
  const log = `${draft}.log`;
  const script = join(checkout, 'lab', 'build-root.sh');
  // In its own namespaces, and ended with us: neither mounts nor processes can be left behind.
  const argv = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child'];
  const env = {
    ...process.env,
    ...(await proxyEnvironment()),
    DEBIAN_FRONTEND: 'noninteractive',
    LC_ALL: 'C',
  };
  const from = await archive(say);
  const arguments_ = [release, draft, from.mirror, from.keyring, log, ...packages(release)];
  const { status, stdout, stderr } = await run([...argv, 'sh', script, ...arguments_], {
    env,
    timeoutMs: buildTimeoutMs,
    end: (child) => child.kill('SIGKILL'),
  });
  if (status !== 0) {
    await rm(draft, { recursive: true, force: true });
    throw new LabError(`the root of Debian ${release} could not be built: ${stdout}${stderr}`.trim());
  }
  renameSync(draft, root);
  await rm(log, { force: true });
  say(`built it in ${((performance.now() - before) / 1000).toFixed(0)} s`);
}
