import { execFile, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CodedError } from '../../errors.ts';
import { ended, isAlive, type ProcessId, processesWith, processOf, signal } from './process.ts';

/** Bytes that the engine's log may grow to before it is begun anew. */
const LOG_LIMIT = 4 << 20;

export interface ChildOptions {
  /** Folder for socket, process id and log; only this program may use it. */
  readonly folder: string;
  /** The program, found by PATH unless it is a path. */
  readonly program: string;
  /** What the program is run by, such as `ip netns exec h1`, for tests and labs. */
  readonly wrapper?: readonly string[];
}

/**
 * The gobgpd of this host. It outlives us on purpose: sessions and routes stay when the daemon is restarted or
 * killed, and the next daemon finds it by its process id, its arguments or its socket. Its output goes into a file and never into a
 * pipe, which would end or block it together with us.
 */
export class Child {
  readonly socket: string;
  readonly log: string;
  readonly #pidFile: string;
  readonly #options: ChildOptions;
  #version: string | undefined;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.socket = join(options.folder, 'gobgp.sock');
    this.log = join(options.folder, 'gobgpd.log');
    this.#pidFile = join(options.folder, 'gobgpd.pid');
  }

  /** The engine's version, such as 3.10.0. @throws NR_SPEAKER_UNAVAILABLE when it cannot be run */
  async version(): Promise<string> {
    if (this.#version === undefined) {
      const text = await this.#ask('--version');
      this.#version = /(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? text.trim();
    }
    return this.#version;
  }

  /**
   * The process that was started before, by us or by an earlier daemon, and still runs. If the file does not tell it,
   * as the daemon was killed between start and writing, it is found by its arguments, and written down.
   */
  running(): ProcessId | undefined {
    const written = this.#written();
    if (written) return written;
    const [found] = this.#found();
    if (found) this.#write(found);
    return found;
  }

  /** Starts it; it answers on the socket a little later. @throws NR_SPEAKER_UNAVAILABLE */
  async spawn(): Promise<ProcessId> {
    const { folder, program, wrapper = [] } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    rmSync(this.socket, { force: true });
    this.#rotate();
    const args = [...this.#mark, '--pprof-disable', '--log-plain'];
    // Since 3.34 it opens a port for metrics unless told otherwise; 3.10 does not know the option.
    if ((await this.#ask('--help')).includes('--metrics-path')) args.push('--metrics-path=');
    const [command, ...rest] = [...wrapper, program, ...args];
    const output = openSync(this.log, 'a', 0o600);
    try {
      const child = spawn(command!, rest, { detached: true, stdio: ['ignore', output, output] });
      await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      child.unref();
      const id = processOf(child.pid!) ?? { pid: child.pid!, start: 'ended' };
      this.#write(id);
      return id;
    } catch (error) {
      throw cannotRun(program, error);
    } finally {
      closeSync(output);
    }
  }

  /**
   * Ends it: gracefully, which tells the peers that it is gone for good, or by force, so that they keep its routes
   * for the restart time. SIGINT is no way between: GoBGP sends its peers a notification then, too. Should there be
   * several, all of them end.
   */
  async stop(how: 'graceful' | 'by force'): Promise<void> {
    const written = this.#written();
    const ids = [...(written ? [written] : []), ...this.#found()];
    if (how === 'graceful') {
      for (const id of ids) signal(id, 'SIGTERM');
      await Promise.all(ids.map((id) => ended(id, 5_000)));
    }
    for (const id of ids) {
      signal(id, 'SIGKILL');
      if (!(await ended(id, 5_000))) {
        throw new CodedError('NR_SPEAKER_UNAVAILABLE', `gobgpd, process ${id.pid}, does not end`);
      }
    }
  }

  /** Begins the log anew when it has become too long; the engine goes on writing at its new end. */
  trim(): void {
    if (existsSync(this.log) && statSync(this.log).size > LOG_LIMIT) truncateSync(this.log);
  }

  /** What it said last, to explain why it ended. */
  lastWords(): string {
    try {
      return readFileSync(this.log, 'utf8').trimEnd().split('\n').at(-1)?.slice(0, 200) ?? '';
    } catch {
      return '';
    }
  }

  /** The arguments by which an engine of this folder is known. */
  get #mark(): string[] {
    return ['--api-hosts', `unix://${this.socket}`];
  }

  #written(): ProcessId | undefined {
    try {
      const id = JSON.parse(readFileSync(this.#pidFile, 'utf8')) as ProcessId;
      return isAlive(id) ? id : undefined;
    } catch {
      return undefined; // none was started yet, or the file is not ours
    }
  }

  #found(): ProcessId[] {
    return processesWith(this.#mark, this.#options.folder);
  }

  /** As a whole or not at all. */
  #write(id: ProcessId): void {
    const draft = `${this.#pidFile}.new`;
    writeFileSync(draft, JSON.stringify(id), { mode: 0o600 });
    renameSync(draft, this.#pidFile);
  }

  #rotate(): void {
    if (existsSync(this.log) && statSync(this.log).size > LOG_LIMIT / 4)
      renameSync(this.log, `${this.log}.1`);
  }

  async #ask(option: string): Promise<string> {
    try {
      return (await promisify(execFile)(this.#options.program, [option], { timeout: 5_000 })).stdout;
    } catch (error) {
      // Version 3.10 prints its help and fails.
      const { code, stdout } = error as { code?: unknown; stdout?: string };
      if (typeof code === 'number' && stdout) return stdout;
      throw cannotRun(this.#options.program, error);
    }
  }
}

function cannotRun(program: string, cause: unknown): CodedError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CodedError('NR_SPEAKER_UNAVAILABLE', `${program} cannot be run: ${why}`, { cause });
}
