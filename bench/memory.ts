/** How much memory processes have. */
import { readFileSync } from 'node:fs';
import type { Host } from '../lab/host.ts';

export interface Memory {
  /** Resident, in bytes. */
  readonly rss: number;
  /** Resident, with what is shared counted in parts, in bytes. */
  readonly pss: number;
}

/** Of one process, by its id as the host counts. */
export async function memoryOf(host: Host, pid: number): Promise<Memory> {
  return parseRollup(await host.must(['cat', `/proc/${pid}/smaps_rollup`]));
}

/** Of all processes that a process has started and that are its children still. */
export async function memoryOfChildren(host: Host, pid: number): Promise<Memory> {
  const pids = (await host.exec(['pgrep', '-P', String(pid)])).stdout.split('\n').filter(Boolean).map(Number);
  const all = await Promise.all(pids.map((one) => memoryOf(host, one)));
  return { rss: sum(all.map(({ rss }) => rss)), pss: sum(all.map(({ pss }) => pss)) };
}

/** Of a process of this machine. */
export function memoryHere(pid: number): Memory {
  return parseRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
}

/** Processor time that a process of this machine has taken so far, in milliseconds. */
export function processorMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may have anything in it: fields 14 and 15, in hundredths of a second.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Reads /proc/PID/smaps_rollup. */
export function parseRollup(text: string): Memory {
  const field = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { rss: field('Rss'), pss: field('Pss') };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
