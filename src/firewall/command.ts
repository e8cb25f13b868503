import { spawn } from 'node:child_process';
import { CodedError } from '../errors.ts';

/** How nft is run: program and leading arguments, such as `['nft']`. */
export type Command = readonly string[];

/** What a run of nft said. `status` is the exit status; 0 means that the transaction has been made. */
export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest that one run may take, in milliseconds: many times what a table of 10,000 endpoints needs. */
const DEADLINE = 15_000;

/** Environment for nft: messages in English, and no history file in anybody's home. */
export const ENVIRONMENT = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C', HOME: '/nonexistent' };

/** Runs nft once. @throws CodedError NR_FIREWALL_UNAVAILABLE if it cannot be started or does not end */
export function run(command: Command, args: readonly string[]): Promise<Answer> {
  const [program, ...leading] = command;
  return new Promise((resolve, reject) => {
    const unavailable = (what: string, cause?: unknown) =>
      reject(new CodedError('NR_FIREWALL_UNAVAILABLE', what, { cause }));
    const child = spawn(program!, [...leading, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: ENVIRONMENT,
      timeout: DEADLINE,
      killSignal: 'SIGKILL',
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error) => unavailable(`nft cannot be run: ${error.message}`, error));
    child.on('close', (status, signal) => {
      if (status === null) unavailable(`nft was ended by ${signal}`);
      else
        resolve({
          status,
          stdout: Buffer.concat(stdout).toString(),
          stderr: Buffer.concat(stderr).toString(),
        });
    });
  });
}
