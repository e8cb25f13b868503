import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { networksView, type StatusView, statusView } from '../../src/api/views.ts';
import { createNetwork, docker, dockerFails, eventually, inside, reaches, run, useLab } from './support.ts';

const SUBNET = '10.1.0.0/16';
const SUBNET_V6 = 'fd00:9::/64';
const CREATE = ['network', 'create', '-d', 'net-routed', '--ipam-driver', 'ipam-routed'];

const ours = async (host: Host, ...words: string[]) => (await host.must(['net-routed', ...words])).trimEnd();
const shown = async (host: Host) =>
  networksView.parse(JSON.parse(await ours(host, 'networks', '--json'))).networks;
const status = async (host: Host): Promise<StatusView> =>
  statusView.parse(JSON.parse(await ours(host, 'status', '--json')));

/** An address of a container in a network. */
function addressOf(host: Host, container: string, network: string, key = 'IPAddress'): Promise<string> {
  const template = `{{(index .NetworkSettings.Networks "${network}").${key}}}`;
  return docker(host, 'inspect', '-f', template, container);
}

describe('a network of a cluster', function () {
  this.timeout(180_000);
  const lab = useLab('e2enets', { hosts: 2 });
  let [h1, h2] = [] as unknown as [Host, Host];
  before(async function () {
    this.timeout(180_000);
    [h1, h2] = lab().hosts as [Host, Host];
    await ours(h1, 'init');
    const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
    await h2.must(argv, { input: await ours(h1, 'token'), timeoutMs: 120_000 });
  });

  it('is known to the other host under the name that Docker has for it', async () => {
    await createNetwork(h1, 'mine', [SUBNET, SUBNET_V6], '-o', 'mtu=1400');
    const elsewhere = await eventually('h2 lists it', async () => {
      const [one] = await shown(h2);
      return one?.name === 'mine' && one;
    });
    assert.equal(elsewhere.id, undefined);
    assert.deepEqual(elsewhere.hosts, ['h1']);
    assert.equal(elsewhere.mtu, 1400);
    assert.match(
      await ours(h2, 'networks'),
      /^not here +mine +default +none +1400 +0 +10\.1\.0\.0\/16, fd00:9::\/64 +h1$/m,
    );
    assert.match(await ours(h2, 'networks', 'show', 'mine'), /^hosts +h1$/m);
    assert.equal(await docker(h2, 'network', 'ls', '-q', '-f', 'driver=net-routed'), '');
  });

  it('is refused where it is not as it is, with what to type', async () => {
    const unknown = await dockerFails(h2, ...CREATE, '--ipam-opt', 'network=mien', 'mien');
    assert.match(unknown, /NR_NETWORK_NAME_UNKNOWN: .*"mien" \(known: mine\)/);
    const half = await dockerFails(h2, ...CREATE, '--ipam-opt', 'network=mine', 'mine');
    assert.match(half, /NR_NETWORK_DIFFERS: .*add --ipv6 --subnet fd00:9::\/64/);
    const other = await dockerFails(h2, ...CREATE, '--subnet', '10.2.0.0/16', '-o', 'network=mine', 'mine');
    assert.match(other, /NR_NETWORK_NAME_TAKEN: "mine" is the network of 10\.1\.0\.0\/16, fd00:9::\/64/);
    const both = ['--subnet', SUBNET, '--ipv6', '--subnet', SUBNET_V6];
    const mtu = await dockerFails(h2, ...CREATE, ...both, '-o', 'mtu=1450', 'mine');
    assert.match(mtu, /NR_NETWORK_DIFFERS: .*its MTU is 1400, not 1450/);
    assert.equal(await docker(h2, 'network', 'ls', '-q', '-f', 'driver=net-routed'), '');
  });

  it('is joined by its name alone, under any name', async () => {
    await docker(h2, ...CREATE, '--ipam-opt', 'network=mine', '--ipv6', 'theirs');
    const [here] = await shown(h2);
    assert.deepEqual([here?.name, here?.clusterName, here?.hosts], ['theirs', 'mine', ['h1', 'h2']]);
    await run(h1, 'one', '--network', 'mine');
    await run(h2, 'two', '--network', 'theirs');
    await reaches(h1, 'one', await addressOf(h2, 'two', 'theirs'));
    await reaches(h2, 'two', await addressOf(h1, 'one', 'mine', 'GlobalIPv6Address'));
    assert.match(await inside(h2, 'two', 'ip link show eth0'), /mtu 1400/);
  });

  it('is named by the user at once, and one that has its name in Docker only is shown as a conflict', async () => {
    await docker(h1, ...CREATE, '--subnet', '10.3.0.0/24', '--ipam-opt', 'network=blue', 'any');
    await docker(h2, ...CREATE, '--ipam-opt', 'network=blue', 'blue');
    await createNetwork(h2, 'mine', ['10.4.0.0/24']);
    const said = await eventually('it is said', async () =>
      (await status(h2)).attention.find(({ what }) => what.startsWith('network mine: ')),
    );
    assert.match(said.what, /: mine is what the cluster calls the network of 10\.1\.0\.0\/16/);
    await run(h2, 'three', '--network', 'mine');
    await reaches(h1, 'one', await addressOf(h2, 'three', 'mine'));
    await docker(h2, 'rm', '-f', 'three');
    await docker(h2, 'network', 'rm', 'mine');
  });

  it('goes with the last host that has it, and its name is free again', async () => {
    await docker(h1, 'network', 'rm', 'any');
    assert.deepEqual((await shown(h1)).find(({ name }) => name === 'blue')?.hosts, ['h2']);
    await docker(h2, 'network', 'rm', 'blue');
    await eventually(
      'both forget it',
      async () => {
        const all = [...(await shown(h1)), ...(await shown(h2))];
        return all.every(({ clusterName }) => clusterName !== 'blue');
      },
      170_000,
    );
  });
});
