import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { counted, newSecret, putSecrets, refusedFor, SECRET_FILE, sees, statusOf } from './secrets.ts';
import { createNetwork, docker, dockerFails, eventually, reaches, run, useLab } from './support.ts';

const SUBNET = '10.1.0.0/16';
const bySecret = ['--cluster-secret-file', SECRET_FILE];
const ALL = 'h1 present, h2 present, h3 present';

describe('a cluster that forms by its settings', function () {
  this.timeout(180_000);
  const seeds = ['h1', 'h2', 'h3'].map((name) => underlay(name).host4).join(',');
  const daemonArgs = [...bySecret, '--seeds', seeds];
  const lab = useLab('e2eform', { hosts: 3, daemon: false, docker: false, daemonArgs });
  let [h1, h2, h3] = [] as unknown as [Host, Host, Host];
  let secret = '';
  before(() => {
    [h1, h2, h3] = lab().hosts as [Host, Host, Host];
  });

  const everywhere = (what: (host: Host) => Promise<unknown>) => Promise.all([h1, h2, h3].map(what));
  const addressOf = (host: Host, container: string) =>
    docker(host, 'inspect', '-f', '{{.NetworkSettings.Networks.mine.IPAddress}}', container);
  const waits = async (host: Host) =>
    (await statusOf(host)).attention
      .map(({ what }) => what)
      .find((what) => what.startsWith('NR_CLUSTER_WAITING'));

  it('is waited for by those that do not make it', async () => {
    secret = await newSecret(h1);
    assert.match(secret, /^nrs1_[\w-]+$/);
    await everywhere((host) => putSecrets(host, secret));
    for (const host of [h2, h3]) {
      await host.startDaemon();
      await host.startDocker();
    }
    await eventually('h2 says what it waits for', async () =>
      (await waits(h2))?.includes('host 192.168.1.2 is to make the cluster'),
    );
    assert.match(await h2.must(['net-routed', 'status']), /^cluster +none yet, see below$/m);
    const flags = ['-d', 'net-routed', '--ipam-driver', 'ipam-routed', '--subnet', SUBNET];
    assert.match(await dockerFails(h2, 'network', 'create', ...flags, 'mine'), /NR_MEMBER_INCOMPLETE/);
  });

  it('is there as soon as its founder is', async () => {
    await h1.startDaemon();
    await h1.startDocker();
    await everywhere((host) => sees(host, ALL));
    await everywhere((host) => createNetwork(host, 'mine', [SUBNET]));
    await everywhere((host) => run(host, 'web', '--network', 'mine'));
    await reaches(h2, 'web', await addressOf(h3, 'web'));
    await reaches(h3, 'web', await addressOf(h1, 'web'));
    for (const word of ['init', 'token'])
      assert.match((await h1.exec(['net-routed', word])).stderr, /^error NR_CLUSTER_SECRET: /m);
  });

  it('changes its secret while containers come and go with addresses that others give', async () => {
    // Of the part of the subnet that h1 gives addresses from, so that each run asks h1.
    const [, , third, fourth] = (await addressOf(h1, 'web')).split('.').map(Number) as [0, 0, number, number];
    const wanted = `10.1.${third}.${fourth - (fourth % 64) + ((fourth + 32) % 64)}`;
    let isOver = false;
    let runs = 0;
    const churn = (async () => {
      while (!isOver) {
        await docker(h2, 'run', '--rm', '--network', 'mine', '--ip', wanted, 'busybox:local', 'true');
        runs += 1;
      }
    })();
    const named = async (host: Host) => (await statusOf(host)).cluster.secrets ?? [];
    const [old] = await named(h1);
    const next = await newSecret(h1, true);
    await everywhere((host) => putSecrets(host, secret, next));
    await everywhere((host) => eventually('two are accepted', async () => (await named(host)).length === 2));
    await everywhere((host) => putSecrets(host, next, secret));
    // It need not wait until it looks at the file by itself.
    await everywhere((host) => host.must(['sh', '-c', 'kill -HUP $(pgrep -f "[d]aemon --")']));
    await everywhere((host) =>
      eventually('the new one is first', async () => (await named(host))[0] !== old),
    );
    const before = runs;
    await eventually('containers have come and gone', () => runs >= before + 3, 60_000);
    await everywhere((host) => putSecrets(host, next));
    await everywhere((host) => eventually('one is accepted', async () => (await named(host)).length === 1));
    const last = runs;
    await eventually('containers have come and gone', () => runs >= last + 3, 60_000);
    isOver = true;
    await churn;
    await everywhere((host) => sees(host, ALL));
    secret = next;
  });

  it('refuses a host with another secret, and names, logs and counts it', async () => {
    await h3.must(['sh', '-c', 'docker rm -f web && docker network rm mine']);
    await h3.must(['net-routed', 'leave'], { timeoutMs: 100_000 });
    await h3.stopDaemon();
    await putSecrets(h3, await newSecret(h3, true));
    await h3.startDaemon();
    // Not before it is told to.
    assert.match(
      await h3.must(['net-routed', 'status']),
      /NR_CLUSTER_LEFT: .*left the cluster of its settings/,
    );
    assert.equal(await h3.must(['net-routed', 'stay']), 'asks to be let in again\n');
    await eventually('h3 is told', async () =>
      (await waits(h3))?.includes('another secret than 192.168.1.2 port 15800 (refuses our secret)'),
    );
    await eventually('h1 counts it', async () => (await refusedFor(h1, 'secret')) > 0);
    const lines = readFileSync(h1.log('net-routed'), 'utf8').split('\n');
    assert.ok(
      lines.some((line) => line.includes('"reason":"secret"') && line.includes('192.168.3.2')),
      'logged with its address',
    );
    await sees(h1, 'h1 present, h2 present, h3 left');
    // Put right, it is let in without anything else.
    await putSecrets(h3, secret);
    await sees(h3, 'h1 present, h2 present, h3 left, h3 present');
    await createNetwork(h3, 'mine', [SUBNET]);
    await run(h3, 'web', '--network', 'mine');
    await reaches(h3, 'web', await addressOf(h2, 'web'));
  });

  it('lets a founder that was installed anew join again', async () => {
    const { id } = (await statusOf(h1)).cluster;
    await h1.must(['sh', '-c', 'docker rm -f web && docker network rm mine']);
    await h1.stopDaemon();
    await h1.must(['rm', '-rf', '/var/lib/net-routed']);
    await h1.startDaemon();
    await eventually('h1 asks to be let in', async () => (await statusOf(h1)).cluster.state === 'joining');
    // The one that decides on newcomers was the one that is gone.
    await eventually(
      'h2 forgets what h1 was',
      async () => (await h2.exec(['net-routed', 'forget', id], { timeoutMs: 100_000 })).status === 0,
      100_000,
    );
    await sees(h1, 'h1 forgotten, h1 present, h2 present, h3 left, h3 present');
    await createNetwork(h1, 'mine', [SUBNET]);
    await run(h1, 'web', '--network', 'mine');
    await reaches(h1, 'web', await addressOf(h2, 'web'));
    assert.equal(await counted(h2, 'cluster_refused_total', '{reason="founder"}'), 0);
  });

  it('does not begin with a file that others can read, or another cluster’s secret', async () => {
    await h3.stopDaemon();
    const starts = async () => (await h3.exec(['net-routed', 'daemon', ...daemonArgs])).stderr;
    await h3.must(['chmod', '644', SECRET_FILE]);
    assert.match(await starts(), /^error NR_SECRET_FILE: .*mode 0644/m);
    await h3.must(['rm', SECRET_FILE]);
    assert.match(await starts(), /^error NR_SECRET_FILE: .*ENOENT/m);
    await putSecrets(h3, await newSecret(h3));
    assert.match(await starts(), /^error NR_SECRET_MISMATCH: the secret is of cluster /m);
    const { stderr } = await h3.exec(['net-routed', 'daemon']);
    assert.match(stderr, /^error NR_SECRET_MISMATCH: .*clusterSecretFile is not set/m);
    await putSecrets(h3, secret);
    await h3.startDaemon();
    await sees(h2, 'h1 forgotten, h1 present, h2 present, h3 left, h3 present');
  });
});

describe('a cluster whose hosts find each other', function () {
  this.timeout(180_000);
  const daemonArgs = [...bySecret, '--discovery', 'mdns', '--founder', 'h1'];
  const lab = useLab('e2eformlan', { hosts: 3, link: 'shared', daemon: false, docker: false, daemonArgs });

  it('forms without seeds', async () => {
    const hosts = lab().hosts;
    const secret = await newSecret(hosts[0]!);
    await Promise.all(hosts.map((host) => putSecrets(host, secret)));
    for (const host of hosts.toReversed()) {
      await host.startDaemon();
      await host.startDocker();
    }
    for (const host of hosts) await sees(host, ALL);
    for (const host of hosts) await createNetwork(host, 'mine', [SUBNET]);
    const [first, , last] = hosts as [Host, Host, Host];
    for (const host of [first, last]) await run(host, 'web', '--network', 'mine');
    const template = '{{.NetworkSettings.Networks.mine.IPAddress}}';
    await reaches(first, 'web', await docker(last, 'inspect', '-f', template, 'web'));
  });
});
