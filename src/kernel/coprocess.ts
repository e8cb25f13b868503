import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { CodedError } from '../errors.ts';
import type { Log } from '../ports/log.ts';
import type { Line } from './arguments.ts';
import { type Answer, Group, type Verdict } from './group.ts';
import { LISTING } from './options.ts';

export interface CoprocessOptions {
  /** Program and arguments that run an `ip`; something like `nsenter --net=PATH ip` to act elsewhere. */
  readonly command?: readonly string[];
  readonly log?: Log | undefined;
  /** How long one group may take before the process counts as stuck, in milliseconds. */
  readonly timeout?: number;
}

/** Lines of one group: few enough that repeating one is cheap, many enough that its sentinel costs nothing. */
const GROUP_LINES = 500;
/** A second sign of death that a single command makes it give is the command's fault. */
const DEATHS = 2;

/**
 * The end of a group. `show` commands flush standard output, which is block-buffered otherwise. Not `link show`:
 * after one of those, every `addr show` of the same process leaves the addresses out (ip/ipaddress.c, do_link).
 */
const SENTINEL = 'addr show dev lo';

/**
 * A long-lived `ip -batch -`, which saves a process per command and never blocks the event loop. Commands that the
 * kernel refuses are answered one by one (`Command failed -:N`). What ip cannot parse kills it in spite of -force:
 * then a new one gets everything that was not acknowledged, so commands must bear being repeated.
 */
export class Coprocess {
  readonly #command: readonly string[];
  readonly #log: Log | undefined;
  readonly #timeout: number;
  #child: ChildProcess | undefined;
  /** Written and not acknowledged, oldest first. */
  #flying: Group[] = [];
  /** Lines written to this process, by which it counts. */
  #lines = 0;
  #partial = '';
  #timer: NodeJS.Timeout | undefined;
  #stuck = false;
  #acknowledged = false;
  #closed = false;

  constructor(options: CoprocessOptions = {}) {
    this.#command = options.command ?? ['ip'];
    this.#log = options.log;
    this.#timeout = options.timeout ?? 10_000;
  }

  /** Process id while one runs, for tests. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process ahead of use: the bigger our heap, the longer a fork blocks. */
  start(): void {
    if (!this.#closed) this.#spawn();
  }

  /** Runs the commands in order. Never rejects: each command has its own error, or none. */
  async run(lines: readonly Line[]): Promise<Verdict[]> {
    const answers: Promise<Answer>[] = [];
    for (let at = 0; at < lines.length; at += GROUP_LINES) {
      answers.push(this.#send(lines.slice(at, at + GROUP_LINES)));
    }
    return (await Promise.all(answers)).flatMap(({ errors }) => errors);
  }

  /**
   * Runs one reading command and answers the elements that it lists. Only for processes that do not live long: what
   * ip has shown once, it finds by the index of that time (lib/ll_map.c), even if the name has another by now.
   * @throws its error
   */
  async read(command: Line): Promise<unknown[]> {
    const { errors, documents } = await this.#send([command]);
    if (errors[0]) throw errors[0];
    return documents.flat();
  }

  /** Lets what is under way finish, `patience` milliseconds at most, then ends the process. */
  async close(patience = this.#timeout): Promise<void> {
    this.#closed = true;
    // Another one may have been started meanwhile for what the first left undone.
    while (this.#child) {
      const child = this.#child;
      const ended = new Promise((resolve) => child.once('close', resolve));
      const timer = setTimeout(() => child.kill('SIGKILL'), patience);
      child.stdin?.end();
      await ended;
      clearTimeout(timer);
    }
  }

  #send(lines: readonly Line[]): Promise<Answer> {
    return new Promise((resolve) => {
      const group = new Group(lines, resolve);
      if (this.#closed) return group.fail(unavailable('the kernel adapter is closed'));
      this.#spawn();
      this.#flying.push(group);
      this.#write(group);
    });
  }

  #write(group: Group): void {
    group.first = this.#lines + 1;
    this.#lines += group.lines.length + 1;
    this.#child?.stdin?.write(`${[...group.lines, SENTINEL].join('\n')}\n`);
    if (this.#flying[0] === group) this.#watchHead();
  }

  #spawn(): void {
    if (this.#child) return;
    // Errors are to come in order with the sentinels: one pipe for both.
    const shell = ['-c', 'exec "$@" 2>&1', 'sh', ...this.#command, '-force', ...LISTING, '-batch', '-'];
    const child = spawn('sh', shell, {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    this.#child = child;
    this.#lines = 0;
    this.#partial = '';
    this.#stuck = false;
    this.#acknowledged = false;
    child.stdin.on('error', () => {}); // EPIPE when it died; told by close
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    child.once('error', (error) => this.#died(child, unavailable(`cannot start ip: ${error.message}`)));
    child.once('close', (code, signal) => {
      const missing = code === 126 || code === 127;
      const error = missing && !this.#acknowledged && unavailable(`cannot start ${this.#command.join(' ')}`);
      this.#died(child, error || undefined, signal ?? code);
    });
  }

  #hear(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const one of lines) {
      const group = this.#flying[0];
      if (!group) continue;
      if (!group.hear(one)) continue;
      this.#acknowledged = true;
      this.#flying.shift();
      this.#watchHead();
      group.finish();
    }
  }

  /** Gives the oldest group its time. */
  #watchHead(): void {
    clearTimeout(this.#timer);
    if (this.#flying.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#stuck = true;
      this.#child?.kill('SIGKILL');
    }, this.#timeout);
  }

  #died(child: ChildProcess, error?: CodedError, status?: string | number | null): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    clearTimeout(this.#timer);
    const lost = this.#flying;
    this.#flying = [];
    if (lost.length > 0) this.#log?.warn({ status, groups: lost.length }, 'ip has ended, starting another');
    if (error) {
      for (const group of lost) group.fail(error);
      return;
    }
    const [head, ...rest] = lost;
    if (!head) return;
    head.deaths++;
    const again: Group[] = [];
    if (head.lines.length > 1) again.push(...head.split());
    else if (head.deaths < DEATHS) again.push(head);
    else head.fail(this.#stuck ? unavailable('ip did not answer in time') : head.fatal());
    for (const group of [...again, ...rest]) {
      group.forget();
      this.#spawn();
      this.#flying.push(group);
      this.#write(group);
    }
  }
}

function unavailable(what: string): CodedError {
  return new CodedError('NR_KERNEL_UNAVAILABLE', what);
}
