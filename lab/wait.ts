/** Waiting for conditions, always with a deadline. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { LabError } from './errors.ts';

/** What to do when a condition does not come true. */
export interface Patience {
  /** Give up after this many milliseconds. */
  timeoutMs: number;
  /** Logs whose ends are shown with the error. */
  logs?: string[];
}

/** Calls `probe` until it gives something other than undefined or false, and returns that. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs, logs = [] }: Patience,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let delay = 5; ; delay = Math.min(delay * 1.5, 100)) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline)
      throw new LabError(`gave up waiting for ${what} after ${timeoutMs / 1000} s${tails(logs)}`);
    await pause(delay);
  }
}

/** Like Promise.all, but over only when all are: nobody may still be at work when others clear up after a failure. */
export async function all(work: Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}

/** The ends of these logs, to go behind an error message. */
export const tails = (logs: string[], lines = 15): string => logs.map((log) => tail(log, lines)).join('');

function tail(log: string, lines: number): string {
  let text: string;
  try {
    text = readFileSync(log, 'utf8').trimEnd();
  } catch (error) {
    text = `(${(error as Error).message})`;
  }
  const end = text.split('\n').slice(-lines).join('\n  ');
  return `\n${log} ends with:\n  ${end}`;
}
