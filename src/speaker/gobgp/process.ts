import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A process, told apart from a later one of the same number by when it started (clock ticks since boot). */
export interface ProcessId {
  readonly pid: number;
  readonly start: string;
}

/** The process of that number that runs now; undefined for none, and for one that has ended but is not reaped. */
export function processOf(pid: number): ProcessId | undefined {
  try {
    // After the name, which may hold anything: state, then 18 fields, then the start time; see proc(5).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, start: fields[19]! };
  } catch {
    return undefined; // no such process
  }
}

/**
 * The processes of this user that were run with these words, one after the other, among their arguments, and for which
 * the folder is the same as for us: in a container, another one may have the same path. The youngest comes first.
 */
export function processesWith(words: readonly string[], folder: string): ProcessId[] {
  const found: ProcessId[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`\0${words.join('\0')}\0`)) continue;
      if (statSync(`/proc/${name}`).uid !== process.getuid?.()) continue;
      const [here, there] = [statSync(folder), statSync(join('/proc', name, 'root', folder))];
      if (here.dev !== there.dev || here.ino !== there.ino) continue;
    } catch {
      continue; // it has ended meanwhile, or has no such folder
    }
    const id = processOf(Number(name));
    if (id) found.push(id);
  }
  return found.sort((a, b) => Number(b.start) - Number(a.start));
}

export function isAlive(process: ProcessId): boolean {
  return processOf(process.pid)?.start === process.start;
}

/** Sends a signal, but never to another process that got the same number. */
export function signal(id: ProcessId, name: 'SIGTERM' | 'SIGKILL'): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether it has ended within so many milliseconds. */
export async function ended(id: ProcessId, within: number): Promise<boolean> {
  for (const until = performance.now() + within; performance.now() < until; ) {
    if (!isAlive(id)) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return !isAlive(id);
}
