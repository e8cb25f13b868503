import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { hostsView, type StatusView, statusView } from '../../src/api/views.ts';
import { deafen, mend, part } from './breaks.ts';
import { eventually, useLab } from './support.ts';

const ALL = 'h1 present, h2 present, h3 present';
const UDP_TABLE = 'inet nudp';

const json = async (host: Host, word: string): Promise<unknown> =>
  JSON.parse(await host.must(['net-routed', word, '--json']));
const status = async (host: Host): Promise<StatusView> => statusView.parse(await json(host, 'status'));
const codes = async (host: Host) => (await status(host)).cluster.problems.map(({ code }) => code);

/** Members and their states, as a host sees them. */
async function members(host: Host): Promise<string> {
  const { hosts } = hostsView.parse(await json(host, 'hosts'));
  return hosts.map(({ name, state }) => `${name} ${state}`).join(', ');
}

describe('probes between hosts', function () {
  this.timeout(120_000);
  const lab = useLab('e2eprobes', { hosts: 3, link: 'shared' });
  let [h1, h2, h3] = [] as unknown as [Host, Host, Host];
  let hosts: readonly Host[];
  const times: string[] = [];

  before(async function () {
    this.timeout(120_000);
    hosts = lab().hosts;
    [h1, h2, h3] = hosts as [Host, Host, Host];
    await h1.must(['net-routed', 'init']);
    for (const host of [h2, h3]) {
      const token = (await h1.must(['net-routed', 'token'])).trim();
      const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
      await host.must(argv, { input: token, timeoutMs: 120_000 });
    }
    await h1.must(['net-routed', 'share', 'h2']);
    await calm();
  });
  after(() => void process.stdout.write(`      ${times.join('; ')}\n`));

  /** Well below what it takes without probes, which is 20 s for a host that is not heard. */
  async function sees(host: Host, wanted: string, timeoutMs = 15_000): Promise<void> {
    const started = performance.now();
    const seen: string[] = [];
    await eventually(
      `${host.name} sees ${wanted}`,
      async () => {
        const now = await members(host);
        if (seen.at(-1) !== now) {
          seen.push(now);
          times.push(`${host.name}: ${now} after ${Math.round((performance.now() - started) / 100) / 10} s`);
        }
        return now === wanted;
      },
      timeoutMs,
    );
  }

  /** All hear each other, and nothing is left to look at. */
  async function calm(): Promise<void> {
    await Promise.all(hosts.map((host) => sees(host, ALL)));
    for (const host of hosts)
      await eventually('no problem is left', async () => (await codes(host)).length === 0);
  }

  it('show a host whose daemon is killed, and that it is back', async () => {
    await h3.stopDaemon('SIGKILL');
    await Promise.all([h1, h2].map((host) => sees(host, 'h1 present, h2 present, h3 silent')));
    const { hosts: shown } = hostsView.parse(await json(h1, 'hosts'));
    assert.ok(shown.find(({ name }) => name === 'h3')!.away! >= 1);
    assert.ok((await codes(h1)).includes('NR_MEMBER_UNREACHABLE'));
    await h3.startDaemon();
    await calm();
  });

  it('show on both sides of a cut link who is on the other one, and that it is mended', async () => {
    await part([h3], [h1, h2]);
    await Promise.all([
      sees(h1, 'h1 present, h2 present, h3 silent'),
      sees(h2, 'h1 present, h2 present, h3 silent'),
      // Of those that it hears nothing of, a host that hears nobody doubts itself first.
      sees(h3, 'h1 silent, h2 silent, h3 present', 40_000),
    ]);
    await mend(hosts);
    await calm();
  });

  it('find a host by way of another one', async () => {
    await deafen(h1, [h3]);
    await deafen(h3, [h1]);
    // Longer than it would take until it counted as dead.
    const until = performance.now() + 12_000;
    await eventually(
      'that has lasted',
      async () => {
        assert.equal(await members(h1), ALL);
        return performance.now() > until;
      },
      30_000,
    );
    await mend(hosts);
    await calm();
  });

  it('that a filter drops make no host look away, and are missed', async () => {
    const rules = `table ${UDP_TABLE} {
      chain in { type filter hook input priority 0; udp dport 15800 drop; }
    }\n`;
    await h2.must(['nft', '-f', '-'], { input: rules });
    await eventually(
      'it is said',
      async () => {
        for (const host of hosts) assert.equal(await members(host), ALL, host.name);
        return (await codes(h2)).includes('NR_PROBES_BLOCKED');
      },
      60_000,
    );
    const blocked = async () =>
      hostsView.parse(await json(h2, 'hosts')).hosts.map(({ udpBlocked }) => udpBlocked);
    await eventually('of both', async () => (await blocked()).join() === 'true,false,true', 60_000);
    const { attention } = await status(h2);
    assert.deepEqual(
      attention.map(({ what }) => what),
      ['NR_PROBES_BLOCKED: UDP packets between port 15800 here and h1, h3 do not arrive'],
    );
    await h2.must(['nft', `delete table ${UDP_TABLE}`]);
    await calm();
  });
});
