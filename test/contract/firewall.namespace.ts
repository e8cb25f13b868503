import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A network namespace that ends with this process, however that ends: its holder waits on a pipe from here. */
export class Namespace {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async open(): Promise<Namespace> {
    const holder = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && echo up && read _'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [word] = await Promise.race([once(holder.stdout!, 'data'), once(holder, 'exit')]);
    assert.equal(String(word), 'up\n', 'unshare -n works only for root');
    return new Namespace(holder);
  }

  /** A process in it, as `ip link set ... netns` wants it. */
  get pid(): string {
    return String(this.#holder.pid);
  }

  /** What to put before a command for it to run in there. */
  get enter(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`, '--'];
  }

  /** Runs a script of sh in there. @returns its output */
  async run(script: string): Promise<string> {
    const [program, ...args] = [...this.enter, 'sh', '-euc', script];
    return (await execute(program!, args, { maxBuffer: 1 << 26 })).stdout;
  }

  async close(): Promise<void> {
    if (this.#holder.exitCode !== null) return;
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin!.end('\n');
    await ended;
  }
}
