/** All that a call without an effect must not change: records, views, kernel, firewall, engine, router, Docker. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Host } from '../../lab/host.ts';
import type { Lab } from '../../lab/lab.ts';
import { ask } from '../../src/api/unixhttp.ts';
import { eventually, routesTo } from './support.ts';

const KERNEL =
  'ip -o link; ip -o addr; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ip netns list';
const ROUTER = 'ip route show proto bgp; ip -6 route show proto bgp';
const DOCKER =
  'docker network ls --no-trunc -q; docker ps -a --no-trunc --format "{{.ID}} {{.Names}} {{.State}}"';

export type Snapshot = Readonly<Record<string, readonly string[]>>;

/** How a host is, and what the router knows of it. */
export async function snapshot(lab: Lab, host: Host): Promise<Snapshot> {
  const [views, kernel, firewall, router, docker] = await Promise.all([
    Promise.all(['networks', 'endpoints', 'pools', 'routes', 'peers'].map((what) => view(host, what))),
    host.must(['sh', '-c', KERNEL]),
    host.must(['nft', '-s', 'list', 'ruleset']),
    lab.tor.must(['sh', '-c', ROUTER]),
    host.pid('dockerd') === undefined ? '' : host.must(['sh', '-c', DOCKER]),
  ]);
  return {
    records: records(host),
    views: views.flat(),
    kernel: kernel.split('\n'),
    firewall: firewall.split('\n'),
    router: router.split('\n'),
    docker: docker.split('\n'),
  };
}

/** Waits until the host has learned from the router what there is, in both families. */
export async function peered(lab: Lab, host: Host): Promise<void> {
  for (const prefix of ['192.0.2.0/24', '2001:db8::/64'])
    await eventually(`a route to ${prefix}`, async () => (await routesTo(host, prefix)).length > 0);
  await settled(lab, host);
}

/** The snapshot once engine and router have followed: they do so in the background. */
export async function settled(lab: Lab, host: Host): Promise<Snapshot> {
  let last = '';
  return eventually('the engine and the router have followed', async () => {
    const now = await snapshot(lab, host);
    const text = JSON.stringify(now);
    const quiet = text === last && !/"state":"(pending|missing|stray|differs)"/.test(now.views?.join() ?? '');
    last = text;
    return quiet && now;
  });
}

/** Does something that must have no effect. */
export async function unchanged(
  lab: Lab,
  host: Host,
  what: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const before = await settled(lab, host);
  await work();
  assert.deepEqual(await snapshot(lab, host), before, `${what} changed something`);
}

/** Rows of the store's file, read from a copy: the daemon holds a lock on the file. */
export function rowsOf(host: Host, query: string): Record<string, unknown>[] {
  const folder = mkdtempSync(join(tmpdir(), 'nr-store-'));
  try {
    const file = join(folder, 'store.db');
    for (const end of ['', '-wal']) {
      const source = `${join(host.disk, 'var/lib/net-routed/store.db')}${end}`;
      if (end === '' || existsSync(source)) copyFileSync(source, `${file}${end}`);
    }
    const database = new DatabaseSync(file);
    const rows = database.prepare(query).all();
    database.close();
    return rows;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * The records of the store. Without addresses at rest, which an attempt that was refused may leave for a minute, without
 * the instant from which one is held, and without the chunks of addresses that the host has got to choose from, which
 * come and go in the background.
 */
function records(host: Host): string[] {
  const rows = rowsOf(
    host,
    "SELECT key, value FROM record WHERE value IS NOT NULL AND class <> 3 AND key NOT GLOB 'chunk/*' ORDER BY key",
  );
  assert.ok(rows.length > 0, 'the store has records');
  return rows.flatMap(({ key, value }) => {
    const { since: _, ...rest } = JSON.parse(String(value)) as Record<string, unknown>;
    return rest.use === 'resting'
      ? []
      : [`${key} ${JSON.stringify(Object.fromEntries(Object.entries(rest).sort()))}`];
  });
}

/** What `net-routed NAME --json` prints, an element a line, without what the passing of time changes. */
async function view(host: Host, name: string): Promise<string[]> {
  const { status, body } = await ask(host.path('/run/net-routed/api.sock'), 'GET', `/v1/${name}`, 10_000);
  assert.equal(status, 200, body);
  const timeless = (key: string, value: unknown) =>
    ['resting', 'free', 'owned', 'rest', 'spare', 'uptime', 'seconds'].includes(key) ? undefined : value;
  const all = JSON.parse(body)[name] as unknown[];
  return all.map((one) => `${name} ${JSON.stringify(one, timeless)}`);
}
