import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { networksView, type StatusView, statusView } from '../../src/api/views.ts';
import { createNetwork, docker, eventually, inside, reaches, run, useLab } from './support.ts';

const SUBNET = '10.1.0.0/16';
/** How often daemons are killed. */
const ROUNDS = 3;
const LABEL = 'net-routed.propagated';

const ours = async (host: Host, ...words: string[]) => (await host.must(['net-routed', ...words])).trimEnd();
const status = async (host: Host): Promise<StatusView> =>
  statusView.parse(JSON.parse(await ours(host, 'status', '--json')));
const view = async (host: Host, name: string) =>
  networksView
    .parse(JSON.parse(await ours(host, 'networks', '--json')))
    .networks.find((one) => one.name === name);

/** The names of Docker's networks of our driver, once for each network. */
const names = async (host: Host): Promise<string[]> => {
  const listed = await docker(host, 'network', 'ls', '-f', 'driver=net-routed', '--format', '{{.Name}}');
  return listed.split('\n').filter(Boolean).sort();
};

const has = (host: Host, ...expected: string[]) =>
  eventually(
    `${host.name} has ${expected.join(', ') || 'no network'}`,
    async () => (await names(host)).join() === expected.join(),
    60_000,
  );

/** Kills the daemon, and has it start again as a supervisor does. */
const again = async (host: Host): Promise<void> => {
  await host.stopDaemon('SIGKILL');
  await host.startDaemon();
};

