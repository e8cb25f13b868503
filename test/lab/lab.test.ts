import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lab/host.ts';
import { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { links, remains } from './remains.ts';

const name = `t-lab-${process.pid}`;
const other = `${name}-b`;
const bare = { hosts: 1, docker: false, daemon: false };

describe('lab', function () {
  this.timeout(120_000);
  let lab: Lab;
  let h1: Host;
  const linksBefore = links();

  before(async () => {
    lab = await Lab.up({ name, hosts: 2, daemon: false });
    h1 = lab.host('h1');
  });

  after(async () => {
    await Lab.down(other);
    await Lab.down(name);
  });

  it('leaves the machine its own links, and traces that the tests below would find', () => {
    assert.deepEqual(links(), linksBefore);
    const found = remains(name).join('\n');
    for (const trace of ['dockerd', '/usr/lib/frr/bgpd', 'tini', 'control group', 'folder'])
      assert.ok(found.includes(trace), `${trace} in ${found}`);
  });

  it('runs containers that reach the plain host behind the fabric router', async () => {
    const argv = ['docker', 'run', '--rm', 'busybox:local', 'ping', '-c1', '-W2', '192.0.2.10'];
    assert.match(await h1.must(argv), /1 packets received/);
  });

  it('has an image that other users can use as well', async () => {
    const argv = ['docker', 'run', '--rm', '--user', '1000', 'busybox:local', 'sh', '-c', 'ls / && ip link'];
    assert.match(await h1.must(argv), /etc[\s\S]*lo:/);
  });

  it('forwards both address families between hosts', async () => {
    for (const to of ['192.168.2.2', 'fd00:168:2::2', '192.0.2.11', '2001:db8::11'])
      await h1.must(['ping', '-c1', '-W2', to]);
    await lab.out.must(['ping', '-c1', '-W2', 'fd00:168:1::2']);
  });

  it('has hosts that know each other by name', async () => {
    await h1.must(['ping', '-c1', '-W2', 'h2']);
    assert.match(await h1.must(['getent', 'ahostsv4', 'h2']), /^192\.168\.2\.2 /);
  });

  it('has no way out of the machine', async () => {
    assert.equal(await lab.tor.must(['ip', 'route', 'show', 'default']), '');
    assert.notEqual((await h1.exec(['ping', '-c1', '-W1', '198.51.100.1'])).status, 0);
  });

  it('learns a route that GoBGP on a host announces, and tells the other host', async () => {
    await startGobgp(h1, '192.168.1');
    await startGobgp(lab.host('h2'), '192.168.2');
    await h1.must(['gobgp', 'global', 'rib', 'add', '10.1.0.2/32', 'nexthop', '192.168.1.2']);
    await h1.must(['gobgp', 'global', 'rib', 'add', '-a', 'ipv6', 'fd10::2/128', 'nexthop', 'fd00:168:1::2']);
    await shows(lab.tor, ['ip', 'route', 'show', '10.1.0.2'], /via 192\.168\.1\.2 dev swp1/);
    await shows(lab.tor, ['ip', '-6', 'route', 'show', 'fd10::2'], /via fd00:168:1::2 dev swp1/);
    await shows(lab.tor, ['vtysh', '-c', 'show ip route'], /B>\* 10\.1\.0\.2\/32/);
    await shows(lab.host('h2'), ['gobgp', 'global', 'rib'], /10\.1\.0\.2\/32 +192\.168\.2\.1/);
    await shows(lab.host('h2'), ['gobgp', 'global', 'rib', '-a', 'ipv6'], /fd10::2\/128 +fd00:168:2::1/);
  });

  it('keeps the routes of a host whose route engine crashed', async () => {
    await h1.service('gobgpd').stop('SIGKILL');
    await shows(lab.tor, ['vtysh', '-c', 'show bgp summary'], /192\.168\.1\.2 .*(Active|Connect|Idle)/);
    assert.match(await lab.tor.must(['ip', 'route', 'show', '10.1.0.2']), /via 192\.168\.1\.2/);
  });

  it('stays as it is when it is made again', async () => {
    const pids = [...lab.hosts, lab.tor, lab.out].map((host) => host.initPid);
    const again = await Lab.up({ name });
    assert.deepEqual(
      [...again.hosts, again.tor, again.out].map((host) => host.initPid),
      pids,
    );
  });

  it('grows, but refuses to become another lab', async () => {
    const pid = h1.initPid;
    const grown = await Lab.up({ name, hosts: 3 });
    assert.equal(grown.host('h1').initPid, pid);
    await lab.out.must(['ping', '-c1', '-W2', '192.168.3.2']);
    await assert.rejects(Lab.up({ name, hosts: 1 }), /is up with 3 hosts/);
    await assert.rejects(Lab.up({ name, release: 'sid' }), /take it down first/);
    lab = grown;
  });

  it('knows its hosts and names', async () => {
    assert.throws(() => lab.host('h9'), /has no host "h9"; it has h1, h2, h3, tor, out/);
    await assert.rejects(Lab.up({ name: '../etc' }), /is no name for a lab/);
    await assert.rejects(Lab.up({ name: 'unborn', hosts: 0 }), /1 to 200 hosts/);
    assert.deepEqual(remains('unborn'), []);
  });

  it('gives back input, output, errors and status of a command as they are', async () => {
    const input = randomBytes(1_000_000).toString('base64');
    const echoed = await h1.exec(['sh', '-c', 'cat; echo "to err" >&2; exit 7'], { input });
    assert.deepEqual(echoed, { status: 7, stdout: input, stderr: 'to err\n' });
    assert.equal((await h1.exec(['sh', '-c', 'kill -9 $$'])).status, 137);
    await assert.rejects(h1.must(['false']), /h1: false.*status 1/);
  });

  it('ends a command whose time is over', async () => {
    await assert.rejects(h1.exec(['sleep', '7654'], { timeoutMs: 300 }), /took longer than 0.3 s/);
    await until('sleep to end', async () => !(await h1.must(['ps', 'ax'])).includes('sleep 7654'), {
      timeoutMs: 5000,
    });
  });

  it('sends signals to the command itself', async () => {
    const running = h1.spawn(['sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done']);
    await new Promise((resolve) => running.process.stdout?.once('data', resolve));
    running.kill('SIGTERM');
    assert.equal(await running.done, 5);
  });

  it('restarts dockerd with containers running when told to keep them', async () => {
    await h1.stopDocker();
    assert.equal(h1.pid('dockerd'), undefined);
    await h1.startDocker(['--live-restore']);
    const id = await h1.must([
      'docker',
      'run',
      '--detach',
      '--name',
      'stays',
      'busybox:local',
      'sleep',
      '600',
    ]);
    const before = await h1.must(['docker', 'inspect', '--format', '{{.State.Pid}}', 'stays']);
    await h1.stopDocker('SIGKILL');
    await h1.startDocker(['--live-restore']);
    assert.equal(await h1.must(['docker', 'inspect', '--format', '{{.State.Pid}}', 'stays']), before, id);
    await h1.must(['docker', 'rm', '--force', 'stays']);
  });

  it('tells which process of the machine a service is', () => {
    const pid = h1.pid('dockerd');
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /^dockerd\0/);
    assert.equal(h1.pid('net-routed'), undefined);
  });

  it('reports a service that does not start, with the end of its log', async () => {
    await h1.stopDocker();
    await assert.rejects(
      h1.startDocker(['--no-such-flag']),
      /dockerd on h1 ended while starting[\s\S]*no-such-flag/,
    );
    await h1.startDocker();
  });

  it('keeps the disk of a host over a power cut, and nothing else', async () => {
    await h1.must([
      'sh',
      '-c',
      'echo kept | tee /var/lib/net-routed/file /etc/kept /root/kept; echo lost > /run/lost',
    ]);
    await h1.must(['docker', 'run', '--name', 'old', 'busybox:local', 'true']);
    const { initPid } = h1;
    await h1.reboot();
    assert.ok(!existsSync(`/proc/${initPid}/root/run`));
    assert.equal(
      await h1.must(['cat', '/var/lib/net-routed/file', '/etc/kept', '/root/kept']),
      'kept\nkept\nkept\n',
    );
    assert.notEqual((await h1.exec(['cat', '/run/lost'])).status, 0);
    assert.match(await h1.must(['docker', 'ps', '--all']), /busybox:local.*old/);
    assert.ok(
      !existsSync('/etc/kept') && !existsSync('/root/kept'),
      "the machine's own files are left alone",
    );
    await lab.out.must(['ping', '-c1', '-W2', '192.168.1.2']);
  });

  it('survives a power cut of the fabric router', async () => {
    await lab.tor.reboot();
    await lab.out.must(['ping', '-c1', '-W2', '192.168.1.2']);
    await h1.must(['ping', '-c1', '-W2', '192.168.2.2']);
  });

  it('makes good a host that died', async () => {
    process.kill(lab.host('h3').initPid, 'SIGKILL');
    await until('h3 to die', () => !lab.host('h3').up, { timeoutMs: 5000 });
    await assert.rejects(lab.host('h3').exec(['true']), /h3 is not running/);
    lab = await Lab.up({ name });
    await lab.host('h3').must(['ping', '-c1', '-W2', '192.0.2.10']);
  });

  it('runs beside another lab, and goes without it', async () => {
    const second = await Lab.up({ name: other, ...bare });
    await second.host('h1').must(['ping', '-c1', '-W2', '192.0.2.10']);
    await second.down();
    assert.deepEqual(remains(other), []);
    await h1.must(['docker', 'run', '--rm', 'busybox:local', 'true']);
  });

  it('is gone without a trace when it is taken down, once or twice', async () => {
    writeFileSync(join(lab.host('h1').disk, 'var', 'some'), 'file');
    assert.equal(await Lab.down(name), true);
    assert.deepEqual(remains(name), []);
    assert.equal(await Lab.down(name), false);
    assert.deepEqual(links(), linksBefore);
  });

  it('leaves nothing when it cannot be made, and says what was wrong', async () => {
    const args = ['--no-such-flag'];
    await assert.rejects(Lab.up({ name, hosts: 1, daemon: false, dockerArgs: args }), /unknown flag/);
    assert.deepEqual(remains(name), []);
  });
});

/** Has a host's GoBGP peer with the fabric router. */
async function startGobgp(host: Host, net: string): Promise<void> {
  const family = (safi: string): string => `[[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "${safi}"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true`;
  const configuration = `[global.config]
    as = ${4_200_000_000 + Number(net.split('.')[2])}
    router-id = "${net}.2"
  [[neighbors]]
    [neighbors.config]
      neighbor-address = "${net}.1"
      peer-as = 65000
    [neighbors.graceful-restart.config]
      enabled = true
      restart-time = 60
    ${family('ipv4-unicast')}
    ${family('ipv6-unicast')}`;
  await host.must(['tee', '/etc/gobgpd.toml'], { input: configuration });
  await host.service('gobgpd').start({
    argv: ['gobgpd', '--config-file', '/etc/gobgpd.toml'],
    ready: async () => (await host.exec(['gobgp', 'global'])).status === 0,
  });
}

/** Waits until a command in a host shows something. */
async function shows(host: Host, argv: string[], pattern: RegExp): Promise<void> {
  await until(
    `${pattern} in "${argv.join(' ')}" on ${host.name}`,
    async () => pattern.test((await host.exec(argv)).stdout),
    {
      timeoutMs: 30_000,
    },
  );
}
