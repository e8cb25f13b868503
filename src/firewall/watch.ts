import { type ChildProcess, spawn } from 'node:child_process';
import { type Command, ENVIRONMENT } from './command.ts';
import { TABLE } from './ruleset.ts';

/** Pause before a monitor that has ended is begun again, in milliseconds. */
const PAUSE = 1_000;

/**
 * Watches for our table being deleted, which `nft flush ruleset` does too. Calls back within a millisecond or so,
 * and also when a deletion may have been missed: as the monitor tells of lost events, or ended.
 */
export class Watch {
  readonly #command: Command;
  readonly #listener: () => void;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(command: Command, listener: () => void) {
    this.#command = command;
    this.#listener = listener;
    this.#start();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }

  #start(): void {
    const [program, ...leading] = this.#command;
    const args = [...leading, 'monitor', 'destroy', 'tables'];
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'ignore'], env: ENVIRONMENT });
    this.#child = child;
    let rest = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (lines.some((line) => line === `delete table ${TABLE}` || /lost/.test(line))) this.#tell();
    });
    let ended = false;
    const again = () => {
      if (ended || this.#stopped) return;
      ended = true;
      this.#timer = setTimeout(() => {
        this.#start();
        this.#tell();
      }, PAUSE);
      this.#timer.unref();
    };
    child.on('error', again);
    child.on('exit', again);
  }

  #tell(): void {
    if (!this.#stopped) this.#listener();
  }
}
