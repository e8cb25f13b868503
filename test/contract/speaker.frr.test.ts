import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { Announcement, Peer } from '../../src/ports/speaker.ts';
import { connect } from '../../src/speaker/gobgp/connect.ts';
import type { GobgpSpeaker } from '../../src/speaker/gobgp/speaker.ts';
import { Frr } from './speaker.frr.ts';
import { Engines } from './speaker.gobgp.ts';
import { put, Recorder, remove, stateOf, succeed, until } from './speaker.recorder.ts';

const KEY = 'peer 10.98.1.2';
const identity = { asn: 65001, routerId: '192.0.2.1', listenPort: 179, listenAddresses: [] };

const peer: Peer = {
  kind: 'peer',
  address: '10.98.1.2',
  peerAs: 65100,
  localAs: 65001,
  holdTime: 90,
  keepalive: 30,
  connectRetry: 5,
  multihop: 1,
  port: 179,
  passive: false,
  gracefulRestart: 60,
  maximumPrefix: 0,
  import: [
    { prefix: '10.4.0.0/16', le: 32 },
    { prefix: 'fd04::/32', le: 128 },
  ],
  export: [
    { prefix: '10.1.0.0/16', le: 32 },
    { prefix: 'fd01::/32', le: 128 },
  ],
};
const announcements: Announcement[] = [
  { kind: 'announcement', prefix: '10.1.0.1/32', nextHop: '10.98.1.1', anycast: false },
  { kind: 'announcement', prefix: '10.1.0.2/32', nextHop: '10.98.1.1', anycast: true },
  { kind: 'announcement', prefix: 'fd01::1/128', nextHop: 'fd98:1::1', anycast: false },
];

const configuration = (extra: string) => `
hostname tor
router bgp 65100
 bgp router-id 192.0.2.100
 no bgp ebgp-requires-policy
 no bgp network import-check
 ${extra}
 neighbor 10.98.1.1 remote-as 65001
 neighbor 10.98.1.1 timers connect 1
 neighbor 10.98.2.1 remote-as 65001
 neighbor 10.98.2.1 timers connect 1
 address-family ipv4 unicast
  network 10.4.0.1/32
  network 10.4.0.2/32 route-map forge
  network 10.5.0.1/32
 exit-address-family
 address-family ipv6 unicast
  neighbor 10.98.1.1 activate
  network fd04::1/128
 exit-address-family
route-map forge permit 10
 set large-community 65001:1582:1
`;

