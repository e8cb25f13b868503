/** Processes as /proc shows them. A process is known by its id and its start time, for ids come again. */
import { readdirSync, readFileSync } from 'node:fs';
import { until } from './wait.ts';

/** One process for certain. */
export interface ProcessId {
  pid: number;
  /** Start time in clock ticks since boot, field 22 of /proc/<pid>/stat. */
  start: string;
}

/** State letter, parent and start time of a process; undefined when there is none. */
function look(
  pid: number | string,
  proc = '/proc',
): { state: string; parent: number; start: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`${proc}/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // gone, which is an answer
  }
  // The name in parentheses may hold anything, so count from behind its end.
  const [state = '', parent = '0', ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state, parent: Number(parent), start: rest[17] ?? '' };
}

/** The process that has this id now. */
export function identify(pid: number, proc = '/proc'): ProcessId | undefined {
  const found = look(pid, proc);
  return found && { pid, start: found.start };
}

/** Whether exactly this process still runs. */
export function alive(id: ProcessId, proc = '/proc'): boolean {
  const found = look(id.pid, proc);
  return found !== undefined && found.start === id.start && found.state !== 'Z' && found.state !== 'X';
}

/** Ids of the processes whose parent is `pid`. */
export function children(pid: number): number[] {
  return processes().filter((id) => look(id)?.parent === pid);
}

/** Ids of all processes. */
export const processes = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Ids of a process in its PID namespaces, outermost first. */
export function namespacePids(pid: number): number[] {
  try {
    const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return (line?.[1] ?? '').split('\t').map(Number);
  } catch {
    return []; // gone
  }
}

/** Sends a signal to exactly this process; no error when it has ended. */
export function signal(id: ProcessId, name: NodeJS.Signals): void {
  if (!alive(id)) return;
  try {
    process.kill(id.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until the process has ended. */
export async function ended(id: ProcessId, what: string, timeoutMs: number): Promise<void> {
  await until(`the end of ${what} (process ${id.pid})`, () => !alive(id), { timeoutMs });
}
