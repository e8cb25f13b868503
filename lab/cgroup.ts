/**
 * Control groups of lab hosts. Every process that a host starts with is put in the host's group before anything
 * else happens, so the groups tell which processes are the lab's even when nobody got round to writing it down.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { labsCgroup } from './paths.ts';
import { until } from './wait.ts';

/** One mounted hierarchy. */
interface Hierarchy {
  path: string;
  type: 'cgroup' | 'cgroup2';
}

/** Hierarchies of this machine. */
function hierarchies(): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const type = after.split(' ')[0];
    const path = before.split(' ')[4];
    if ((type === 'cgroup' || type === 'cgroup2') && path?.startsWith('/sys/fs/cgroup'))
      found.push({ path, type });
  }
  return found;
}

/** Whether controllers live in the one hierarchy of version 2, or in several of version 1. */
export const cgroupVersion = (): 'v1' | 'v2' =>
  existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'v2' : 'v1';

/** Makes a host's groups and returns their folders. */
export function makeCgroups(lab: string, host: string): string[] {
  return hierarchies().map(({ path }) => {
    let parent = path;
    for (const name of [labsCgroup, lab, host]) {
      const group = join(parent, name);
      mkdirSync(group, { recursive: true });
      inherit(parent, group, parent === path);
      parent = group;
    }
    if (cgroupVersion() === 'v2') mkdirSync(join(parent, 'init'), { recursive: true });
    return parent;
  });
}

/** A new group has no CPUs (version 1) or is passed no controllers (version 2) until told so. */
function inherit(parent: string, group: string, top: boolean): void {
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const file = join(group, name);
    if (cgroupVersion() === 'v1' && existsSync(file)) writeFileSync(file, readFileSync(join(parent, name)));
  }
  const controllers = join(parent, 'cgroup.controllers');
  // What the top group passes on is the machine's choice, not ours.
  if (cgroupVersion() === 'v1' || top) return;
  for (const name of readFileSync(controllers, 'utf8').split(/\s+/).filter(Boolean))
    writeFileSync(join(parent, 'cgroup.subtree_control'), `+${name}`);
}

/** Version 2 wants processes in leaves only: moves them there, once they have their cgroup namespace. */
export function moveToLeaf(groups: string[], pids: number[]): void {
  if (cgroupVersion() === 'v1') return;
  for (const group of groups)
    for (const pid of pids) writeFileSync(join(group, 'init', 'cgroup.procs'), String(pid));
}

/** Top folders of a lab's (or with a host's name: a host's) groups, as far as they exist. */
function tops(lab: string, host = ''): string[] {
  return hierarchies()
    .map(({ path }) => join(path, labsCgroup, lab, host))
    .filter((path) => existsSync(path));
}

/** Ids of all processes in a lab's, or one host's, groups. */
export function cgroupProcesses(lab: string, host = ''): number[] {
  const pids = new Set<number>();
  for (const group of tops(lab, host).flatMap(withBelow))
    for (const pid of read(join(group, 'cgroup.procs')).split('\n'))
      if (Number(pid) > 0) pids.add(Number(pid));
  return [...pids];
}

/** Removes a lab's, or one host's, groups once they are empty. */
export async function removeCgroups(lab: string, host = ''): Promise<void> {
  await until(
    `the control groups of lab ${lab} to be empty`,
    () => {
      for (const group of tops(lab, host).flatMap(withBelow).reverse()) remove(group);
      return tops(lab, host).length === 0;
    },
    { timeoutMs: 20_000 },
  );
  // The last lab takes the folder of all labs with it.
  if (!host) for (const { path } of hierarchies()) remove(join(path, labsCgroup));
}

/** Names of labs that have groups. */
export function labsWithCgroups(): string[] {
  const names = hierarchies().flatMap(({ path }) => folders(join(path, labsCgroup)));
  return [...new Set(names)];
}

const withBelow = (group: string): string[] => [
  group,
  ...folders(group).flatMap((name) => withBelow(join(group, name))),
];

function folders(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => statSync(join(path, name)).isDirectory());
  } catch (error) {
    return gone(error, []);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return gone(error, '');
  }
}

function remove(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    // Busy: still has processes or groups of others below it; whoever waits will see.
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') gone(error, undefined);
  }
}

/** Groups vanish while they are looked at; that is no failure. */
function gone<T>(error: unknown, instead: T): T {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENOTDIR') return instead;
  throw error;
}
