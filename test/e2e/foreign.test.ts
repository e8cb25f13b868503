import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { namespacePids } from '../../lab/process.ts';
import { nothingLeft } from './leftovers.ts';
import {
  ask,
  createNetwork,
  docker,
  eventually,
  type Listed,
  list,
  ourLinks,
  reaches,
  routed,
  routesTo,
  run,
  useLab,
} from './support.ts';

/** Things of others, chosen to look like ours. */
const FOREIGN = `
ip link add name nrforeign0 type veth peer name nrforeign0c
ip link set nrforeign0 up
ip link add name nr0123456789 type veth peer name nr0123456789c
ip addr add 198.51.100.1/24 dev nrforeign0
ip route add 10.1.0.2/32 via 192.168.1.1 metric 50
ip route add 10.1.0.3/32 via 192.168.1.1 metric 158
ip route add 10.1.0.4/32 via 192.168.1.1 metric 1158 proto static
ip route add blackhole 10.9.0.0/16 proto bird
ip -6 route add fd00:9::2/128 via fd00:168:1::1 metric 50
nft add table inet net_routed_not
nft add chain inet net_routed_not c '{ type filter hook forward priority 0; }'
nft add rule inet net_routed_not c ip saddr 203.0.113.9 counter drop
nft add table ip net_routed
docker network create --subnet 172.30.0.0/24 theirs
`;

/** How often the daemon is killed while a container starts. */
const STARTS = 3;

/** Kills the process of that number when an interface of ours comes. */
const KILL_AT_LINK = `ip monitor link | while read -r line; do
  case $line in *": nr"*) kill -KILL "$1"; break;; esac
done`;

/** As much of what doctor says as is looked at here. */
interface Doctor {
  readonly checks: readonly { readonly name: string; readonly result: string; readonly what: string }[];
  readonly fixed: readonly string[];
}

