import { spawn } from 'node:child_process';
import { CodedError } from '../errors.ts';
import type { Line } from './arguments.ts';
import { Coprocess } from './coprocess.ts';
import { Elements } from './elements.ts';
import { LISTING } from './options.ts';

/** How long a listing may take, in milliseconds. */
const TIMEOUT = 60_000;

/**
 * Runs `ip ARGUMENTS` once and hands over each element of what it lists, for listings that may be long.
 * @throws NR_KERNEL_UNAVAILABLE, NR_KERNEL_REFUSED
 */
export function list(ip: string, words: readonly string[], take: (element: unknown) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(ip, [...LISTING, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    // Not by an option of spawn, whose timer outlives a program that cannot be started.
    const patience = setTimeout(() => child.kill('SIGKILL'), TIMEOUT);
    const elements = new Elements(take);
    const what = `ip ${words.join(' ')}`;
    let said = '';
    let failure: unknown;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      try {
        elements.push(text);
      } catch (error) {
        failure ??= error;
        child.kill('SIGKILL');
      }
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-1000);
    });
    child.once('error', (error) => {
      clearTimeout(patience);
      reject(new CodedError('NR_KERNEL_UNAVAILABLE', `cannot start ip: ${error.message}`, { cause: error }));
    });
    child.once('close', (code, signal) => {
      clearTimeout(patience);
      if (code === 0 && !failure && elements.complete) return resolve();
      const reason = said.trim() || failure || `it ended with ${signal ?? `status ${code}`}`;
      reject(new CodedError('NR_KERNEL_REFUSED', `${what}: ${reason}`, { cause: failure }));
    });
  });
}

/** What ip says of an interface or a table that there is not. */
const ABSENT = /does not exist|Cannot find device|No such (device|process)/;

/**
 * Asks for several things in one short-lived process. Each answer is a list, empty for what there is not; `absent`
 * tells which errors mean that.
 * @throws NR_KERNEL_*
 */
export async function query(ip: string, lines: readonly Line[], absent = ABSENT): Promise<unknown[][]> {
  if (lines.length === 0) return [];
  const process = new Coprocess({ command: [ip] });
  const ask = (line: Line) =>
    process.read(line).catch((error: unknown) => {
      const known =
        error instanceof CodedError && error.code === 'NR_KERNEL_REFUSED' && absent.test(error.what);
      if (known) return [];
      throw error;
    });
  try {
    return await Promise.all(lines.map(ask));
  } finally {
    await process.close();
  }
}
