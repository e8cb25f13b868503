import { createHash } from 'node:crypto';
import { KNEW_ALL } from '../src/cluster/protocol/members.ts';
import type { Versioned } from '../src/store/crdt/record.ts';
import { TRANSFERS } from '../src/store/transfers.ts';
import type { Host } from './host.ts';
import type { World } from './world.ts';

/** What is not the same on two hosts, or not at rest; undefined when all is as it should be at the end. */
export function difference(world: World): string | undefined {
  const hosts = world.members();
  const [first, ...others] = hosts;
  if (!first) return 'nobody is left';
  for (const host of others) {
    const differs = compare(first, host);
    if (differs) return `${first.name} and ${host.name} differ: ${differs}`;
  }
  for (const host of hosts) {
    const restless = rest(host, world);
    if (restless) return `${host.name}: ${restless}`;
  }
  return undefined;
}

/** SHA-256 of all that is on a host's disk for everybody, and of what it knows: the same on all hosts at the end. */
export function contentHash({ disk }: Pick<Host, 'disk'>): string {
  const known = [...disk.vector].sort(([a], [b]) => (a < b ? -1 : 1));
  const records = [...disk.contents()]
    .filter((version) => version.class !== 'local')
    .map((version) => [version.key, version.class, ...bytes(version)])
    .sort(([a], [b]) => (a! < b! ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([known, records]))
    .digest('hex');
}

/** Byte for byte, and what is known. */
function compare(one: Host, other: Host): string | undefined {
  const [a, b] = [one.disk, other.disk];
  const origins = new Set([...a.vector.keys(), ...b.vector.keys()]);
  for (const origin of origins) {
    if (a.vector.get(origin) !== b.vector.get(origin))
      return `known of ${origin}: ${a.vector.get(origin)} and ${b.vector.get(origin)}`;
  }
  for (const [left, right, sign] of [
    [a, b, '-'],
    [b, a, '+'],
  ] as const) {
    for (const version of left.contents()) {
      if (version.class === 'local') continue;
      const there = right.get(version.key);
      if (there !== version && !(there && isSame(version, there))) return `${sign} ${text(version)}`;
    }
  }
  return undefined;
}

/** What a host still has to do, or has done badly. */
function rest(host: Host, world: World): string | undefined {
  const { replica, cluster } = host.node;
  if (!world.isComplete(host)) return 'incomplete';
  if (cluster.standing.starting) return 'still starting';
  for (const { key } of replica.tombstones()) return `keeps the tombstone ${key}`;
  for (const namespace of ['promise', 'returning', 'self', 'dispute', TRANSFERS])
    for (const { key } of replica.list(namespace)) if (key !== KNEW_ALL) return `keeps ${key}`;
  if (!replica.get(KNEW_ALL)) return 'has not written down that it knows all';
  for (const namespace of ['chunk', 'treasury'])
    for (const { key } of replica.list(namespace)) {
      const owner = cluster.ownership.owner(key);
      if (owner === undefined || !cluster.members.isPresent(owner))
        return `${key} is ${owner}'s, who is gone`;
      if (namespace === 'chunk' && !cluster.spaces.get(key.split('/')[1]!)) return `${key} is left over`;
    }
  return books(host);
}

/** The loans of lenders and borrowers fit each other, and what a host may give fits its records. */
function books(host: Host): string | undefined {
  const { replica, cluster } = host.node;
  const held = new Map<string, Set<string>>();
  for (const namespace of ['allocation', 'lent'])
    for (const { key } of replica.list(namespace)) {
      const [, , space = '', value = ''] = key.split('/');
      held.set(space, (held.get(space) ?? new Set()).add(value));
    }
  for (const space of cluster.spaces.all()) {
    const count = cluster.spaces.allocator(space.id)?.counts(host.wallMs()).held;
    if (Number(count) !== (held.get(space.id)?.size ?? 0))
      return `counts ${count} values of ${space.id}, and has ${held.get(space.id)?.size}`;
  }
  for (const { key, value } of replica.list('allocation')) {
    const [, , id = '', number = ''] = key.split('/');
    const space = cluster.spaces.get(id);
    if (!space) return `${key} is of no space`;
    const owner = cluster.ownership.chunk(id, space.domain, BigInt(number) / BigInt(space.chunk));
    if (owner === host.id) continue;
    const { nonce } = value as { nonce?: string };
    const loan = JSON.stringify(replica.get(`lent/${owner}/${id}/${number}`)?.value);
    if (!nonce || !loan?.includes(`"${nonce}"`)) return `${key} is not lent by ${owner}`;
  }
  for (const { key, value } of replica.list('lent')) {
    const [, , id, number] = key.split('/');
    for (const { to, nonce } of (value as { borrowers: { to: string; nonce: string }[] }).borrowers)
      if (!JSON.stringify(replica.get(`allocation/${to}/${id}/${number}`)?.value)?.includes(`"${nonce}"`))
        return `${key} is lent to ${to}, who does not have it`;
  }
  return undefined;
}

function isSame(a: Versioned, b: Versioned): boolean {
  const theirs = bytes(b);
  return a.class === b.class && bytes(a).every((part, index) => part === theirs[index]);
}

function bytes({ origin, sequence, rank, text, seal }: Versioned): (string | number | undefined)[] {
  return [origin, sequence, rank, text, seal && Buffer.from(seal).toString('hex')];
}

function text({ key, text: value, origin, sequence, rank }: Versioned): string {
  return `${key} = ${value ?? 'nothing'} (${origin} ${sequence}, rank ${rank})`;
}