describe('speaker: GoBGP with an FRR router', function () {
  this.timeout(60_000);
  const engines = new Engines(process.env.NET_ROUTED_GOBGPD ?? 'gobgpd');
  const tor = new Frr(engines.namespaces, 'tor');
  const heard = new Recorder();
  const heardLast = new Recorder();
  let speaker: GobgpSpeaker;

  before('a host and a router', async () => {
    const { namespaces } = engines;
    for (const name of ['host', 'tor']) await namespaces.add(name);
    await namespaces.wire(
      ['host', 'l1', ['10.98.1.1/24', '10.98.2.1/24', 'fd98:1::1/64']],
      ['tor', 'l1', ['10.98.1.2/24', '10.98.2.2/24', 'fd98:1::2/64']],
    );
    await tor.start(configuration('bgp graceful-restart'));
    speaker = engines.speaker('host');
    speaker.permit(['10.1.0.0/16', 'fd01::/32']);
    speaker.start(identity, heard.listen);
    await until('the engine is up', () => speaker.engine().up);
    await succeed(speaker, put(peer, ...announcements));
    await until('established', async () => (await stateOf(speaker, KEY))?.state === 'established', 20_000);
  });

  after(async () => {
    await tor.stop();
    await engines.close();
  });

  const inKernel = (prefix: string) => async () =>
    (await engines.namespaces.run(
      'tor',
      'ip',
      prefix.includes(':') ? '-6' : '-4',
      'route',
      'show',
      prefix,
    )) !== '';

  it('gives the router routes to our prefixes', async () => {
    for (const { prefix } of announcements) await until(`${prefix} is there`, inKernel(prefix));
    const route = await tor.show('bgp ipv4 unicast 10.1.0.2/32');
    assert.equal(route.paths[0].largeCommunity.string, `65001:1580:${0xc0000201} 65001:1581:1`);
    assert.equal(route.paths[0].origin, 'incomplete');
  });

  it('has the engine refuse what no rule is about', async () => {
    const api = await connect(`unix://${engines.child('host').socket}`, 1_000);
    try {
      const { imports, exports, reject } = api.dialect.names;
      for (const direction of [imports, exports]) {
        const [answer] = await api.client.list('ListPolicyAssignment', { name: 'global', direction });
        assert.equal(answer.assignment.default_action, reject);
      }
    } finally {
      api.client.close();
    }
  });

  it('learns what the import rules let through', async () => {
    await until(
      'both families came',
      () => heard.learned.has('10.4.0.1/32') && heard.learned.has('fd04::1/128'),
    );
    assert.deepEqual(heard.learned.get('10.4.0.1/32'), {
      prefix: '10.4.0.1/32',
      nextHops: [{ via: '10.98.1.2' }],
      holder: '10.98.1.2',
      anycast: false,
      asPath: [65100],
    });
    assert.ok(!heard.learned.has('10.5.0.1/32'));
  });

  it('forgets the password of a peer that has none any more', async () => {
    // The router connects once a second, without password; here, nobody does.
    const open: Peer = { ...peer, address: '10.98.2.2', passive: true, import: [], export: [] };
    await succeed(speaker, put({ ...open, password: 'secret' }));
    await succeed(speaker, put(open));
    const key = 'peer 10.98.2.2';
    await until('established', async () => (await stateOf(speaker, key))?.state === 'established');
    await succeed(speaker, remove(open));
  });

  it('keeps every route of the router while the engine is killed and comes back', async () => {
    await until('everything was told', () => heard.count('learned-all') === 1, 20_000);
    const [command, ...args] = [...engines.namespaces.wrapper('tor'), 'ip', '-ts', 'monitor', 'route'];
    const monitor = spawn(command!, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let changes = '';
    monitor.stdout.on('data', (chunk) => {
      changes += chunk;
    });
    try {
      const { uptime } = (await stateOf(speaker, KEY))!;
      assert.ok(uptime >= 0);
      engines.kill('host');
      await until('down', () => heard.count('down') === 1);
      await until('the router noticed', async () => {
        const { [peer.localAddress ?? '10.98.1.1']: neighbor } = await tor.show('bgp neighbors 10.98.1.1');
        return neighbor.bgpState !== 'Established';
      });
      const stale = await tor.show('bgp ipv4 unicast 10.1.0.1/32');
      assert.equal(stale.paths[0].stale, true);
      await until('up', () => heard.count('up') === 2);
      assert.equal((await speaker.read()).size, 0);
      assert.ok(heard.learned.has('10.4.0.1/32'), 'what was learned stays');
      await succeed(speaker, put(peer, ...announcements));
      await until('established', async () => (await stateOf(speaker, KEY))?.state === 'established', 20_000);
      // By the end-of-RIB: what stays stale would go after minutes only.
      await until('the routes are fresh', async () => {
        const { paths } = await tor.show('bgp ipv4 unicast 10.1.0.1/32');
        return paths[0].stale !== true;
      });
      await until('everything was told again', () => heard.count('learned-all') === 2, 20_000);
      assert.deepEqual([...heard.learned.keys()].sort(), ['10.4.0.1/32', '10.4.0.2/32', 'fd04::1/128']);
      for (const { prefix } of announcements) assert.ok(await inKernel(prefix)(), prefix);
    } finally {
      monitor.kill();
    }
    assert.deepEqual(
      changes.split('\n').filter((line) => /^.*Deleted.*(10\.1\.0\.|fd01::)/.test(line)),
      [],
    );
  });

  it('withdraws within the restart what is gone meanwhile', async () => {
    engines.kill('host');
    await until('down', () => heard.count('down') === 2);
    await until('up', () => heard.count('up') === 3);
    await succeed(speaker, put(peer, announcements[0]!, announcements[2]!));
    await until('the router has it no more', async () => !(await inKernel('10.1.0.2/32')()), 20_000);
    assert.ok(await inKernel('10.1.0.1/32')());
  });

  it('is left alone by a daemon that restarts, and found again by the next', async () => {
    await until('established', async () => (await stateOf(speaker, KEY))?.state === 'established', 20_000);
    const before = await tor.show('bgp neighbors 10.98.1.1');
    const there = await speaker.read();
    const engine = engines.child('host').running();
    await speaker.close();
    await assert.rejects(() => speaker.read(), { code: 'NR_SPEAKER_UNAVAILABLE' });
    const next = engines.speaker('host');
    const heardNext = new Recorder();
    next.permit(['10.1.0.0/16', 'fd01::/32']);
    next.start(identity, heardNext.listen);
    await until('everything was told', () => heardNext.count('learned-all') === 1);
    assert.deepEqual(await next.read(), there);
    await succeed(next, put(...there.values()));
    assert.deepEqual([...heardNext.learned.keys()].sort(), ['10.4.0.1/32', '10.4.0.2/32', 'fd04::1/128']);
    assert.deepEqual(engines.child('host').running(), engine);
    const after = await tor.show('bgp neighbors 10.98.1.1');
    const sessions = 'connectionsEstablished';
    assert.equal(after['10.98.1.1'][sessions], before['10.98.1.1'][sessions]);
    assert.equal(after['10.98.1.1'].bgpState, 'Established');
    speaker = next;
  });

  it('says after the boot of its host that nothing was kept, and after its own end that all was', async () => {
    const told = async () => {
      const { '10.98.1.1': neighbor } = await tor.show('bgp neighbors 10.98.1.1');
      const { rBit, ipv4Unicast, ipv6Unicast } = neighbor.gracefulRestartInfo;
      return [rBit, ipv4Unicast.fBit, ipv6Unicast.fBit];
    };
    const begin = async (kept: boolean) => {
      await speaker.close();
      engines.kill('host');
      speaker = engines.speaker('host', 14_000, kept);
      speaker.permit(['10.1.0.0/16', 'fd01::/32']);
      speaker.start(identity, heardLast.listen);
      await until('the engine is up', () => speaker.engine().up);
      await succeed(speaker, put(peer, ...announcements));
      await until('established', async () => (await stateOf(speaker, KEY))?.state === 'established', 20_000);
    };
    await begin(true);
    assert.deepEqual(await told(), [true, true, true]);
    await begin(false);
    assert.deepEqual(await told(), [false, false, false]);
    await until('the router has the routes', inKernel('10.1.0.1/32'));
  });

  it("passes on between clients of the mesh, and not what the router says is the mesh's", async () => {
    const { namespaces } = engines;
    await namespaces.add('member');
    await namespaces.wire(['host', 'l3', ['10.98.3.1/24']], ['member', 'l1', ['10.98.3.2/24']]);
    const member = engines.speaker('member');
    const told = new Recorder();
    member.permit(['10.1.0.0/16']);
    member.start({ ...identity, asn: 65003, routerId: '192.0.2.3' }, told.listen);
    await until('the engine is up', () => member.engine().up);
    const all = [{ prefix: '0.0.0.0/0', le: 32 }];
    const theirs: Announcement = {
      kind: 'announcement',
      prefix: '10.1.3.1/32',
      nextHop: '10.98.3.2',
      anycast: false,
    };
    const rules = { import: all, export: all };
    const client: Peer = { ...peer, ...rules, mesh: 'client', address: '10.98.3.2', peerAs: 65003 };
    await succeed(
      member,
      put(theirs, { ...peer, ...rules, address: '10.98.3.1', localAs: 65003, peerAs: 65001, passive: true }),
    );
    await succeed(speaker, put(client));
    // What the host itself announces comes after what it would pass on.
    const mark = { ...announcements[0]!, prefix: '10.1.0.9/32' };
    await until(
      'established',
      async () => (await stateOf(member, 'peer 10.98.3.1'))?.state === 'established',
    );
    await until('the route came', () => heardLast.learned.has(theirs.prefix));
    await succeed(speaker, put(mark));
    await until('the mark came', () => told.learned.has(mark.prefix));
    assert.deepEqual(
      [...told.learned.keys()].filter((prefix) => prefix.startsWith('10.4.')),
      [],
    );
    assert.ok(!(await tor.show('bgp ipv4 unicast')).routes[theirs.prefix]);
    await succeed(speaker, put({ ...peer, export: all, mesh: 'client' }));
    await until("the member has the router's", () => told.learned.has('10.4.0.1/32'));
    await until(
      "the router has the member's",
      async () => (await tor.show('bgp ipv4 unicast')).routes[theirs.prefix],
    );
    const { paths } = await tor.show(`bgp ipv4 unicast ${theirs.prefix}`);
    assert.equal(paths.length, 1);
    assert.equal(paths[0].nexthops[0].ip, '10.98.3.2');
    assert.equal(paths[0].aspath.string, '65001 65003');
    assert.equal(paths[0].largeCommunity.string, `65003:1580:${0xc0000203}`);
    await succeed(speaker, put(peer));
    await until(
      'the router has it no more',
      async () => !(await tor.show('bgp ipv4 unicast')).routes[theirs.prefix],
    );
    await succeed(speaker, remove(client, mark));
  });

  it('takes everything back when it is stopped for good', async () => {
    await speaker.stop();
    assert.equal(engines.child('host').running(), undefined);
    await until('the router has nothing', async () => !(await inKernel('10.1.0.1/32')()));
  });
});
