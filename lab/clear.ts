/** Taking a lab, or one of its hosts, out of the world, whatever state it is in. */
import { rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { cgroupProcesses, labsWithCgroups, removeCgroups } from './cgroup.ts';
import { labFolder, labsFolder } from './paths.ts';
import { alive, identify, namespacePids, type ProcessId, signal } from './process.ts';
import { labsWithFolders, readState } from './state.ts';
import { until } from './wait.ts';

/** Names of all labs that have left something on this machine. */
export const labNames = (): string[] => [...new Set([...labsWithFolders(), ...labsWithCgroups()])].sort();

/** Whether anything of this lab is there. */
export const exists = (lab: string): boolean => labNames().includes(lab);

/** Ends everything in one host: its first process takes all others of its PID namespace along. */
export async function endHost(lab: string, host: string, init?: ProcessId): Promise<void> {
  await endProcesses(lab, host, init ? [init] : []);
  await removeCgroups(lab, host);
}

/** Removes a lab: processes (with them namespaces, mounts and links), control groups, folder. */
export async function clearLab(lab: string): Promise<void> {
  await endProcesses(lab, '', Object.values(readState(lab)?.inits ?? {}));
  await removeCgroups(lab);
  // A program that an interrupted command had started may still be writing there for a moment.
  await rm(labFolder(lab), { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  try {
    rmdirSync(labsFolder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error;
  }
}

async function endProcesses(lab: string, host: string, inits: ProcessId[]): Promise<void> {
  const members = (): ProcessId[] => {
    const found = cgroupProcesses(lab, host).map((pid) => identify(pid));
    return [...inits, ...found.filter((id) => id !== undefined)].filter((id) => alive(id));
  };
  const own = namespacePids(process.pid).length;
  let quietSince: number | undefined;
  const ended = (): boolean => {
    const left = members();
    const inside = left.filter(({ pid }) => namespacePids(pid).length > own);
    for (const id of inside) signal(id, 'SIGKILL');
    // What is left outside waits for what was inside, and collects it. Only what does not end by itself is made to.
    if (inside.length > 0) quietSince = undefined;
    else quietSince ??= performance.now();
    if (quietSince !== undefined && performance.now() > quietSince + 1000)
      for (const id of left) signal(id, 'SIGKILL');
    return left.length === 0;
  };
  await until(`the processes of lab ${lab} to end`, ended, { timeoutMs: 20_000 });
}
