import assert from 'node:assert/strict';
import { enableForwarding, raDefaults } from '../../../../src/api/doctor/forwarding.ts';
import type { Ran } from '../../../../src/api/doctor/program.ts';
import { checkFeatures, checkPrograms } from '../../../../src/api/doctor/programs.ts';
import { checkSettings } from '../../../../src/api/doctor/settings.ts';
import type { Sysctls } from '../../../../src/api/doctor/sysctl.ts';
import { compareThree, type ThreeViews } from '../../../../src/api/doctor/three.ts';
import type { CheckView } from '../../../../src/api/views.ts';

const result = (checks: readonly CheckView[], name: string) =>
  checks.find((check) => check.name === name)?.result;

/** Settings in memory; a write to one of `locked` fails as in a container. */
function settings(
  values: Record<string, string>,
  locked: string[] = [],
): Sysctls & { values: typeof values } {
  return {
    values,
    read: (path) => values[path],
    write(path, value) {
      if (locked.includes(path)) throw new Error(`EROFS: read-only file system, open '${path}'`);
      values[path] = value;
    },
  };
}

const ROUTER = {
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/forwarding': '1',
  'net/ipv6/conf/all/disable_ipv6': '0',
  'net/ipv4/conf/all/rp_filter': '2',
  'net/ipv4/neigh/default/gc_thresh3': '1024',
  'net/ipv6/neigh/default/gc_thresh3': '1024',
};

