import { type ChildProcess, spawn } from 'node:child_process';

export interface Ended {
  /** Null when it was ended, or something of it was left. */
  readonly status: number | null;
  readonly output: string;
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Longest time, in milliseconds. */
  readonly ms: number;
  /** How long what is left of it may take to end, in milliseconds: by itself, and when it was told to. */
  readonly restMs?: number;
  /** Takes what it prints as it comes, and what is wrong with it. */
  readonly say: (text: string) => void;
}

const running = new Set<ChildProcess>();

/**
 * Runs a program to its end, and to that of all it has started: a process group of its own, which is ended as a whole when
 * it takes too long, or when something that was left behind holds its output.
 */
export function runProgram(
  command: string,
  args: readonly string[],
  { cwd, env, ms, restMs = 10_000, say }: ProgramOptions,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    running.add(child);
    let output = '';
    let wasEnded = false;
    let timer = setTimeout(() => end(`not done after ${Math.round(ms / 60_000)} minutes`), ms);
    const end = (why: string) => {
      wasEnded = true;
      say(`\n${why}, ended\n`);
      signal(child, 'SIGTERM');
      timer = setTimeout(() => signal(child, 'SIGKILL'), restMs);
    };
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      say(part);
      output += part;
    });
    child.on('error', (error) => say(`${error.message}\n`));
    child.on('exit', () => {
      if (wasEnded) return;
      clearTimeout(timer);
      timer = setTimeout(() => end('something that was left behind holds the output'), restMs);
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ status: wasEnded ? null : status, output });
    });
  });
}

/** Ends all that run now: being in groups of their own, they do not hear what the terminal says. */
export function endPrograms(): void {
  for (const child of running) signal(child, 'SIGTERM');
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch (error) {
    // There is nobody in it any more.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
