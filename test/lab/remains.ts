/** What a lab has on this machine, found without asking the lab: its folder is mounted in every host of it. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';

/** Everything that names the lab or its folder. */
export function remains(lab: string): string[] {
  const folder = `/var/lib/net-routed-lab/${lab}`;
  const names = (text: string): boolean =>
    text.split(/[\s,=\0]/).some((word) => word === folder || word.includes(`${folder}/`));
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid))
    for (const file of ['mountinfo', 'environ', 'cmdline'])
      if (names(read(`/proc/${pid}/${file}`))) found.push(`process ${pid}: ${read(`/proc/${pid}/cmdline`)}`);
  if (names(read('/proc/self/mountinfo'))) found.push('mounts in the namespace of the machine');
  for (const group of globSync(`/sys/fs/cgroup/{,*/}net-routed-lab/${lab}`))
    found.push(`control group ${group}`);
  if (existsSync(folder)) found.push(`folder ${folder}`);
  return [...new Set(found)];
}

/** Names of the links in the machine's own network namespace that a lab could have made. */
export function links(): string[] {
  const all = JSON.parse(execFileSync('ip', ['-json', 'link'], { encoding: 'utf8' })) as { ifname: string }[];
  return all.map(({ ifname }) => ifname).filter((name) => /^(swp|uplink|eth|nr)/.test(name));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // the process has ended meanwhile
  }
}