describe('doctor: settings of the kernel', () => {
  it('are fine on a router', () => {
    const checks = checkSettings(settings({ ...ROUTER }), 10, []);
    assert.deepEqual(
      checks.filter((check) => check.result !== 'ok'),
      [],
    );
    assert.equal(checks.length, 5);
  });

  it('fail where the host does not forward', () => {
    const off = { 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0' };
    const checks = checkSettings(settings({ ...ROUTER, ...off }), 0, []);
    assert.equal(result(checks, 'IPv4 forwarding'), 'fail');
    assert.equal(result(checks, 'IPv6 forwarding'), 'fail');
    for (const { result: is, remedy } of checks) assert.equal(is !== 'ok', remedy !== undefined);
  });

  it('warn of a kernel without IPv6, and of a strict path filter', () => {
    const { 'net/ipv6/conf/all/disable_ipv6': _, ...none } = ROUTER;
    const checks = checkSettings(settings({ ...none, 'net/ipv4/conf/all/rp_filter': '1' }), 0, []);
    assert.equal(result(checks, 'IPv6'), 'warn');
    assert.equal(result(checks, 'reverse path filter'), 'warn');
    assert.equal(
      result(checkSettings(settings({ ...ROUTER, 'net/ipv6/conf/all/disable_ipv6': '1' }), 0, []), 'IPv6'),
      'warn',
    );
  });

  it('compare the neighbour table with the number of endpoints', () => {
    const at = (endpoints: number) =>
      result(checkSettings(settings({ ...ROUTER }), endpoints, []), 'IPv4 neighbours');
    assert.deepEqual([at(512), at(513), at(1023), at(1024)], ['ok', 'warn', 'warn', 'fail']);
    const one = checkSettings(settings({ ...ROUTER }), 1, []).find(({ name }) => name === 'IPv4 neighbours');
    assert.equal(one?.what, 'net.ipv4.neigh.default.gc_thresh3=1024 for 1 endpoint');
  });

  it('warn of an uplink that would lose its default route', () => {
    const accepting = { ...ROUTER, 'net/ipv6/conf/eth0/accept_ra': '1' };
    assert.equal(
      result(checkSettings(settings(accepting), 0, ['eth0']), 'router advertisements on eth0'),
      'warn',
    );
    const always = { ...ROUTER, 'net/ipv6/conf/eth0/accept_ra': '2' };
    assert.equal(
      result(checkSettings(settings(always), 0, ['eth0']), 'router advertisements on eth0'),
      undefined,
    );
  });
});

describe('forwarding', () => {
  const OFF = { 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0' };

  it('is switched on where it is off, and left alone where it is on', () => {
    const kernel = settings({ ...OFF });
    const first = enableForwarding(kernel, []);
    assert.deepEqual(first, { done: ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'], left: [] });
    assert.deepEqual(kernel.values, { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' });
    assert.deepEqual(enableForwarding(kernel, []), { done: [], left: [] });
  });

  it('of IPv6 stays off while the kernel takes its default route from router advertisements', () => {
    const kernel = settings({ ...OFF, 'net/ipv6/conf/eth0/accept_ra': '1' });
    const { done, left } = enableForwarding(kernel, ['eth0']);
    assert.deepEqual(done, ['net.ipv4.ip_forward=1']);
    assert.match(left[0] ?? '', /eth0 would lose its default route; set its accept_ra to 2/);
    assert.equal(kernel.values['net/ipv6/conf/all/forwarding'], '0');
    kernel.values['net/ipv6/conf/eth0/accept_ra'] = '2';
    assert.deepEqual(enableForwarding(kernel, ['eth0']).done, ['net.ipv6.conf.all.forwarding=1']);
  });

  it('that cannot be set is told, and does not stop the other', () => {
    const kernel = settings({ ...OFF }, ['net/ipv4/ip_forward']);
    const { done, left } = enableForwarding(kernel, []);
    assert.match(left[0] ?? '', /^net\.ipv4\.ip_forward=1: EROFS/);
    assert.deepEqual(done, ['net.ipv6.conf.all.forwarding=1']);
    assert.deepEqual(enableForwarding(settings({ 'net/ipv4/ip_forward': '0' }), []).done, [
      'net.ipv4.ip_forward=1',
    ]);
  });

  it('knows default routes of the kernel by their flags', () => {
    const route = (destination: string, length: string, flags: string, link: string) =>
      `${destination} ${length} ${'0'.repeat(32)} 00 fe800000000000000000000000000001 00000400 00000001 00000000 ${flags} ${link}`;
    const zero = '0'.repeat(32);
    const text = [
      route(zero, '00', '00450003', 'eth0'),
      route(zero, '00', '00000003', 'eth1'), // set by a person
      route(zero, '00', '00200200', 'lo'), // unreachable
      route('20010db8000000000000000000000000', '40', '00450001', 'eth2'), // no default route
      '',
    ].join('\n');
    assert.deepEqual(raDefaults(text), ['eth0']);
    assert.deepEqual(raDefaults(''), []);
  });
});

describe('doctor: programs and features', () => {
  const ran = (change: Partial<Ran>): Ran => ({ status: 0, stdout: '', stderr: '', ...change });

  it('shows versions, and what is not installed with what to install', async () => {
    const checks = await checkPrograms(async (file) => {
      if (file === 'nft') return ran({ status: undefined, stderr: 'nft is not installed' });
      return ran({ stdout: `${file} 1.0\nmore\n` });
    }, '/opt/gobgpd');
    assert.deepEqual(
      checks.map(({ name, result: is, what }) => [name, is, what]),
      [
        ['program ip', 'ok', 'ip 1.0'],
        ['program ss', 'ok', 'ss 1.0'],
        ['program nft', 'fail', 'nft is not installed'],
        ['program conntrack', 'ok', 'conntrack 1.0'],
        ['program nsenter', 'ok', 'nsenter 1.0'],
        ['program /opt/gobgpd', 'ok', '/opt/gobgpd 1.0'],
      ],
    );
    assert.equal(checks[2]?.remedy, 'install nftables');
  });

  it('does not look for an engine that others run', async () => {
    const checks = await checkPrograms(async () => ran({ stdout: 'x' }), undefined);
    assert.equal(checks.length, 5);
  });

  it('tries features in a network namespace of their own', async () => {
    const commands: string[] = [];
    const checks = await checkFeatures(async (file, args) => {
      commands.push(file);
      assert.equal(args[0], '--net');
      return args[1] === 'nft' ? ran({ status: 1, stderr: 'Error: Operation not supported\nmore' }) : ran({});
    });
    assert.deepEqual(new Set(commands), new Set(['unshare']));
    assert.deepEqual(
      checks.map(({ result: is, what }) => [is, what]),
      [
        ['ok', 'works'],
        ['fail', 'Error: Operation not supported'],
        ['ok', 'works'],
        ['ok', 'works'],
      ],
    );
  });
});

describe('doctor: Docker, store and kernel', () => {
  const AGREED: ThreeViews = {
    docker: [{ id: 'n1', name: 'mine', endpoints: [{ id: 'e1', container: 'c1', name: 'web' }] }],
    networks: [{ id: 'n1', settled: true }],
    endpoints: [{ id: 'e1', settled: true }],
    stray: [],
    missing: [],
  };
  const judge = (change: Partial<ThreeViews>) =>
    compareThree({ ...AGREED, ...change })
      .filter((check) => check.result !== 'ok')
      .map(({ name, result: is, what }) => [name, is, what]);

  it('may agree', () => {
    assert.deepEqual(judge({}), []);
    assert.equal(compareThree(AGREED)[0]?.what, 'agree on 1 network and 1 endpoint');
    const none: ThreeViews = { ...AGREED, docker: [], networks: [], endpoints: [] };
    assert.equal(compareThree(none)[0]?.what, 'agree on 0 networks and 0 endpoints');
  });

  it('may each lack what another has', () => {
    assert.deepEqual(judge({ networks: [] }), [
      ['networks', 'fail', 'Docker has networks that are not recorded: mine'],
    ]);
    assert.deepEqual(judge({ endpoints: [] }), [
      ['endpoints', 'fail', 'Docker has endpoints that are not recorded: web in mine'],
    ]);
    assert.deepEqual(judge({ docker: [] }), [
      ['networks', 'warn', 'Docker has forgotten n1'],
      ['endpoints', 'warn', 'Docker has forgotten e1'],
    ]);
    assert.deepEqual(judge({ stray: ['link nr1'] }), [['kernel: strays', 'fail', 'nobody owns link nr1']]);
    assert.deepEqual(judge({ missing: ['route 1', 'route 2', 'route 3', 'route 4', 'route 5'] }), [
      ['kernel: complete', 'fail', 'missing: route 1, route 2, route 3 and 2 more'],
    ]);
  });

  it('are not held to what is only just being made', () => {
    const young = [{ id: 'x', settled: false }];
    assert.deepEqual(
      judge({ endpoints: [...AGREED.endpoints, ...young], networks: [...AGREED.networks, ...young] }),
      [],
    );
  });

  it('leave Docker out while it is down', () => {
    assert.deepEqual(judge({ docker: undefined, endpoints: [], networks: [] }), []);
  });
});
