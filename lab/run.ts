/** Running a program of the machine and collecting what it says. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { LabError } from './errors.ts';

/** How a program ended; status is 128 + signal number when a signal ended it, as in a shell. */
export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

/** Input and limits of a run. */
export interface RunOptions {
  input?: string | Uint8Array;
  timeoutMs?: number;
  env?: NodeJS.ProcessEnv;
  /** How to end the program when its time is over; by default SIGKILL to it. */
  end?: (child: ChildProcess) => void;
}

/** Exit status as a shell gives it. */
export const exitStatus = (code: number | null, name: NodeJS.Signals | null): number =>
  code ?? 128 + (name ? constants.signals[name] : 0);

/** Runs a program to its end. Its failing is a result, its not starting or taking too long is an error. */
export async function run(argv: string[], options: RunOptions = {}): Promise<Result> {
  const { input, timeoutMs = 60_000, env = process.env, end = (child) => child.kill('SIGKILL') } = options;
  const [program = '', ...rest] = argv;
  const spawning: SpawnOptions = { env, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] };
  const child = spawn(program, rest, spawning);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  // A program may end without reading all of its input: its status tells, not the broken pipe.
  child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') child.emit('error', error);
  });
  child.stdin?.end(input);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end(child);
  }, timeoutMs);
  try {
    const status = await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, name) => resolve(exitStatus(code, name)));
    });
    const result = { status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
    if (late)
      throw new LabError(`"${argv.join(' ')}" took longer than ${timeoutMs / 1000} s\n${result.stderr}`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program that has to succeed and returns its output. */
export async function must(argv: string[], options: RunOptions = {}): Promise<string> {
  return succeeded(argv, await run(argv, options));
}

/** The output of a program, or an error with all that it said. */
export function succeeded(argv: string[], result: Result): string {
  if (result.status === 0) return result.stdout;
  const said = `${result.stdout}${result.stderr}`.trim();
  throw new LabError(`"${argv.join(' ')}" failed with status ${result.status}: ${said}`);
}
