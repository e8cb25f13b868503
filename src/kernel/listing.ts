import { spawn } from 'node:child_process';
import { CodedError } from '../errors.ts';
import { Elements } from './elements.ts';

/**
 * Options of everything that reads. Numbers (-N) because names in /etc/iproute2 are the administrator's to choose;
 * details (-d) because `addr show` leaves the alias out otherwise.
 */
export const LISTING = ['-N', '-d', '-j'] as const;

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
      timeout: TIMEOUT,
      killSignal: 'SIGKILL',
    });
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
    child.once('error', (error) =>
      reject(new CodedError('NR_KERNEL_UNAVAILABLE', `cannot start ip: ${error.message}`, { cause: error })),
    );
    child.once('close', (code, signal) => {
      if (code === 0 && !failure && elements.complete) return resolve();
      const reason = said.trim() || failure || `it ended with ${signal ?? `status ${code}`}`;
      reject(new CodedError('NR_KERNEL_REFUSED', `${what}: ${reason}`, { cause: failure }));
    });
  });
}
