import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lab/host.ts';
import type { DoctorView } from '../../src/api/views.ts';
import { createNetwork, docker, OUTSIDE, OUTSIDE_V6, reaches, routed, run, useLab } from './support.ts';

const FAMILIES = ['iptables', 'ip6tables'] as const;
const OURS = ['-i', '-o'].map((way) => `-A FORWARD ${way} nr+ -m comment --comment net-routed -j ACCEPT`);
/** Where a container of Docker's own bridge is. */
const BRIDGED = '172.30.0.9';

/** The commands by which the documentation takes the rules away. */
function undoing(): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
  return text.split('\n').filter((line) => /^ip6?tables -D FORWARD /.test(line));
}

describe('a policy to drop that Docker has set before us', function () {
  this.timeout(120_000);
  const lab = useLab('e2efwd', { hosts: 2 });
  let h1: Host;
  let h2: Host;

  /** What a program lists of FORWARD: the policy, then the rules. */
  const forward = async (command: string, host = h1): Promise<string[]> =>
    (await host.must([command, '-S', 'FORWARD'])).trimEnd().split('\n');
  const chains = async (): Promise<string[][]> => [await forward('iptables'), await forward('ip6tables')];

  /** What doctor says of FORWARD. */
  async function doctor(host: Host, ...args: string[]) {
    const { stdout, status } = await host.exec(['net-routed', 'doctor', '--json', ...args]);
    const { checks, fixed } = JSON.parse(stdout) as DoctorView;
    const seen = checks.filter(({ name }) => name.startsWith('forward policy'));
    return { status, fixed, results: seen.map(({ name, result }) => `${name.split(' ').at(-1)} ${result}`) };
  }

  /** Whether a port of Docker's bridged container answers a container of ours. */
  async function answers(host: Host, container: string): Promise<boolean> {
    const command = `echo | nc -w 2 ${BRIDGED} 80`;
    return (await host.exec(['docker', 'exec', container, 'sh', '-c', command])).status === 0;
  }

  async function everybodyIsReached(): Promise<void> {
    for (const to of ['10.1.0.3', 'fd00:9::3', OUTSIDE[0], OUTSIDE_V6[0]]) await reaches(h1, 'aa', to);
    for (const to of ['10.1.0.2', 'fd00:9::2']) {
      await reaches(h2, 'bb', to);
      await reaches(lab().host('out'), undefined, to);
    }
  }

  before(async () => {
    h1 = lab().host('h1');
    h2 = lab().host('h2');
    await h1.stopDaemon();
    await h1.stopDocker();
    // As after a boot on which Docker came first.
    const off = 'sysctl -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0';
    await h1.must(['sh', '-ec', `nft flush ruleset; ip link delete docker0; ${off}`]);
    await h1.startDocker(['--experimental', '--ip6tables']);
    // A Docker that leaves IPv6 alone until somebody asks for it sets the policy then.
    await docker(h1, 'network', 'create', '--ipv6', '--subnet', 'fd00:30::/64', 'six');
    await h1.startDaemon();
    for (const host of [h1, h2]) await createNetwork(host, 'mine', ['10.1.0.0/16', 'fd00:9::/64']);
    await run(h1, 'aa', '--network', 'mine', '--ip', '10.1.0.2', '--ip6', 'fd00:9::2');
    await run(h2, 'bb', '--network', 'mine', '--ip', '10.1.0.3', '--ip6', 'fd00:9::3');
    for (const address of ['10.1.0.2', 'fd00:9::2']) await routed(h2, address);
    for (const address of ['10.1.0.3', 'fd00:9::3']) await routed(h1, address);
    await docker(h1, 'network', 'create', '--subnet', '172.30.0.0/24', 'theirs');
    const httpd = ['busybox:local', 'httpd', '-f', '-p', '80'];
    await docker(
      h1,
      'run',
      '-d',
      '--stop-signal',
      'KILL',
      '--name',
      'bridged',
      '--network',
      'theirs',
      '--ip',
      BRIDGED,
      ...httpd,
    );
    await lab().tor.must(['ip', 'route', 'add', `${BRIDGED}/32`, 'via', '192.168.1.2']);
  });

  it('loses packets of containers, and doctor says so', async () => {
    for (const command of FAMILIES) assert.equal((await forward(command))[0], '-P FORWARD DROP', command);
    for (const to of ['10.1.0.2', 'fd00:9::2']) {
      const { status } = await h2.exec(['docker', 'exec', 'bb', 'ping', '-c', '1', '-W', '1', to]);
      assert.notEqual(status, 0, to);
    }
    const { status, results } = await doctor(h1);
    assert.equal(status, 1);
    assert.deepEqual(results, ['iptables fail', 'ip6tables fail']);
  });

  it('is made up for by --fix at the end of the chain, once', async () => {
    const before = await chains();
    const { status, results, fixed } = await doctor(h1, '--fix');
    assert.deepEqual(results, ['iptables ok', 'ip6tables ok']);
    assert.equal(status, 0);
    assert.equal(fixed.filter((line) => line.includes('FORWARD')).length, 4);
    const after = before.map((rules) => [...rules, ...OURS]);
    assert.deepEqual(await chains(), after);
    assert.equal((await doctor(h1, '--fix')).status, 0);
    assert.deepEqual(await chains(), after, 'a second time nothing is done');
    await everybodyIsReached();
  });

  it('stays in force for everybody else, and before it what others drop', async () => {
    assert.equal(await answers(h2, 'bb'), false, 'from another host, by the uplink');
    const fixed = await answers(h1, 'aa');
    await h1.must(['iptables', '-P', 'FORWARD', 'ACCEPT']);
    assert.equal(await answers(h1, 'aa'), fixed, 'as with the policy ACCEPT, no more');
    await h1.must(['iptables', '-P', 'FORWARD', 'DROP']);
    const denied = ['DOCKER-USER', '-i', 'nr+', '-d', BRIDGED, '-j', 'DROP'];
    await h1.must(['iptables', '-I', ...denied]);
    assert.equal(await answers(h1, 'aa'), false, 'what the user drops is dropped');
    await h1.must(['iptables', '-D', ...denied]);
  });

  it('is made up for still when dockerd has started again', async () => {
    await h1.stopDocker();
    await h1.startDocker(['--experimental', '--ip6tables']);
    await docker(h1, 'start', 'aa');
    await docker(h1, 'network', 'create', '--subnet', '172.31.0.0/24', 'more');
    for (const rules of await chains()) {
      assert.equal(rules[0], '-P FORWARD DROP');
      assert.deepEqual(
        rules.filter((rule) => rule.includes('nr+')),
        OURS,
      );
    }
    assert.deepEqual((await doctor(h1)).results, ['iptables ok', 'ip6tables ok']);
    await everybodyIsReached();
  });

  it('is as before when the rules are taken away as the documentation says', async () => {
    const before = await chains();
    const commands = undoing();
    assert.equal(commands.length, 4);
    for (const command of commands) await h1.must(['sh', '-ec', command]);
    const theirs = before.map((rules) => rules.filter((rule) => !OURS.includes(rule)));
    assert.deepEqual(await chains(), theirs);
    assert.deepEqual((await doctor(h1)).results, ['iptables fail', 'ip6tables fail']);
  });

  it('is made up for without a daemon too', async () => {
    await h1.stopDaemon();
    const before = await chains();
    assert.deepEqual((await doctor(h1, '--fix')).results, ['iptables ok', 'ip6tables ok']);
    assert.deepEqual(
      await chains(),
      before.map((rules) => [...rules, ...OURS]),
    );
    await everybodyIsReached(); // routes and interfaces are there without it
  });

  it('is seen and made up for where the older kind of iptables has it', async () => {
    await h2.must(['iptables-legacy', '-P', 'FORWARD', 'DROP']);
    assert.deepEqual((await doctor(h2)).results, ['iptables ok', 'iptables-legacy fail', 'ip6tables ok']);
    const tables = await h2.must(['cat', '/proc/net/ip6_tables_names']);
    assert.equal(tables, '', 'looking made no tables of the other family');
    assert.equal((await doctor(h2, '--fix')).status, 0);
    assert.deepEqual(await forward('iptables-legacy', h2), ['-P FORWARD DROP', ...OURS]);
    assert.deepEqual(await forward('iptables', h2).then(([policy]) => policy), '-P FORWARD ACCEPT');
    await reaches(h2, 'bb', OUTSIDE[0]);
  });
});
