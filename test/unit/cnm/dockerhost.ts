import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Output {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; a failing one is no exception. */
export async function tool(program: string, ...args: string[]): Promise<Output> {
  try {
    return { status: 0, ...(await run(program, args, { timeout: 120_000, maxBuffer: 16 << 20 })) };
  } catch (error) {
    const failed = error as { code?: number; stdout?: string; stderr?: string; message: string };
    return {
      status: Number(failed.code) || 1,
      stdout: failed.stdout ?? '',
      stderr: failed.stderr || failed.message,
    };
  }
}

async function must(program: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await tool(program, ...args);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** A real dockerd in a network and a mount namespace of its own, with the image busybox:local. Needs root. */
export class DockerHost {
  /** Name of the network namespace. */
  readonly netns: string;
  /** Folder that dockerd sees as /run/docker/plugins. */
  readonly plugins: string;
  readonly #folder: string;
  #holder = 0;
  #dockerd = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.netns = `nrcnm${process.pid}`;
    this.plugins = join(folder, 'plugins');
  }

  static async create(): Promise<DockerHost> {
    const host = new DockerHost(await mkdtemp(join(tmpdir(), 'nrcnm-')));
    await mkdir(host.plugins);
    await must('ip', 'netns', 'add', host.netns);
    await must('ip', '-n', host.netns, 'link', 'set', 'lo', 'up');
    // The holder keeps the mount namespace while dockerd restarts. The net namespace goes by nsenter, because
    // `ip netns exec` mounts another /sys, in which dockerd finds no cgroups.
    const setup = [
      'mount --make-rprivate /',
      'mkdir -p /run/docker /run/containerd',
      'mount -t tmpfs t /run/docker',
      'mount -t tmpfs t /run/containerd',
      'mkdir /run/docker/plugins',
      `mount --bind ${host.plugins} /run/docker/plugins`,
      'exec sleep infinity',
    ].join(' && ');
    const net = `--net=/run/netns/${host.netns}`;
    const holder = spawn('nsenter', [net, 'unshare', '-m', 'sh', '-c', setup], { stdio: 'ignore' });
    host.#holder = holder.pid!;
    for (
      let i = 0;
      (await tool('nsenter', `--mount=/proc/${host.#holder}/ns/mnt`, 'test', '-d', '/run/docker/plugins'))
        .status !== 0;
      i++
    ) {
      if (i > 100) throw new Error('the mount namespace was not set up');
      await sleep(50);
    }
    return host;
  }

  /** Starts dockerd and waits until it answers. */
  async start(...options: string[]): Promise<void> {
    const args = [
      `--mount=/proc/${this.#holder}/ns/mnt`,
      `--net=/run/netns/${this.netns}`,
      'dockerd',
      `--data-root=${this.#folder}/data`,
      '--exec-root=/run/docker',
      `--host=unix://${this.#folder}/docker.sock`,
      `--pidfile=${this.#folder}/pid`,
      '--bridge=none',
      '--iptables=false',
      '--ip-masq=false',
      '--userland-proxy=false',
      ...options,
    ];
    const log = openSync(`${this.#folder}/log`, 'a');
    const child = spawn('nsenter', args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#dockerd = child.pid!;
    for (let i = 0; (await this.docker('version')).status !== 0; i++) {
      if (i > 400 || child.exitCode !== null) {
        throw new Error(
          `dockerd did not come up: ${(await readFile(`${this.#folder}/log`, 'utf8')).slice(-2000)}`,
        );
      }
      await sleep(100);
    }
  }

  /** Ends dockerd and waits until it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#dockerd) process.kill(this.#dockerd, signal);
    for (let i = 0; this.#dockerd && (await alive(this.#dockerd)); i++) {
      if (i > 300) throw new Error('dockerd did not end');
      await sleep(100);
    }
    this.#dockerd = 0;
    // A killed dockerd takes containerd along. Where nobody reaps it, the next dockerd would wait for it in vain.
    if (signal === 'SIGKILL') {
      await rm(`/proc/${this.#holder}/root/run/docker/containerd/containerd.pid`, { force: true });
    }
  }

  docker(...args: string[]): Promise<Output> {
    return tool('/usr/bin/docker', '-H', `unix://${this.#folder}/docker.sock`, ...args);
  }

  /** `ip` in the host's network namespace. @throws when it fails */
  ip(...args: string[]): Promise<string> {
    return must('ip', '-n', this.netns, ...args);
  }

  /** Makes the image busybox:local from the machine's static busybox. */
  async importImage(): Promise<void> {
    const root = join(this.#folder, 'rootfs');
    await mkdir(join(root, 'bin'), { recursive: true });
    await cp('/bin/busybox', join(root, 'bin/busybox'));
    for (const applet of ['sh', 'ip', 'sleep', 'true', 'cat', 'ping']) {
      await symlink('busybox', join(root, 'bin', applet));
    }
    await must('tar', '-C', root, '-cf', `${this.#folder}/image.tar`, '.');
    const { status, stderr } = await this.docker('import', `${this.#folder}/image.tar`, 'busybox:local');
    if (status !== 0) throw new Error(stderr);
  }

  /** Ends everything and removes every trace. */
  async destroy(): Promise<void> {
    await this.stop('SIGTERM').catch(() => undefined);
    // What dockerd left (containerd, shims) is known by its namespaces; the holder goes with it.
    const mnt = await readlink(`/proc/${this.#holder}/ns/mnt`).catch(() => '');
    const net = `net:[${(await must('stat', '-Lc', '%i', `/run/netns/${this.netns}`)).trim()}]`;
    for (let i = 0; i < 50; i++) {
      const pids = await inside(mnt, net);
      if (pids.length === 0) break;
      for (const pid of pids) await kill(pid);
      await sleep(100);
    }
    await must('ip', 'netns', 'del', this.netns);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A zombie counts as gone: its parent is this process, which reaps it later. */
async function alive(pid: number): Promise<boolean> {
  const { status, stdout } = await tool('ps', '-o', 'stat=', '-p', String(pid));
  return status === 0 && !stdout.startsWith('Z');
}

async function inside(mnt: string, net: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [itsMnt, itsNet] = await Promise.all(
      ['mnt', 'net'].map((kind) => readlink(`/proc/${name}/ns/${kind}`).catch(() => '')),
    );
    if ((mnt && itsMnt === mnt) || itsNet === net) found.push(Number(name));
  }
  return found;
}

async function kill(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
