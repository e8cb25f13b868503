import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { type PeerView, peersView } from '../../src/api/views.ts';
import { createNetwork, docker, eventually, inside, reaches, routesTo, run, useLab } from './support.ts';

const SUBNET = '10.1.0.0/16';
const SUBNET_V6 = 'fd00:9::/64';
/** A session that begins anew waits for timers of the engine. */
const SESSION_MS = 60_000;

async function peers(host: Host): Promise<readonly PeerView[]> {
  return peersView.parse(JSON.parse(await host.must(['net-routed', 'peers', '--json']))).peers;
}

/** The host has sessions with exactly these, and nobody has configured one. */
async function meets(host: Host, others: readonly Host[]): Promise<void> {
  const wanted = others.map(({ name }) => `cluster ${name} ${underlay(name).host4} established`).join(', ');
  await eventually(
    `${host.name} has the peers ${wanted}`,
    async () => {
      const all = await peers(host);
      return (
        all
          .map((peer) => `${peer.origin} ${peer.host} ${peer.neighbour} ${peer.state}`)
          .sort()
          .join(', ') === wanted
      );
    },
    SESSION_MS,
  );
}

describe('hosts that peer by themselves', function () {
  this.timeout(240_000);
  const lab = useLab('e2emesh', { hosts: 3, link: 'shared' });
  let [h1, h2, h3] = [] as unknown as [Host, Host, Host];
  const addresses = new Map<string, string[]>();
  before(() => {
    [h1, h2, h3] = lab().hosts as [Host, Host, Host];
  });

  /** What the kernel of `at` says of the container on `of`: the ways of both families. */
  async function ways(at: Host, of: Host): Promise<string[]> {
    const found = await Promise.all(
      addresses
        .get(of.name)!
        .map((address) => routesTo(at, `${address}/${address.includes(':') ? 128 : 32}`)),
    );
    return found.flat().map(({ gateway, dev }) => `${gateway} ${dev}`);
  }

  async function learned(at: Host, of: Host): Promise<void> {
    const { host4, host6 } = underlay(of.name);
    const wanted = [`${host4} eth0`, `${host6} eth0`].join();
    await eventually(
      `${at.name} has the way to ${of.name}`,
      async () => (await ways(at, of)).join() === wanted,
      SESSION_MS,
    );
  }

  it('are peers as soon as they are in one cluster', async () => {
    assert.deepEqual(await peers(h1), []);
    await h1.must(['net-routed', 'init']);
    for (const host of [h2, h3]) {
      const token = (await h1.must(['net-routed', 'token'])).trim();
      const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
      await host.must(argv, { input: token, timeoutMs: 120_000 });
    }
    await meets(h1, [h2, h3]);
    await meets(h2, [h1, h3]);
    await meets(h3, [h1, h2]);
  });

  it('reach the containers of each other, of both families', async () => {
    for (const host of [h1, h2, h3]) {
      await createNetwork(host, 'mine', [SUBNET, SUBNET_V6]);
      await run(host, 'web', '--network', 'mine');
      const template =
        '{{.NetworkSettings.Networks.mine.IPAddress}} {{.NetworkSettings.Networks.mine.GlobalIPv6Address}}';
      addresses.set(host.name, (await docker(host, 'inspect', '-f', template, 'web')).split(' '));
    }
    for (const from of [h1, h2, h3]) {
      for (const to of [h1, h2, h3]) {
        if (from === to) continue;
        await learned(from, to);
        for (const address of addresses.get(to.name)!) await reaches(from, 'web', address);
      }
    }
  });

  it('lose the routes of one whose plug is pulled, and have them again when it is back', async () => {
    const { torPort } = underlay('h3');
    const tor = lab().host('tor');
    await tor.must(['ip', 'link', 'set', torPort, 'down']);
    for (const host of [h1, h2])
      await eventually(
        `${host.name} has no way to h3`,
        async () => (await ways(host, h3)).length === 0,
        30_000,
      );
    await learned(h1, h2);
    await reaches(h1, 'web', addresses.get('h2')![0]!);
    await tor.must(['ip', 'link', 'set', torPort, 'up']);
    for (const host of [h1, h2]) await learned(host, h3);
    await learned(h3, h1);
    await reaches(h3, 'web', addresses.get('h1')![0]!);
  });

  it('lose no packet when a daemon or an engine ends', async () => {
    const [address] = addresses.get('h3')!;
    const pings = inside(h1, 'web', `ping -q -i 0.1 -c 200 ${address}`);
    await h3.stopDaemon('SIGKILL');
    await h3.must(['kill', '-9', (await h3.must(['pgrep', '-x', 'gobgpd'])).trim()]);
    await h3.startDaemon();
    assert.match(await pings, / 0% packet loss/);
    await meets(h3, [h1, h2]);
  });

  it('end their sessions with one that leaves', async () => {
    await h3.must(['docker', 'rm', '-f', 'web']);
    await h3.must(['docker', 'network', 'rm', 'mine']);
    await h3.must(['net-routed', 'leave'], { timeoutMs: 90_000 });
    await meets(h1, [h2]);
    await meets(h2, [h1]);
    assert.deepEqual(await peers(h3), []);
    await reaches(h2, 'web', addresses.get('h1')![0]!);
  });
});
