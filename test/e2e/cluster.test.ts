import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { hostsView, networksView, poolsView, type StatusView, statusView } from '../../src/api/views.ts';
import { createNetwork, docker, dockerFails, eventually, inside, reaches, run, useLab } from './support.ts';

const SUBNET = '10.1.0.0/16';
const SUBNET_V6 = 'fd00:9::/64';
/** Addresses of a chunk of a subnet as large as this. */
const CHUNK = 64n;

const ours = async (host: Host, ...words: string[]) => (await host.must(['net-routed', ...words])).trimEnd();
const json = async (host: Host, ...words: string[]): Promise<unknown> =>
  JSON.parse(await ours(host, ...words, '--json'));
const status = async (host: Host): Promise<StatusView> => statusView.parse(await json(host, 'status'));

/** Members and their states, as a host sees them. */
async function members(host: Host): Promise<string> {
  const { hosts } = hostsView.parse(await json(host, 'hosts', '--all'));
  return hosts.map(({ name, state }) => `${name} ${state}`).join(', ');
}

async function sees(host: Host, wanted: string, timeoutMs?: number): Promise<void> {
  await eventually(`${host.name} sees ${wanted}`, async () => (await members(host)) === wanted, timeoutMs);
}

/** The IPv4 address of a container in the network. */
function addressOf(host: Host, container: string): Promise<string> {
  return docker(host, 'inspect', '-f', '{{.NetworkSettings.Networks.mine.IPAddress}}', container);
}

/** Another address of the chunk that this one is in. */
function besides(address: string, places: bigint): string {
  const [, , high = '', low = ''] = address.split('.');
  const place = BigInt(high) * 256n + BigInt(low);
  const other = place - (place % CHUNK) + ((place + places) % CHUNK);
  return `10.1.${other / 256n}.${other % 256n}`;
}

