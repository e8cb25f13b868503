import assert from 'node:assert/strict';
import {
  DOCTOR,
  ELSEWHERE,
  ENDPOINTS,
  ENDPOINTS_ELSEWHERE,
  NETWORK,
  PEERS,
  POOLS,
  ROUTES,
  STATUS,
} from './answers.ts';
import { type FakeDaemon, fakeDaemon } from './harness.ts';

/** Text without the line end before it. */
const golden = ([text = '']: TemplateStringsArray) => text.slice(1);

describe('command line: views', () => {
  let daemon: FakeDaemon;
  before(async () => {
    daemon = await fakeDaemon();
    daemon.says('GET /v1/status', STATUS);
    daemon.says('GET /v1/networks', { networks: [NETWORK, ELSEWHERE] });
    daemon.says('GET /v1/networks/mine', NETWORK);
    daemon.says('GET /v1/endpoints', { endpoints: ENDPOINTS });
    daemon.says('GET /v1/endpoints?all=yes', { endpoints: ENDPOINTS, elsewhere: ENDPOINTS_ELSEWHERE });
    daemon.says('GET /v1/endpoints?name=web', { endpoints: [ENDPOINTS[0]] });
    daemon.says('GET /v1/endpoints?name=ffff', { endpoints: [ENDPOINTS[1]] });
    daemon.says('GET /v1/endpoints?name=fd00%3A9%3A%3A2', { endpoints: [ENDPOINTS[1]] });
    daemon.says('GET /v1/endpoints?name=both', { endpoints: ENDPOINTS });
    daemon.says('GET /v1/pools', { pools: POOLS });
    daemon.says('GET /v1/routes', ROUTES);
    daemon.says('GET /v1/routes?prefix=10.1.0.0%2F16', { ...ROUTES, routes: ROUTES.routes.slice(0, 1) });
    daemon.says('GET /v1/peers', PEERS);
    daemon.says('GET /v1/doctor', DOCTOR);
  });
  after(() => daemon.close());

  /** Runs it, and expects that it succeeds and says exactly this. */
  async function prints(args: string, text: string): Promise<void> {
    const { status, stdout, stderr } = await daemon.run(...args.split(' '));
    assert.equal(stderr, '');
    assert.equal(stdout, text);
    assert.equal(status, 0);
  }

  it('status', () =>
    prints(
      'status',
      golden`
net-routed 1.2.3, up 1 h 2 min

look at first:
  peers that are down: eth1; net-routed peers tells why

host       192.0.2.1 (eth0, MTU 1500), router id 192.0.2.1, AS 65001
engine     gobgp 3.10.0 up
cluster    0f3b2c1a-0000-4000-8000-1234567890ab, 2 of 3 members heard
peers      1 of 2 established
networks   1
endpoints  1 of 2 up
routes     1 announced, 1 learned
loop       live, 12 passes, the last took 2 ms
store      /var/lib/net-routed/store.db
plugins    /run/docker/plugins
log        journal

FAILURE                            FOR         TRIES  ERROR
kernel: route 254 10.1.0.3/32 158  1 min 15 s  4      NR_FOREIGN_OBJECT: the route is not ours; remove it

POOL         TENANT   NETWORK  GATEWAY      SIZE   HELD  RESTING  FREE   HERE  OWNED
10.1.0.0/16  default  mine     169.254.7.1  65536  2     1        65531  2     64
`,
    ));

  it('status of a host that has only just begun', async () => {
    const young = await fakeDaemon();
    young.says('GET /v1/status', { ...STATUS, loop: { ...STATUS.loop, passes: 1 } });
    assert.match((await young.run('status')).stdout, /^loop {7}live, 1 pass, it took 2 ms$/m);
    const engine = { name: 'gobgp', version: '', up: false, reason: 'cannot be run' };
    young.says('GET /v1/status', { ...STATUS, engine });
    assert.match((await young.run('status')).stdout, /^engine {5}gobgp down: cannot be run$/m);
    young.says('GET /v1/status', { ...STATUS, host: { mtu: 1500 } });
    assert.match((await young.run('status')).stdout, /^host {7}no address \(MTU 1500\), no router id yet$/m);
    await young.close();
  });

  it('networks list', () =>
    prints(
      'networks list',
      golden`
NETWORK       NAME                          TENANT   ENCAP  MTU   ENDPOINTS  POOLS        HOSTS
aaaa00000000  mine (theirs in the cluster)  default  none   1500  2          10.1.0.0/16  h1, h2
not here      blue (conflict)               default  none   1500  0          fd00:9::/64  h2
`,
    ));

  it('networks show', () =>
    prints(
      'networks show mine',
      golden`
id         aaaa000000000000000000000000000000000000000000000000000000000000
name       mine
called     theirs in the cluster
hosts      h1, h2
made on    h1
here       made by the daemon; removed by it when it is gone where it was made
tenant     default
encap      none
mtu        1500
created    2026-01-02T03:04:05.000Z
endpoints  2

POOL         TENANT   NETWORK  GATEWAY      SIZE   HELD  RESTING  FREE   HERE  OWNED
10.1.0.0/16  default  mine     169.254.7.1  65536  2     1        65531  2     64
`,
    ));

  it('endpoints list', () =>
    prints(
      'endpoints list',
      golden`
ENDPOINT      CONTAINER  NETWORK       STATE    INTERFACE     ADDRESSES
eeee00000000  web        mine          up       nreeee000000  10.1.0.2, 172.30.0.9
ffff00000000  -          aaaa00000000  failing  nrffff000000  10.1.0.3
`,
    ));

  it('endpoints list --all', () =>
    prints(
      'endpoints list --all',
      golden`
ENDPOINT      HOST       CONTAINER  NETWORK       STATE    ADDRESSES
eeee00000000  this host  web        mine          up       10.1.0.2, 172.30.0.9
ffff00000000  this host  -          aaaa00000000  failing  10.1.0.3
abababababab  h2         -          mine          silent   10.1.0.9, fd00:9::9
acacacacacac  h3         -          cececececece  joined   10.1.0.10
`,
    ));

  it('endpoints show, of one that works and one that does not', async () => {
    await prints(
      'endpoints show web',
      golden`
id         eeee000000000000000000000000000000000000000000000000000000000000
container  web (cccc00000000)
network    mine (aaaa00000000)
state      up
address    10.1.0.2  announced
alias      172.30.0.9  not announced: outside of the pools
mac        02:42:0a:01:00:02
mtu        1500
interface  nreeee000000
sandbox    /var/run/docker/netns/1
anycast    yes
ingress    nobody
published  any 8080/tcp to 80
created    2026-01-02T03:04:05.000Z
`,
    );
    const { stdout } = await daemon.run('endpoints', 'show', 'ffff');
    assert.match(stdout, /^address {4}10\.1\.0\.3 {2}not announced yet$/m);
    assert.match(stdout, /^problem {4}kernel: route 254 10\.1\.0\.3\/32 158: NR_FOREIGN_OBJECT: /m);
  });

  it('endpoints show, of a container that has several', async () => {
    const [one, other] = await Promise.all(
      ['web', 'fd00:9::2'].map(async (name) => (await daemon.run('endpoints', 'show', name)).stdout),
    );
    await prints('endpoints show both', `${one}\n${other}`);
    const { stdout } = await daemon.run('endpoints', 'show', 'both', '--json');
    assert.deepEqual(JSON.parse(stdout), { endpoints: ENDPOINTS });
  });

  it('pools list, with numbers that people can read', () =>
    prints(
      'pools list',
      golden`
POOL         TENANT   RANGE        NETWORK  GATEWAY      SIZE   HELD  RESTING  FREE    OUTSIDE  HERE  OWNED  SPARE
10.1.0.0/16  default  -            mine     169.254.7.1  65536  2     1        65531   -        2     64     -
fd00:9::/64  default  -            -        fe80::1      2^64   0     0        2^64-1  -        -     -      -
10.2.0.0/16  default  10.2.4.0/24  -        169.254.7.2  256    3     0        253     1        1     128    100

POOL         HOST  OWNED  REST   USED
10.1.0.0/16  h1    64     -      2
10.1.0.0/16  h2    128    65344  0
10.2.0.0/16  h1    128    -      1
10.2.0.0/16  h2    64     65344  3
`,
    ));

  it('routes', () =>
    prints(
      'routes',
      golden`
PREFIX       WANTED BY              KERNEL                       ENGINE                 LEARNED FROM               NOTE
10.1.0.2/32  web                    ok dev nreeee000000          ok via 192.0.2.1       -                          -
10.1.0.3/32  endpoint ffff00000000  pending dev nrffff000000     missing via 192.0.2.1  -                          NR_FOREIGN_OBJECT: the route is not ours; remove it
10.9.0.5/32  peers                  ok via 192.0.2.254 dev eth0  -                      192.0.2.2 via 192.0.2.254  -
`,
    ));

  it('routes of a prefix', () =>
    prints(
      'routes --prefix 10.1.0.0/16',
      golden`
PREFIX       WANTED BY  KERNEL               ENGINE
10.1.0.2/32  web        ok dev nreeee000000  ok via 192.0.2.1
`,
    ));

  it('peers', () =>
    prints(
      'peers',
      golden`
PEER         ORIGIN      HOST  AS          STATE        FOR      ROUTER ID    RECEIVED  ACCEPTED  ADVERTISED  REASON
192.0.2.254  configured  -     65000       established  1 d 1 h  192.0.2.254  3         2         1           -
eth1         -           -     65002       active       -        -            0         0         0           no route to host
192.0.2.2    cluster     h2    4200000514  established  5 s      192.0.2.2    1         1         1           -
`,
    ));

  it('say that there is nothing', async () => {
    const empty = await fakeDaemon();
    const nothing = { networks: [], endpoints: [], pools: [], routes: [], peers: [], problems: [] };
    for (const what of ['networks', 'endpoints', 'pools', 'routes', 'peers']) {
      empty.says(`GET /v1/${what}`, nothing);
      assert.equal((await empty.run(what)).stdout, `no ${what}\n`);
    }
    await empty.close();
  });

  it('tell below the table what could not be read', async () => {
    const without = await fakeDaemon();
    const problem = { code: 'NR_SPEAKER_UNAVAILABLE', what: 'it is down', remedy: 'start it' };
    without.says('GET /v1/peers', { peers: [], problems: [problem] });
    const { stdout, status } = await without.run('peers');
    assert.equal(stdout, 'no peers\n\nNR_SPEAKER_UNAVAILABLE: it is down; start it\n');
    assert.equal(status, 0);
    await without.close();
  });

  it('have short forms', async () => {
    const { stdout } = await daemon.run('endpoints', 'list');
    for (const args of [['endpoint', 'ls'], ['endpoints'], ['endpoint']]) {
      assert.equal((await daemon.run(...args)).stdout, stdout, args.join(' '));
    }
    const shown = (await daemon.run('network', 'inspect', 'mine')).stdout;
    assert.equal(shown, (await daemon.run('networks', 'show', 'mine')).stdout);
  });

  it('print exactly what the API said with --json', async () => {
    const odd = '{ "networks" : [ ],\n"more": 1 }';
    const other = await fakeDaemon();
    other.says('GET /v1/networks', odd);
    assert.deepEqual(await other.run('networks', 'list', '--json'), {
      status: 0,
      stdout: `${odd}\n`,
      stderr: '',
    });
    await other.close();
    for (const what of ['status', 'networks', 'endpoints', 'pools', 'routes', 'peers', 'doctor']) {
      const { stdout, status } = await daemon.run(what, '--json');
      assert.equal(status, 0, what);
      assert.ok(JSON.parse(stdout), what);
    }
  });
});
