import { type ChildProcess, spawn } from 'node:child_process';
import { type Command, ENVIRONMENT } from './command.ts';

/** Longest that a transaction of a session may take, in milliseconds, before it is tried elsewhere. */
const DEADLINE = 3_000;
/** Sessions that may break in a row before no more are begun. */
const PATIENCE = 3;
/** Transactions until a new session is begun, since some builds of nft keep a history of all input. */
const LIFETIME = 20_000;

/**
 * A long-lived `nft -i`. A transaction takes a third of a millisecond, ten times less than a process for each,
 * and the time does not grow with the memory of this process, whose page tables each fork copies.
 *
 * It answers a line with silence if all of it has been done, and with complaints if none of it has. The end of
 * an answer is found by a word that no nft knows, sent after the line: the complaint about it is the last. All
 * that is relied on is that silence means done; whatever else is heard, the caller has to look.
 */
export class Session {
  readonly #command: Command;
  readonly #deadline: number;
  #child: ChildProcess | undefined;
  #broken = 0;
  #count = 0;

  constructor(command: Command, deadline = DEADLINE) {
    this.#command = command;
    this.#deadline = deadline;
  }

  /** Begins the process now, while this one is small; otherwise the first transaction does. */
  start(): void {
    if (this.#child || !this.usable) return;
    const [program, ...leading] = this.#command;
    const child = spawn(program!, [...leading, '-i'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: ENVIRONMENT,
    });
    const forget = () => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on('error', forget);
    child.on('exit', forget);
    child.stdin.on('error', forget);
    this.#child = child;
  }

  /** Whether it is worth trying: some builds of nft have no interactive mode. */
  get usable(): boolean {
    return this.#broken < PATIENCE;
  }

  /**
   * Sends commands as one transaction. Never two at the same time.
   * @returns whether they are known to have been carried out; false tells nothing
   */
  async submit(commands: readonly string[]): Promise<boolean> {
    this.start();
    const child = this.#child;
    if (!child) return false;
    this.#count += 1;
    const answer = await exchange(child, commands.join('; '), `end${this.#count}`, this.#deadline);
    this.#broken = answer === undefined ? this.#broken + 1 : 0;
    if (answer === undefined || this.#count % LIFETIME === 0) await this.stop();
    return answer === '';
  }

  /** Resolves when the process has ended. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.kill('SIGKILL')) await ended;
  }
}

/** Sends a line and waits for the complaint about the word after it. Undefined if that does not come. */
function exchange(
  child: ChildProcess,
  line: string,
  word: string,
  deadline: number,
): Promise<string | undefined> {
  // Since 1.1.7, what was expected may stand between the complaint and the word.
  const last = new RegExp(`(?:^|\\n)Error: [^\\n]*\\n(?:expected [^\\n]*\\n)?${word}\\n[ ~]*\\^+\\n`);
  return new Promise((resolve) => {
    let heard = '';
    const end = (answer: string | undefined) => {
      clearTimeout(timer);
      child.stderr!.off('data', listen);
      child.off('exit', lost);
      child.off('error', lost);
      resolve(answer);
    };
    const lost = () => end(undefined);
    const listen = (chunk: Buffer) => {
      heard += chunk;
      const match = last.exec(heard);
      if (match) end(heard.slice(0, match.index));
    };
    const timer = setTimeout(lost, deadline);
    child.stderr!.on('data', listen);
    child.on('exit', lost);
    child.on('error', lost);
    child.stdin!.write(`${line}\n${word}\n`);
  });
}