describe('a cluster', function () {
  this.timeout(180_000);
  const lab = useLab('e2ecluster', { hosts: 3 });
  let [h1, h2, h3] = [] as unknown as [Host, Host, Host];
  before(() => {
    [h1, h2, h3] = lab().hosts as [Host, Host, Host];
  });

  /** Has a host join by a token of another one. */
  async function join(host: Host, at: Host): Promise<string> {
    const token = await ours(at, 'token');
    const argv = ['net-routed', 'join', underlay(at.name).host4, '--token', '-'];
    return host.must(argv, { input: token, timeoutMs: 120_000 });
  }

  const everywhere = (what: (host: Host) => Promise<unknown>) => Promise.all([h1, h2, h3].map(what));

  it('begins with one host, whose network and containers go on', async () => {
    await createNetwork(h1, 'mine', [SUBNET, SUBNET_V6]);
    await run(h1, 'first', '--network', 'mine');
    const address = await addressOf(h1, 'first');
    await reaches(lab().out, undefined, address);
    await losesNothing(address, async () => {
      assert.match(await ours(h1, 'init'), /^made the cluster [0-9a-f-]{36}$/);
      await sees(h1, 'h1 present');
    });
    assert.equal(await addressOf(h1, 'first'), address);
    const [one] = poolsView.parse(await json(h1, 'pools')).pools;
    assert.equal(one?.here, '1');
  });

  /** Nobody who pings a container from outside notices what is done meanwhile. */
  async function losesNothing(address: string, work: () => Promise<void>): Promise<void> {
    const log = await lab().out.must([
      'sh',
      '-c',
      `ping -q -i 0.05 -w 6 ${address} > /tmp/ping 2>&1 & echo $!`,
    ]);
    await work();
    await eventually(
      'the pings end',
      async () => (await lab().out.exec(['sh', '-c', `kill -0 ${log.trim()}`])).status !== 0,
    );
    assert.match(await lab().out.must(['cat', '/tmp/ping']), / 0% packet loss/);
  }

  it('ends with its last host, which takes network and containers along, and can be made again', async () => {
    const [address, before] = [await addressOf(h1, 'first'), (await status(h1)).cluster];
    await losesNothing(address, async () => {
      assert.equal(await ours(h1, 'leave'), 'left the cluster');
      const { cluster, attention, networks, endpoints } = await status(h1);
      assert.deepEqual([cluster.state, attention, networks], ['alone', [], 1]);
      assert.notEqual(cluster.id, before.id);
      assert.deepEqual(endpoints, { total: 1, up: 1 });
    });
    const [pool] = poolsView.parse(await json(h1, 'pools')).pools;
    assert.deepEqual([pool?.held, pool?.here], ['1', '1']);
    const isNamed = async () => {
      const [network] = networksView.parse(await json(h1, 'networks')).networks;
      return network?.clusterName === 'mine';
    };
    await eventually('the network has its name again', isNamed, 60_000);
    await run(h1, 'other', '--network', 'mine');
    assert.notEqual(await addressOf(h1, 'other'), address);
    await docker(h1, 'rm', '-f', 'other');
    assert.match(await ours(h1, 'init'), /^made the cluster /);
    await reaches(lab().out, undefined, address);
  });

  it('grows by tokens, and each host sees the others', async () => {
    const refused = await h2.exec(['net-routed', 'join', underlay('h1').host4, '--token', 'nrj1_nonsense']);
    assert.match(refused.stderr, /^error NR_TOKEN_INVALID: /m);
    for (const host of [h2, h3]) assert.match(await join(host, h1), /^joined the cluster /m);
    const all = 'h1 present, h2 present, h3 present';
    await everywhere((host) => sees(host, all));
    for (const host of [h1, h2, h3]) {
      const { cluster } = await status(host);
      assert.deepEqual([cluster.state, cluster.members], ['member', { total: 3, heard: 3 }]);
      await eventually('nothing is left to look at but that', async () => {
        const [first, ...others] = (await status(host)).attention;
        return others.length === 0 && /^host h1 alone holds the key/.test(first?.what ?? '');
      });
    }
    await ours(h1, 'share', 'h2');
    for (const host of [h1, h2, h3])
      await eventually('nothing is left to look at', async () => (await status(host)).attention.length === 0);
    const { stderr } = await h3.exec(['net-routed', 'token']);
    assert.match(stderr, /^error NR_CLUSTER_KEY: .* is held by h1, h2; /);
  });

  it('gives each container an address of its own, whoever asks for which at the same time', async () => {
    for (const host of [h2, h3]) await createNetwork(host, 'mine', [SUBNET, SUBNET_V6]);
    const names = Array.from({ length: 6 }, (_, index) => `auto${index}`);
    const wanted = Array.from({ length: 4 }, (_, index) => `10.1.77.${index + 1}`);
    const claims: string[] = [];
    const refusals: string[] = [];
    await everywhere(async (host) => {
      await Promise.all([
        ...names.map((name) => run(host, name, '--network', 'mine')),
        ...wanted.map(async (address) => {
          const argv = ['docker', 'run', '-d', '--stop-signal', 'KILL', '--network', 'mine', '--ip', address];
          const { status: ended, stderr } = await host.exec([...argv, 'busybox:local', 'sleep', '3600']);
          if (ended === 0) claims.push(address);
          else refusals.push(`${host.name} ${address} ${stderr}`);
        }),
      ]);
    });
    // With so much at once on one machine, the owner may need longer than it is waited for.
    for (const said of refusals)
      assert.match(said, /NR_(ADDRESS_IN_USE|ADDRESS_ANNOUNCED|MEMBER_UNREACHABLE): /);
    const given = await everywhere(async (host) => {
      const ids = (await docker(host, 'ps', '-q')).split('\n');
      const template =
        '{{.NetworkSettings.Networks.mine.IPAddress}} {{.NetworkSettings.Networks.mine.GlobalIPv6Address}}';
      return (await docker(host, 'inspect', '-f', template, ...ids)).split(/\s+/);
    });
    const addresses = given.flat() as string[];
    assert.equal(addresses.length, 2 * (3 * names.length + claims.length + 1));
    assert.equal(new Set(addresses).size, addresses.length, addresses.join(' '));
    // One of those without --ip may have been given it before.
    for (const address of wanted) {
      const said = refusals.filter((one) => one.includes(`${address} `)).join('');
      assert.ok(addresses.includes(address) || said.includes('NR_MEMBER_UNREACHABLE'), said);
    }
    await reaches(h3, 'auto0', await addressOf(h1, 'auto5'));
    await reaches(h1, 'auto0', await addressOf(h2, 'auto5'));
    const shown = poolsView.parse(await json(h2, 'pools')).pools.find(({ prefix }) => prefix === SUBNET);
    assert.deepEqual(
      shown?.hosts.map(({ name }) => name),
      ['h1', 'h2', 'h3'],
    );
    assert.equal(shown?.held, String(addresses.length / 2));
  });

  it("lends an address of another host's, as long as that one can be asked, and names it", async () => {
    const mine = await addressOf(h1, 'first');
    const [lent, refused] = [besides(mine, 20n), besides(mine, 21n)];
    await run(h2, 'borrower', '--network', 'mine', '--ip', lent);
    assert.match(
      await dockerFails(h3, 'run', '--rm', '--network', 'mine', '--ip', lent, 'busybox:local', 'true'),
      /NR_ADDRESS_/,
    );
    await h1.stopDaemon();
    const said = await dockerFails(
      h2,
      'run',
      '--rm',
      '--network',
      'mine',
      '--ip',
      refused,
      'busybox:local',
      'true',
    );
    assert.match(said, /NR_MEMBER_UNREACHABLE: .*host h1\b/);
    // What is its own it gives all the same.
    await run(h2, 'without', '--network', 'mine');
    await sees(h2, 'h1 silent, h2 present, h3 present', 40_000);
    const { attention } = await status(h2);
    const [first] = attention.filter(({ what }) => what.includes('NR_MEMBER_UNREACHABLE'));
    assert.match(first?.what ?? '', /host h1 was not heard for \d+ s.*new networks/);
    await h1.startDaemon();
    await everywhere((host) => sees(host, 'h1 present, h2 present, h3 present', 40_000));
    await run(h2, 'with', '--network', 'mine', '--ip', refused);
    await inside(h1, 'first', 'true');
  });

  it('lets a host leave that has nothing any more, and come back', async () => {
    const { stderr } = await h3.exec(['net-routed', 'leave']);
    assert.match(stderr, /^error NR_MEMBER_IN_USE: this host has 1 network: mine\b/m);
    await h3.must(['sh', '-c', 'docker rm -f $(docker ps -aq) && docker network rm mine']);
    await eventually('what was borrowed is given back', async () => {
      const { status: ended } = await h3.exec(['net-routed', 'leave'], { timeoutMs: 120_000 });
      return ended === 0;
    });
    assert.equal((await status(h3)).cluster.state, 'alone');
    await sees(h1, 'h1 present, h2 present, h3 left');
    await createNetwork(h3, 'alone', ['10.9.0.0/24']);
    const argv = ['net-routed', 'join', underlay('h1').host4, '--token', await ours(h1, 'token')];
    assert.match((await h3.exec(argv)).stderr, /^error NR_JOIN_IN_USE: /m);
    await docker(h3, 'network', 'rm', 'alone');
    await join(h3, h1);
    await sees(h1, 'h1 present, h2 present, h3 present, h3 left');
    await createNetwork(h3, 'mine', [SUBNET, SUBNET_V6]);
    await run(h3, 'again', '--network', 'mine');
    await reaches(h2, 'without', await addressOf(h3, 'again'));
  });

  it('forgets a host that was killed and is to stay out, which finds out and joins anew', async () => {
    const id = (await status(h2)).cluster.id;
    await h2.stopDaemon('SIGKILL');
    assert.equal(await ours(h1, 'forget', '--ban', 'h2'), 'forgot and banned h2');
    await sees(h3, 'h1 present, h3 present, h2 forgotten, h3 left');
    const [pool] = poolsView.parse(await json(h3, 'pools')).pools;
    assert.ok(!pool?.hosts.some((one) => one.id === id));

    await h2.startDaemon();
    await eventually('h2 finds out', async () => (await status(h2)).cluster.state === 'halted');
    const said = await dockerFails(h2, 'run', '--rm', '--network', 'mine', 'busybox:local', 'true');
    assert.match(said, /NR_MEMBER_HALTED: the cluster has forgotten this host/);
    await inside(h2, 'without', 'true');
    const { attention } = await status(h2);
    assert.ok(attention.some(({ what }) => what.startsWith('NR_MEMBER_HALTED: ')));
    await h2.must(['sh', '-c', 'docker rm -f $(docker ps -aq) && docker network rm mine']);
    await join(h2, h1);
    await sees(h1, 'h1 present, h3 present, h2 present, h2 forgotten, h3 left');
    assert.notEqual((await status(h2)).cluster.id, id);
    await createNetwork(h2, 'mine', [SUBNET, SUBNET_V6]);
    await run(h2, 'anew', '--network', 'mine');
    await reaches(h3, 'again', await addressOf(h2, 'anew'));
  });
});