describe('what is not ours', function () {
  this.timeout(300_000);
  const lab = useLab('e2efor', { hosts: 1 });
  let h1: Host;

  /** The state of the kernel without what is ours and without counters. */
  async function others(): Promise<string> {
    const links = (await h1.must(['ip', '-o', 'link']))
      .split('\n')
      .filter((line) => !line.includes('group 158'));
    const routes = await h1.must(['sh', '-c', 'ip route show table all; ip -6 route show table all']);
    const mine = new Set(await ourLinks(h1));
    const foreign = routes
      .split('\n')
      .filter((line) => !line.includes('proto 158') && ![...mine].some((link) => line.includes(link)));
    const rules = await h1.must(['nft', '-s', 'list', 'ruleset']);
    const tables = rules
      .split(/^(?=table )/m)
      .filter((table) => !table.startsWith('table inet net_routed {'));
    return [...links.map((line) => line.replace(/^\d+: /, '')), ...foreign.sort(), ...tables].join('\n');
  }

  /** Kills the daemon as soon as it has made the interface of a container, which then has neither address nor route. */
  async function killedAtStart(): Promise<void> {
    const links = await ourLinks(h1);
    const daemon = namespacePids(h1.pid('net-routed')!).at(-1);
    // In the host, for the way to this process and back would give the daemon time.
    const killer = h1.spawn(['sh', '-c', KILL_AT_LINK, 'sh', String(daemon)]);
    const run = ['docker', 'run', '-d', '--name', 'ee', '--network', 'mine', '--ip', '10.1.0.7'];
    // Docker may come through, as it asks again, or not.
    const started = h1.exec([...run, 'busybox:local', 'sleep', '3600'], { timeoutMs: 120_000 });
    await eventually('the daemon is killed', () => h1.pid('net-routed') === undefined, 60_000);
    killer.kill();
    await h1.stopDaemon('SIGKILL');
    await h1.startDaemon();
    await started;
    await docker(h1, 'rm', '-f', 'ee');
    const addresses = ['10.1.0.2', '10.1.0.5', ...(await theirAddresses())];
    await nothingLeft(h1, lab().tor, ['10.1.0.0/16', 'fd00:9::/64'], { links, addresses }, () =>
      ask(h1, 'doctor', '--fix'),
    );
  }

  /** Addresses that others have routes to, or our endpoints besides those that were asked for. */
  async function theirAddresses(): Promise<string[]> {
    const endpoints = await list<Listed>(h1, 'endpoints');
    return [
      '10.1.0.3',
      '10.1.0.4',
      ...endpoints.flatMap((one) => one.addresses.map(({ address }) => address)),
    ];
  }

  /** Has doctor --fix repair a route that is missing and an interface that nobody owns. */
  async function repairs(): Promise<void> {
    const links = await ourLinks(h1);
    const stray = 'nrfedcba9876';
    const make = [
      'ip',
      'link',
      'add',
      'name',
      stray,
      'group',
      '158',
      'type',
      'veth',
      'peer',
      'name',
      `${stray}c`,
    ];
    await h1.must(make);
    const { checks } = JSON.parse((await h1.exec(['net-routed', 'doctor', '--json'])).stdout) as Doctor;
    const found = checks.find(({ name }) => name === 'kernel: strays');
    assert.equal(found?.result, 'fail');
    assert.match(found.what, new RegExp(stray));
    await fix();
    assert.deepEqual(await ourLinks(h1), links, 'the stray interface is gone');
    // Last, for the daemon sees by itself that a route goes, and reads everything back soon.
    await h1.must(['ip', 'route', 'del', '10.1.0.5/32', 'proto', '158']);
    await fix();
    assert.equal((await routesTo(h1, '10.1.0.5/32')).length, 1, 'the route is back');
  }

  async function fix(): Promise<void> {
    const { fixed, checks } = await ask<Doctor>(h1, 'doctor', '--fix');
    assert.ok(
      fixed.some((line) => /repaired what differed/.test(line)),
      fixed.join('\n'),
    );
    for (const name of ['kernel: strays', 'kernel: complete'])
      assert.equal(checks.find((check) => check.name === name)?.result, 'ok', JSON.stringify(checks));
  }

  before(async () => {
    h1 = lab().host('h1');
    await h1.must(['sh', '-ec', FOREIGN]);
    await docker(
      h1,
      'run',
      '-d',
      '--name',
      'bridged',
      '--network',
      'theirs',
      'busybox:local',
      'sleep',
      '3600',
    );
  });

  it('is untouched by networks, containers, restarts, crashes and doctor --fix', async () => {
    const before = await others();
    const same = async (after: string) => assert.equal(await others(), before, after);
    await createNetwork(h1, 'mine', ['10.1.0.0/16', 'fd00:9::/64']);
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--ip6', 'fd00:9::2');
    await run(h1, 'bb', '--network', 'mine', '--ip', '10.1.0.5');
    await routed(lab().tor, '10.1.0.5');
    await same('containers started');
    await h1.stopDaemon();
    await same('the daemon stopped');
    await h1.startDaemon();
    await same('the daemon started');
    await h1.stopDaemon('SIGKILL');
    await h1.startDaemon();
    await same('the daemon was killed');
    for (let round = 0; round < STARTS; round++) {
      await killedAtStart();
      await same('the daemon was killed while a container started');
    }
    await repairs();
    await same('doctor --fix');
    await reaches(h1, 'bb', '192.0.2.10');
    await docker(h1, 'rm', '-f', 'aa', 'bb');
    await docker(h1, 'network', 'rm', 'mine');
    await same('everything of ours is gone');
  });

  it('stands in the way only of what it is in the way of, and says so', async () => {
    const before = await others();
    await createNetwork(h1, 'mine', ['10.1.0.0/16']);
    // The same prefix with our metric: the one thing that cannot stand side by side.
    const refused = await h1.exec([
      'docker',
      'run',
      '-d',
      '--name',
      'cc',
      '--network',
      'mine',
      '--ip',
      '10.1.0.3',
      'busybox:local',
      'sleep',
      '60',
    ]);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /NR_FOREIGN_OBJECT/);
    await docker(h1, 'rm', '-f', 'cc');
    await run(h1, 'dd', '--network', 'mine', '--ip', '10.1.0.6');
    await routed(lab().tor, '10.1.0.6');
    await docker(h1, 'rm', '-f', 'dd');
    await docker(h1, 'network', 'rm', 'mine');
    assert.equal(await others(), before);
    assert.deepEqual(await ourLinks(h1), []);
  });
});
