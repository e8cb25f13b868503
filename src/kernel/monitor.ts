import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { KernelEvent } from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import { parseEvent } from './events.ts';

/** Pause before a monitor that ended is started again, in milliseconds: at first, and at most. */
const PAUSE_MIN = 50;
const PAUSE_MAX = 5_000;
/** How often, and for how long, to look whether a new monitor listens yet, in milliseconds. */
const READY_EVERY = 5;
const READY_WITHIN = 2_000;
/** Longest line that is waited for, in characters. */
const LINE_MAX = 1 << 16;

/** Follows `ip monitor` for as long as somebody listens. */
export class Monitor {
  readonly #program: string;
  readonly #log: Log | undefined;
  readonly #listeners = new Set<(event: KernelEvent) => void>();
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause = PAUSE_MIN;

  constructor(program: string, log?: Log) {
    this.#program = program;
    this.#log = log;
  }

  /** Process id while one runs, for tests. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Tells of events from now on, with an overrun first as soon as they are followed. Returns the way to stop. */
  watch(listener: (event: KernelEvent) => void): () => void {
    // A wrapper, so that one function may listen twice.
    const entry = (event: KernelEvent) => listener(event);
    this.#listeners.add(entry);
    if (this.#child) this.#awaitReady(this.#child, [entry]);
    else if (!this.#timer) this.#spawn();
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#stop();
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    const child = this.#child;
    this.#stop();
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once('close', resolve));
    }
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGTERM');
  }

  #spawn(): void {
    this.#timer = undefined;
    const words = [this.#program, '-N', '-o', 'monitor', 'label', 'link', 'address', 'route'];
    const child = spawn('sh', ['-c', 'exec "$@" 2>&1', 'sh', ...words], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    this.#child = child;
    let partial = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (this.#child !== child) return;
      const lines = (partial + text).split('\n');
      partial = (lines.pop() ?? '').slice(-LINE_MAX);
      for (const line of lines) {
        const event = parseEvent(line);
        if (event) this.#tell(event, this.#listeners);
      }
    });
    const ended = (why: unknown) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#log?.warn({ why, pause: this.#pause }, 'ip monitor has ended, starting another');
      this.#timer = setTimeout(() => this.#spawn(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, PAUSE_MAX);
    };
    child.once('error', (error) => ended(error.message));
    child.once('close', (code, signal) => ended(signal ?? code));
    this.#awaitReady(child, this.#listeners);
  }

  /** What changed before it listened was not heard of: whoever listens has to read everything once. */
  #awaitReady(child: ChildProcess, listeners: Iterable<(event: KernelEvent) => void>): void {
    const until = performance.now() + READY_WITHIN;
    const look = () => {
      if (this.#child !== child) return;
      if (!listens(child.pid) && performance.now() < until) {
        setTimeout(look, READY_EVERY);
        return;
      }
      this.#pause = PAUSE_MIN;
      this.#tell({ kind: 'overrun' }, listeners);
    };
    setTimeout(look, 0);
  }

  #tell(event: KernelEvent, listeners: Iterable<(event: KernelEvent) => void>): void {
    for (const listener of [...listeners]) {
      if (!this.#listeners.has(listener)) continue;
      try {
        listener(event);
      } catch (error) {
        this.#log?.error({ err: error, event }, 'a listener of kernel events has failed');
      }
    }
  }
}

/** Whether a process has a routing socket with groups (net/netlink/af_netlink.c): its id is the socket's port. */
function listens(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  const rows = readFileSync(`/proc/self/net/netlink`, 'utf8').split('\n');
  return rows.some((row) => {
    const [, protocol, port, groups] = row.trim().split(/\s+/);
    return protocol === '0' && port === String(pid) && Number.parseInt(groups ?? '', 16) !== 0;
  });
}
