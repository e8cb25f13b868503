/** The namespaces of a lab host: making them, entering them, ending all that lives in them. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupVersion, makeCgroups, moveToLeaf } from './cgroup.ts';
import { LabError } from './errors.ts';
import { checkout, hostFolder } from './paths.ts';
import { children, identify, namespacePids, type ProcessId, processes, signal } from './process.ts';
import { tails } from './wait.ts';

/** What a new host is to be. */
export interface Birth {
  lab: string;
  host: string;
  role: 'host' | 'router' | 'plain';
  /** Root of another release; undefined: the machine's own. */
  root?: string | undefined;
}

const bootTimeoutMs = 20_000;

/**
 * Starts a host's first process. It tells its id, `record` writes that down, and only then it is allowed to go on:
 * if we die in between, it reads the end of its input and ends as well.
 */
export async function begin(birth: Birth, record: (init: ProcessId) => void): Promise<ProcessId> {
  const { lab, host } = birth;
  const disk = join(hostFolder(lab, host), 'disk');
  mkdirSync(disk, { recursive: true });
  const groups = makeCgroups(lab, host);
  const log = join(hostFolder(lab, host), 'boot.log');
  const logFile = openSync(log, 'w');
  const enlist = 'for group; do echo 0 > "$group/cgroup.procs"; done';
  const make = 'exec unshare --mount --net --uts --ipc --pid --cgroup --fork sh "$LAB_INIT"';
  const child = spawn('sh', ['-ec', `${enlist}; ${make}`, 'net-routed-lab', ...groups], {
    detached: true,
    stdio: ['pipe', 'pipe', logFile],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LAB_INIT: join(checkout, 'lab', 'init.sh'),
      LAB_NAME: host,
      LAB_DISK: disk,
      LAB_ROOT: birth.root ?? '',
      LAB_CHECKOUT: checkout,
      LAB_CGROUP: cgroupVersion(),
      LAB_ROLE: birth.role,
    },
  });
  closeSync(logFile);
  const failed = (what: string): LabError => new LabError(`host ${host} ${what}${tails([log])}`);
  const lines = listen(child, failed);
  try {
    const pid = Number(await lines.next());
    const init = identify(pid);
    if (!init) throw failed('ended before it was written down');
    record(init);
    moveToLeaf(groups, [child.pid ?? 0, pid]);
    child.stdin?.end('go\n');
    if ((await lines.next()) !== 'ready') throw failed('did not boot');
    return init;
  } finally {
    lines.stop();
    child.unref();
  }
}

/** Lines that the first process prints, each awaited with a deadline. */
function listen(child: ChildProcess, failed: (what: string) => LabError) {
  let text = '';
  let wake: () => void = () => undefined;
  let over: Error | undefined;
  const finish = (error: Error): void => {
    over ??= error;
    wake();
  };
  child.on('error', finish);
  child.stdin?.on('error', () => finish(failed('ended while it booted')));
  child.stdout?.setEncoding('utf8');
  child.stdout?.on('data', (chunk: string) => {
    text += chunk;
    wake();
  });
  child.stdout?.on('end', () => finish(failed('ended while it booted')));
  const timer = setTimeout(
    () => finish(failed(`did not boot within ${bootTimeoutMs / 1000} s`)),
    bootTimeoutMs,
  );
  return {
    async next(): Promise<string> {
      while (!text.includes('\n')) {
        if (over) throw over;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const end = text.indexOf('\n');
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
    stop(): void {
      clearTimeout(timer);
      child.stdout?.destroy();
    },
  };
}

/** The words before a command that make it run inside a host. */
export const enter = (init: ProcessId): string[] => [
  'nsenter',
  `--target=${init.pid}`,
  '--mount',
  '--uts',
  '--ipc',
  '--net',
  '--pid',
  '--cgroup',
  '--',
];

/** The words before a program of the machine that make it see just the network of a host. */
export const enterNetwork = (init: ProcessId): string[] => ['nsenter', `--target=${init.pid}`, '--net', '--'];

/** A path inside a host as it is reached from outside. */
export const outside = (init: ProcessId, path: string): string => `/proc/${init.pid}/root${path}`;

/** Environment of a command in a host: that of a fresh root shell, not the caller's. */
export function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) =>
    /^(TERM|COLORTERM|NODE_V8_COVERAGE)$/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${join(checkout, 'bin')}`,
    HOME: '/root',
    USER: 'root',
    LOGNAME: 'root',
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    ...more,
  };
}

/** Starts a command in a host. */
export function startIn(
  init: ProcessId,
  argv: string[],
  stdio: StdioOptions,
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const [program = '', ...rest] = [...enter(init), ...argv];
  return spawn(program, rest, { stdio, env: environment(env) });
}

/** Sends a signal to the command that `startIn` started: nsenter itself only waits for it and passes none on. */
export function signalIn(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const inner = children(child.pid);
  for (const pid of inner) {
    const id = identify(pid);
    if (id) signal(id, name);
  }
  if (inner.length === 0) child.kill(name);
}

/** Id, as the machine counts, of the process that a host knows by `inner`. */
export function outerPid(init: ProcessId, inner: number): number | undefined {
  const space = pidNamespace(init.pid);
  return processes().find((pid) => namespacePids(pid).at(-1) === inner && pidNamespace(pid) === space);
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined; // gone
  }
}
