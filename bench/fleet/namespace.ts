/** Network namespaces of the bench: nothing else is counted on their interfaces, and they can be parted. */
import { readFileSync } from 'node:fs';
import { must, run } from '../../lab/run.ts';

const NAMES = ['nrbench0', 'nrbench1'] as const;
/** Addresses of the two sides (documentation, RFC 5737). */
export const SIDES = ['198.51.100.1', '198.51.100.2'] as const;
export const HERE = '127.0.0.1';

/** One with a loopback interface only. @returns its name */
export async function makeNamespace(): Promise<string> {
  await removeNamespaces();
  await must(['ip', 'netns', 'add', NAMES[0]]);
  await must(['ip', '-n', NAMES[0], 'link', 'set', 'lo', 'up']);
  return NAMES[0];
}

/** Two with a link between them. @returns their names, in the order of their addresses */
export async function makeTwoSides(): Promise<readonly [string, string]> {
  await makeNamespace();
  const [one, other] = NAMES;
  await must(['ip', 'netns', 'add', other]);
  await must(['ip', '-n', other, 'link', 'set', 'lo', 'up']);
  await must(['ip', '-n', one, 'link', 'add', 'side', 'type', 'veth', 'peer', 'side', 'netns', other]);
  for (const [at, name] of NAMES.entries()) {
    await must(['ip', '-n', name, 'address', 'add', `${SIDES[at]}/24`, 'dev', 'side']);
    await must(['ip', '-n', name, 'link', 'set', 'side', 'up']);
  }
  return NAMES;
}

/** Parts the two sides, or puts them together again. Connections notice by themselves. */
export async function part(isApart: boolean): Promise<void> {
  await must(['ip', '-n', NAMES[0], 'link', 'set', 'side', isApart ? 'down' : 'up']);
}

export async function removeNamespaces(): Promise<void> {
  for (const name of NAMES) await run(['ip', 'netns', 'delete', name]);
}

/** Bytes of all packets that were sent on the loopback interface, where a process is. */
export function loopbackBytes(pid: number): number {
  const fields = /^ *lo:(.*)$/m
    .exec(readFileSync(`/proc/${pid}/net/dev`, 'utf8'))?.[1]
    ?.trim()
    .split(/ +/);
  return Number(fields?.[8]);
}
