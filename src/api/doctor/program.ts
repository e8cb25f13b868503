import { execFile } from 'node:child_process';

export interface Ran {
  /** Exit status; undefined when the program could not be run, or took too long. */
  readonly status: number | undefined;
  readonly stdout: string;
  /** Of the program, or why it could not be run. */
  readonly stderr: string;
}

/** Longest time for a program, in milliseconds. */
const WAIT_MS = 5000;

/** Runs a program that is soon done. Never throws. */
export function run(file: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { timeout: WAIT_MS, killSignal: 'SIGKILL', maxBuffer: 64 * 2 ** 20 } as const;
    execFile(file, args, options, (error, stdout, stderr) => {
      if (!error) return resolve({ status: 0, stdout, stderr });
      const status = typeof error.code === 'number' ? error.code : undefined;
      const reason = (error.code as unknown) === 'ENOENT' ? `${file} is not installed` : error.message;
      resolve({ status, stdout, stderr: status === undefined ? reason : stderr.trim() });
    });
  });
}

export type Run = typeof run;
