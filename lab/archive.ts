/** Where this machine gets Debian from: the lab takes other releases from the same place. */
import { existsSync, readFileSync } from 'node:fs';
import { LabError } from './errors.ts';
import { must, run } from './run.ts';

/** A Debian mirror, and the keys that its releases are signed with. */
export interface Archive {
  mirror: string;
  keyring: string;
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Finds it by asking apt, which reads both formats of its sources; apt has to have fetched its lists for that. */
export async function archive(say: (line: string) => void): Promise<Archive> {
  if (!existsSync(keyring)) throw new LabError(`${keyring} is missing; install debian-archive-keyring`);
  let mirror = await mainMirror();
  if (!mirror) {
    say('fetching package lists (apt-get update)');
    await must(['apt-get', '-o', 'DPkg::Lock::Timeout=300', 'update'], { timeoutMs: 300_000 });
    mirror = await mainMirror();
  }
  if (!mirror) throw new LabError("apt's sources name no Debian archive (origin Debian, component main)");
  return { mirror: resolve(mirror), keyring };
}

async function mainMirror(): Promise<string | undefined> {
  const format = '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT) $(CODENAME)';
  const listed = await must(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']);
  // Updates and backports come from the same mirror, but the release itself surely is there.
  const lines = listed.split('\n').map((line) => line.split(' '));
  const main = lines.filter(
    ([, origin, label, component]) => `${origin} ${label} ${component}` === 'Debian Debian main',
  );
  return (main.find(([, , , , suite]) => !suite?.includes('-')) ?? main[0])?.[0];
}

/** Cloud images name a file that lists mirrors. */
function resolve(mirror: string): string {
  const file = /^mirror\+file:\/*(\/.*?)\/?$/.exec(mirror)?.[1];
  if (!file) return mirror;
  const first = readFileSync(file, 'utf8')
    .split('\n')
    .find((line) => /^https?:/.test(line));
  if (!first) throw new LabError(`${file} lists no mirror`);
  return first.split(/\s/)[0] as string;
}

/** apt's own proxy setting, for debootstrap, which knows only the environment. */
export async function proxyEnvironment(): Promise<NodeJS.ProcessEnv> {
  const { stdout } = await run(['apt-config', 'shell', 'proxy', 'Acquire::http::Proxy']);
  const proxy = /^proxy='(.*)'$/m.exec(stdout)?.[1];
  return proxy && proxy !== 'DIRECT' ? { http_proxy: proxy } : {};
}
