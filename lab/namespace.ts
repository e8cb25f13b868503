/** The namespaces of a lab host: entering them, looking into them. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './paths.ts';
import { children, identify, namespacePids, type ProcessId, processes, signal } from './process.ts';

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
