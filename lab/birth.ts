/** How a lab host comes to be: its first process in its namespaces, and nothing before it is written down. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupVersion, makeCgroups, moveToLeaf } from './cgroup.ts';
import { LabError } from './errors.ts';
import { checkout, hostFolder } from './paths.ts';
import { identify, type ProcessId } from './process.ts';
import { hostLines } from './topology.ts';
import { tails } from './wait.ts';

/** What a new host is to be. */
export interface Birth {
  lab: string;
  host: string;
  role: 'host' | 'router' | 'plain';
  /** Root of another release; undefined: the machine's own. */
  root?: string | undefined;
}

const bootTimeoutMs = 60_000;

/**
 * Starts a host's first process. It tells its id, `record` writes that down, and only then it is allowed to go on:
 * if we die in between, it reads the end of its input and ends as well.
 */
export async function begin(birth: Birth, record: (init: ProcessId) => void): Promise<ProcessId> {
  const { lab, host } = birth;
  const disk = join(hostFolder(lab, host), 'disk');
  mkdirSync(disk, { recursive: true });
  const groups = makeCgroups(lab, host);
  const log = join(hostFolder(lab, host), 'boot.log');
  const logFile = openSync(log, 'w');
  const enlist = 'for group; do echo 0 > "$group/cgroup.procs"; done';
  const make = 'exec unshare --mount --net --uts --ipc --pid --cgroup --fork sh "$LAB_INIT"';
  const child = spawn('sh', ['-ec', `${enlist}; ${make}`, 'net-routed-lab', ...groups], {
    detached: true,
    stdio: ['pipe', 'pipe', logFile],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LAB_INIT: join(checkout, 'lab', 'init.sh'),
      LAB_NAME: host,
      LAB_HOSTS: hostLines(),
      LAB_DISK: disk,
      LAB_ROOT: birth.root ?? '',
      LAB_CHECKOUT: checkout,
      LAB_CGROUP: cgroupVersion(),
      LAB_ROLE: birth.role,
    },
  });
  closeSync(logFile);
  const failed = (what: string): LabError => new LabError(`host ${host} ${what}${tails([log])}`);
  const lines = listen(child, failed);
  try {
    const pid = Number(await lines.next());
    const init = identify(pid);
    if (!init) throw failed('ended before it was written down');
    record(init);
    moveToLeaf(groups, [child.pid ?? 0, pid]);
    child.stdin?.end('go\n');
    if ((await lines.next()) !== 'ready') throw failed('did not boot');
    return init;
  } finally {
    lines.stop();
    child.unref();
  }
}

/** Lines that the first process prints, each awaited with a deadline. */
function listen(child: ChildProcess, failed: (what: string) => LabError) {
  let text = '';
  let wake: () => void = () => undefined;
  let over: Error | undefined;
  const finish = (error: Error): void => {
    over ??= error;
    wake();
  };
  child.on('error', finish);
  child.stdin?.on('error', () => finish(failed('ended while it booted')));
  child.stdout?.setEncoding('utf8');
  child.stdout?.on('data', (chunk: string) => {
    text += chunk;
    wake();
  });
  child.stdout?.on('end', () => finish(failed('ended while it booted')));
  const timer = setTimeout(
    () => finish(failed(`did not boot within ${bootTimeoutMs / 1000} s`)),
    bootTimeoutMs,
  );
  return {
    async next(): Promise<string> {
      while (!text.includes('\n')) {
        if (over) throw over;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const end = text.indexOf('\n');
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
    stop(): void {
      clearTimeout(timer);
      child.stdout?.destroy();
    },
  };
}