describe('networks that are propagated', function () {
  this.timeout(180_000);
  const lab = useLab('e2eprop', { hosts: 3, daemonArgs: ['--docker-propagate', 'true'] });
  let [h1, h2, h3] = [] as unknown as [Host, Host, Host];
  const join = async (host: Host) => {
    const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
    await host.must(argv, { input: await ours(h1, 'token'), timeoutMs: 120_000 });
  };
  before(async function () {
    this.timeout(180_000);
    [h1, h2, h3] = lab().hosts as [Host, Host, Host];
    await ours(h1, 'init');
    await join(h2);
  });

  it('are in Docker of the other host as they were created, and containers reach each other', async () => {
    await createNetwork(h1, 'mine', [SUBNET, 'fd00:9::/64'], '-o', 'mtu=1400', '--internal');
    await has(h2, 'mine');
    const form = '{{.Internal}} {{.EnableIPv6}} {{.Options.mtu}} {{range .IPAM.Config}}{{.Subnet}} {{end}}';
    assert.equal(
      await docker(h2, 'network', 'inspect', '-f', form, 'mine'),
      'true true 1400 10.1.0.0/16 fd00:9::/64',
    );
    assert.equal(await docker(h2, 'network', 'ls', '-f', `label=${LABEL}`, '--format', '{{.Name}}'), 'mine');
    await run(h1, 'one', '--network', 'mine', '--ip', '10.1.0.2');
    await run(h2, 'two', '--network', 'mine', '--ip', '10.1.0.3', '--ip6', 'fd00:9::3');
    await reaches(h1, 'one', '10.1.0.3');
    await reaches(h1, 'one', 'fd00:9::3');
    assert.match(await inside(h2, 'two', 'ip link show eth0'), /mtu 1400/);
    const [there, here] = [await view(h1, 'mine'), await view(h2, 'mine')];
    assert.deepEqual([there?.copy, there?.madeOn, there?.hosts], [undefined, ['h1'], ['h1', 'h2']]);
    assert.deepEqual([here?.copy, here?.madeOn], ['propagated', ['h1']]);
    assert.match(await ours(h2, 'networks', 'show', 'mine'), /^made on +h1$/m);
  });

  it('are given to a host that joins later', async () => {
    await createNetwork(h2, 'blue', ['10.2.0.0/16']);
    await join(h3);
    await has(h3, 'blue', 'mine');
    await has(h1, 'blue', 'mine');
    await docker(h3, 'run', '--rm', '--network', 'blue', 'busybox:local', 'true');
  });

  it('are there once, however often daemons are killed while they come', async () => {
    const wanted = ['blue', 'mine'];
    for (let at = 0; at < ROUNDS; at++) {
      await createNetwork(h1, `n${at}`, [`10.1${at}.0.0/24`]);
      wanted.push(`n${at}`);
      // Somewhere within the making of the last one.
      await Promise.all([h2, h3].map(again));
    }
    for (const host of [h2, h3]) await has(host, ...wanted);
    for (const host of [h2, h3])
      assert.equal(
        await docker(host, 'network', 'ls', '-q', '-f', `label=${LABEL}`).then(lines),
        ROUNDS + (host === h2 ? 1 : 2),
      );
  });

  it('go once, however often daemons are killed while they go', async () => {
    for (let at = 0; at < ROUNDS; at++) {
      await docker(h1, 'network', 'rm', `n${at}`);
      await Promise.all([h2, h3].map(again));
    }
    for (const host of [h1, h2, h3]) await has(host, 'blue', 'mine');
    for (const host of [h2, h3])
      await eventually(
        `${host.name} has no more of them`,
        async () =>
          JSON.parse(await ours(host, 'networks', '--json')).networks.every(
            ({ id, name }: { id?: string; name: string }) => id === undefined || !/^n\d$/.test(name),
          ),
        150_000,
      );
  });

  it('stay through restarts of dockerd, and come when it was away', async () => {
    await h3.stopDocker();
    await createNetwork(h1, 'late', ['10.3.0.0/16']);
    await docker(h2, 'network', 'rm', 'blue');
    await has(h1, 'late', 'mine');
    await h3.startDocker();
    await has(h3, 'late', 'mine');
    assert.equal(await view(h3, 'late').then((one) => one?.copy), 'propagated');
  });

  it('are not brought back where somebody has removed them', async () => {
    await docker(h3, 'network', 'rm', 'late');
    await again(h3);
    await createNetwork(h1, 'later', ['10.4.0.0/16']);
    await has(h3, 'later', 'mine');
    assert.equal(await view(h3, 'late').then((one) => one?.copy), 'declined');
    await docker(
      h3,
      ...'network create -d net-routed --ipam-driver ipam-routed'.split(' '),
      '--ipam-opt',
      'network=late',
      'late',
    );
    const madeOn = await eventually('its name is known', async () => (await view(h3, 'late'))?.madeOn);
    assert.deepEqual(madeOn, ['h1', 'h3']);
    await docker(h1, 'network', 'rm', 'late');
    await docker(h3, 'network', 'rm', 'late');
    await has(h2, 'later', 'mine');
  });

  it('overwrite nothing, and say so', async () => {
    await docker(h2, 'network', 'create', 'green');
    await createNetwork(h1, 'green', ['10.5.0.0/16']);
    const said = async () =>
      (await status(h2)).attention.find(({ what }) => what.startsWith('NR_PROPAGATE_NAME: network green: '));
    await eventually('it is said', said);
    assert.equal(await docker(h2, 'network', 'inspect', '-f', '{{.Driver}}', 'green'), 'bridge');
    await docker(h2, 'network', 'rm', 'green');
    await has(h2, 'green', 'later', 'mine');
    await eventually('it is not said any more', async () => (await said()) === undefined);
  });

  it('stay where containers are, until these are gone', async () => {
    await docker(h1, 'rm', '-f', 'one');
    await docker(h1, 'network', 'rm', 'mine');
    await has(h3, 'green', 'later');
    const said = async () =>
      (await status(h2)).attention.find(({ what }) => what.startsWith('NR_PROPAGATE_IN_USE: network mine: '));
    await eventually('it is said', said);
    assert.match(await inside(h2, 'two', 'ip address'), /10\.1\.0\.3/);
    await docker(h2, 'rm', '-f', 'two');
    await has(h2, 'green', 'later');
    await eventually('it is not said any more', async () => (await said()) === undefined);
  });
});

function lines(text: string): number {
  return text.split('\n').filter(Boolean).length;
}
