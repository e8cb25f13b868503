/** One host of a running lab: commands in it, its services, its reboot. */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { join } from 'node:path';
import { daemon, launchDaemon, startDaemon } from './daemon.ts';
import { dockerd, startDocker } from './docker.ts';
import { LabError } from './errors.ts';
import { enter, environment, outside, signalIn, startIn } from './namespace.ts';
import { hostFolder } from './paths.ts';
import { alive, type ProcessId } from './process.ts';
import { exitStatus, type Result, type RunOptions, run, succeeded } from './run.ts';
import { type Home, Service } from './service.ts';

/** What a host can be asked to end or be looked at by name. */
export type ServiceName = 'dockerd' | 'net-routed' | 'zebra' | 'bgpd' | (string & {});

/** A command that is running in a host. */
export interface Running {
  readonly process: ChildProcess;
  /** Ends with the exit status, 128 + signal number if a signal ended it. */
  readonly done: Promise<number>;
  /** Sends a signal to the command itself. */
  kill(name?: NodeJS.Signals): void;
}

/** What a host needs of the lab that it is in. */
export interface Surroundings {
  lab: string;
  /** Its first process, as written down now. */
  init(): ProcessId;
  /** Power off and on again: everything but its disk is lost. */
  reboot(): Promise<void>;
  dockerArgs: string[];
  /** By which the daemon has the peers that the lab is to have. */
  peerArgs: string[];
  daemonArgs: string[];
}

/** One host of a running lab. */
export class Host {
  readonly name: string;
  readonly #around: Surroundings;

  constructor(name: string, around: Surroundings) {
    this.name = name;
    this.#around = around;
  }

  get #home(): Home {
    return { lab: this.#around.lab, host: this.name, init: this.#around.init() };
  }

  /** Whether the host runs. */
  get up(): boolean {
    return alive(this.#around.init());
  }

  /** Id of its first process as the machine counts: /proc/<pid>/ns/net is its network, /proc/<pid>/root its files. */
  get initPid(): number {
    return this.#around.init().pid;
  }

  /** Folder of what survives a reboot: /var, /etc and so on of the host below it. */
  get disk(): string {
    return join(hostFolder(this.#around.lab, this.name), 'disk');
  }

  /** A path in the host as it is reached from outside while the host runs; unix sockets work as well. */
  path(inside: string): string {
    return outside(this.#around.init(), inside);
  }

  /** Runs a command to its end; a status other than 0 is a result like any other. */
  async exec(argv: string[], options: Omit<RunOptions, 'end'> = {}): Promise<Result> {
    this.#mustBeUp();
    return run([...enter(this.#around.init()), ...argv], {
      ...options,
      env: environment(options.env),
      end: (child) => signalIn(child, 'SIGKILL'),
    });
  }

  /** Runs a command that has to succeed and gives its output. */
  async must(argv: string[], options: Omit<RunOptions, 'end'> = {}): Promise<string> {
    return succeeded([`${this.name}:`, ...argv], await this.exec(argv, options));
  }

  /** Starts a command and leaves it running, with pipes unless told otherwise. */
  spawn(argv: string[], stdio: StdioOptions = 'pipe', env: NodeJS.ProcessEnv = {}): Running {
    this.#mustBeUp();
    const child = startIn(this.#around.init(), argv, stdio, env);
    const done = new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, name) => resolve(exitStatus(code, name)));
    });
    return { process: child, done, kill: (name = 'SIGTERM') => signalIn(child, name) };
  }

  /** Starts dockerd unless it runs, waits for its answer, and sees to it that it has the image busybox:local. */
  async startDocker(args: string[] = this.#around.dockerArgs): Promise<void> {
    this.#mustBeUp();
    await startDocker(this.#home, args);
  }

  /** Ends dockerd and waits until it has ended. SIGKILL leaves its containers running, as on any host. */
  async stopDocker(name: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await dockerd(this.#home).stop(name, 60_000);
  }

  /** Starts the net-routed daemon unless it runs, with these arguments beyond its peer, and waits for its answer. */
  async startDaemon(args: string[] = this.#around.daemonArgs): Promise<void> {
    this.#mustBeUp();
    await startDaemon(this.#home, [...this.#around.peerArgs, ...args]);
  }

  /**
   * Starts the net-routed daemon and waits for nothing. `launcher` is a program with its arguments that becomes the
   * daemon by and by: it has the daemon's command line as its further arguments.
   */
  async launchDaemon(launcher: string[] = []): Promise<void> {
    this.#mustBeUp();
    const { peerArgs, daemonArgs } = this.#around;
    await launchDaemon(this.#home, [...peerArgs, ...daemonArgs], launcher);
  }

  /** Ends the net-routed daemon and waits until it has ended. */
  async stopDaemon(name: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await daemon(this.#home).stop(name);
  }

  /** Id of a service's process as the machine counts; undefined when it does not run. */
  pid(of: ServiceName): number | undefined {
    return this.service(of).find()?.pid;
  }

  /** A service of the host, for starting and ending other programs in the background. */
  service(name: ServiceName): Service {
    return new Service(name, this.#home);
  }

  /** The log of a service as a file outside; it survives the host. */
  log(of: ServiceName): string {
    return this.service(of).log;
  }

  /** Ends everything in the host at once, as a power cut does, and starts it again from its disk. */
  async reboot(): Promise<void> {
    await this.#around.reboot();
  }

  #mustBeUp(): void {
    if (!this.up) throw new LabError(`host ${this.name} is not running`);
  }
}
