/** A program that runs in the background of a lab host: dockerd, net-routed, zebra. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './errors.ts';
import { enter, environment, outerPid, outside } from './namespace.ts';
import { hostFolder } from './paths.ts';
import { alive, ended, identify, type ProcessId, signal } from './process.ts';
import { run, succeeded } from './run.ts';
import { tails, until } from './wait.ts';

/** Where a service lives. */
export interface Home {
  lab: string;
  host: string;
  init: ProcessId;
}

/** How to start a service and how to see that it works. */
export interface Start {
  argv: string[];
  env?: NodeJS.ProcessEnv;
  /** Asked again and again until it says true. */
  ready: () => boolean | Promise<boolean>;
  timeoutMs?: number;
}

// Started in its own session, with the host's control groups (the shell that nsenter starts is in none of them), and
// written down on the host's /run: who comes later finds it, and a reboot forgets it.
const launcher = `
name=$1 log=$2; shift 2
umask 022
ulimit -n "$(ulimit -Hn)"
if [ -d /sys/fs/cgroup/init ]; then echo 0 > /sys/fs/cgroup/init/cgroup.procs
else for group in /sys/fs/cgroup/*/; do echo 0 > "$group/cgroup.procs"; done; fi
mkdir -p /run/lab "\${log%/*}"
setsid "$@" < /dev/null >> "$log" 2>&1 &
echo $! > "/run/lab/$name.pid.tmp" && mv "/run/lab/$name.pid.tmp" "/run/lab/$name.pid"
`;

/** One service of one host. */
export class Service {
  readonly name: string;
  readonly home: Home;

  constructor(name: string, home: Home) {
    this.name = name;
    this.home = home;
  }

  /** The log as seen by the host. */
  get hostLog(): string {
    return `/var/log/lab/${this.name}.log`;
  }

  /** The log as seen from outside; it survives the host. */
  get log(): string {
    return join(hostFolder(this.home.lab, this.home.host), 'disk', this.hostLog);
  }

  /** The running process; undefined when there is none. */
  find(): ProcessId | undefined {
    const { init } = this.home;
    const file = outside(init, `/run/lab/${this.name}.pid`);
    if (!alive(init) || !existsSync(file)) return undefined;
    const pid = outerPid(init, Number(readFileSync(file, 'latin1')));
    const id = pid === undefined ? undefined : identify(pid);
    return id && alive(id) ? id : undefined;
  }

  /** Starts it, unless it runs, and waits until it works. */
  async start({ argv, env = {}, ready, timeoutMs = 30_000 }: Start): Promise<void> {
    const { host, init } = this.home;
    if (!this.find()) {
      const command = [...enter(init), 'sh', '-ec', launcher, this.name, this.name, this.hostLog, ...argv];
      succeeded(argv, await run(command, { env: environment(env) }));
    }
    const id = this.find();
    const probe = async (): Promise<boolean> => {
      if (!id || !alive(id))
        throw new LabError(`${this.name} on ${host} ended while starting${tails([this.log])}`);
      return ready();
    };
    await until(`${this.name} on ${host} to answer`, probe, { timeoutMs, logs: [this.log] });
  }

  /** Sends it a signal and waits for its end; nothing to do when it does not run. */
  async stop(name: NodeJS.Signals = 'SIGTERM', timeoutMs = 30_000): Promise<void> {
    const id = this.find();
    if (!id) return;
    signal(id, name);
    await ended(id, `${this.name} on ${this.home.host}`, timeoutMs);
  }
}
