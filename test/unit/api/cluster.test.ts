import assert from 'node:assert/strict';
import { type Member, memberRoutes } from '../../../src/api/joining.ts';
import { Metrics } from '../../../src/api/metrics.ts';
import { Pulse } from '../../../src/api/pulse.ts';
import { createApi } from '../../../src/api/server.ts';
import {
  clusterView,
  healthView,
  hostsView,
  problemView,
  statusView,
  tokenView,
} from '../../../src/api/views.ts';
import { renderCluster } from '../../../src/cli/show/cluster.ts';
import type { ClusterFacts, MemberFacts } from '../../../src/cluster/membership/facts.ts';
import type { HostView } from '../../../src/cluster/membership/hosts.ts';
import { CodedError } from '../../../src/errors.ts';
import { ALONE, apiOf, type World, world } from './world.ts';

const UUID = '0f3b2c1a-0000-4000-8000-1234567890ab';
const FAR = Date.UTC(2030, 0, 1);

function host(name: string, more: Partial<HostView> = {}): HostView {
  return {
    id: name.repeat(16),
    name,
    isSelf: false,
    state: 'present',
    address: '192.0.2.7',
    port: 15800,
    holdsKey: false,
    heardAt: Date.now(),
    silentSince: Date.now(),
    silentAfterMs: 20_000,
    isUdpBlocked: false,
    isLinked: true,
    chunks: 2,
    isBanned: false,
    isBlocking: false,
    ...more,
  };
}

const problem = new CodedError('NR_MEMBER_UNREACHABLE', 'host h2 was not heard for 30 s');

function member(more: Partial<MemberFacts> = {}): ClusterFacts {
  const long = Date.now() - 30_000;
  return {
    state: 'member',
    id: ALONE.id,
    name: 'h1',
    member: {
      uuid: UUID,
      address: '192.0.2.1',
      port: 15800,
      holdsKey: true,
      keyHolders: ['h1', 'h2'],
      certifiedUntil: FAR,
      hosts: [
        host('h1', { isSelf: true, id: ALONE.id }),
        host('h2', {
          heardAt: long,
          silentSince: long,
          clockOffsetMs: 61_234,
          isLinked: false,
          trouble: 'no',
        }),
        host('h3', { state: 'forgotten', silentSince: long, isBanned: true, returnedAs: 'x' }),
      ],
      problems: [problem],
      links: 1,
      refused: new Map([['untrusted', 2]]),
      closed: new Map([
        ['malformed', 3],
        ['h2 counts as gone', 4],
      ]),
      traffic: { sentFrames: 1, sentBytes: 2, receivedFrames: 3, receivedBytes: 4 },
      repairs: { compared: 8, repaired: 9, unmended: 10 },
      probes: { traffic: { sent: 5, received: 6 }, refused: new Map([['forged', 7]]), health: 1 },
      ...more,
    },
  };
}

describe('operator API of the cluster', () => {
  let on: World;
  let pulse: Pulse;
  before(async () => {
    on = await world();
    pulse = new Pulse(on.services);
  });
  after(async () => {
    pulse.stop();
    await on.close();
  });

  /** Asks a host whose membership is this. */
  async function ask(it: Partial<Member>, url: string, method: 'GET' | 'POST' = 'GET', payload?: unknown) {
    const { describe: facts = () => ALONE } = it;
    const services = { ...on.services, membership: { describe: facts } };
    const api = createApi(apiOf(services, pulse, new Metrics(), it), '/nowhere');
    const text = typeof payload === 'string' ? payload : payload && JSON.stringify(payload);
    return api.hapi.inject({ method, url, ...(text !== undefined && { payload: text as string }) });
  }
  const refusals = async (it: Partial<Member>, url: string, payload: unknown) => {
    const { statusCode, payload: answer } = await ask(it, `/v1/cluster/${url}`, 'POST', payload);
    const { code, what } = problemView.parse(JSON.parse(answer));
    return [statusCode, code, what];
  };

  it('tells of a host that is alone', async () => {
    const { result, payload } = await ask({}, '/v1/cluster');
    assert.deepEqual(clusterView.parse(result), { state: 'alone', id: ALONE.id, name: 'h1', problems: [] });
    assert.ok(payload);
    assert.deepEqual((await ask({}, '/v1/hosts')).result, { hosts: [] });
  });

  it('tells of members, who is heard, and what does not work', async () => {
    const it = { describe: () => member() };
    const cluster = clusterView.parse(JSON.parse((await ask(it, '/v1/cluster')).payload));
    assert.deepEqual([cluster.cluster, cluster.members], [UUID, { total: 2, heard: 1 }]);
    assert.equal(cluster.problems[0]?.remedy, problem.remedy);
    const { hosts } = hostsView.parse(JSON.parse((await ask(it, '/v1/hosts?all=yes')).payload));
    assert.deepEqual(
      hosts.map(({ banned, returnedAs }) => [banned, returnedAs]),
      [
        [undefined, undefined],
        [undefined, undefined],
        [true, 'x'],
      ],
    );
    assert.deepEqual(
      hosts.map(({ name, state, heard, clockOffset }) => [name, state, heard, clockOffset]),
      [
        ['h1', 'present', 0, undefined],
        ['h2', 'silent', 30, 61.234],
        ['h3', 'forgotten', 0, undefined],
      ],
    );
    const status = statusView.parse(JSON.parse((await ask(it, '/v1/status')).payload));
    assert.equal(status.attention[0]?.what, 'NR_MEMBER_UNREACHABLE: host h2 was not heard for 30 s');
    const health = await ask(it, '/health');
    assert.equal(health.statusCode, 200);
    assert.deepEqual(healthView.parse(JSON.parse(health.payload)).status, 'degraded');
  });

  it('counts nobody as heard by a host that has stopped', async () => {
    const it = { describe: () => ({ ...member(), state: 'halted' as const }) };
    const cluster = clusterView.parse(JSON.parse((await ask(it, '/v1/cluster')).payload));
    assert.deepEqual([cluster.cluster, cluster.members], [UUID, undefined]);
    assert.equal(renderCluster(cluster), `${UUID}, halted`);
  });

  it('leaves out hosts that have left or are somebody else by now, unless it is asked for all', async () => {
    const hosts = [
      host('h1', { isSelf: true }),
      host('h2', { state: 'left' }),
      host('h3', { state: 'forgotten', returnedAs: 'x' }),
      host('h4', { state: 'forgotten' }),
    ];
    const base = member();
    const it = { describe: () => ({ ...base, member: { ...base.member!, hosts } }) };
    const names = async (url: string) =>
      hostsView.parse(JSON.parse((await ask(it, url)).payload)).hosts.map(({ name }) => name);
    assert.deepEqual(await names('/v1/hosts'), ['h1', 'h4']);
    assert.deepEqual(await names('/v1/hosts?all=yes'), ['h1', 'h2', 'h3', 'h4']);
    assert.equal((await ask(it, '/v1/hosts?some=yes')).statusCode, 400);
  });

  it('tells what probes have found, as far as it is known', async () => {
    const [now, long] = [Date.now(), Date.now() - 30_000];
    const base = member();
    const hosts = [
      host('h1', { isSelf: true }),
      host('h2', { heardAt: long, silentSince: long, probe: { verdict: 'alive', since: 0 } }),
      host('h3', {
        heardAt: now - 4000,
        silentSince: now - 4000,
        probe: { verdict: 'suspect', since: now - 2000 },
      }),
      host('h4', {
        heardAt: now - 9000,
        silentSince: now - 9000,
        probe: { verdict: 'dead', since: now - 1000 },
      }),
      host('h5', { heardAt: long, silentSince: long, silentAfterMs: 40_000, isUdpBlocked: true }),
      host('h6', { heardAt: long, silentSince: long, silentAfterMs: 20_000 }),
      host('h7', { state: 'left', probe: { verdict: 'dead', since: now } }),
      host('h8', { state: 'incomplete', probe: { verdict: 'dead', since: now } }),
    ];
    const it = { describe: () => ({ ...base, member: { ...base.member!, hosts } }) };
    const { hosts: shown } = hostsView.parse(JSON.parse((await ask(it, '/v1/hosts?all=yes')).payload));
    assert.deepEqual(
      shown.map(({ name, state, away, udpBlocked }) => [name, state, away, udpBlocked]),
      [
        ['h1', 'present', undefined, false],
        ['h2', 'present', undefined, false],
        ['h3', 'suspect', 2, false],
        ['h4', 'silent', 9, false],
        ['h5', 'present', undefined, true],
        ['h6', 'silent', 30, false],
        ['h7', 'left', undefined, false],
        ['h8', 'incomplete', 0, false],
      ],
    );
    const cluster = clusterView.parse(JSON.parse((await ask(it, '/v1/cluster')).payload));
    assert.deepEqual(cluster.members, { total: 7, heard: 4 });
  });

  it('has its metrics', async () => {
    const { payload } = await ask({ describe: () => member() }, '/metrics');
    for (const line of [
      'net_routed_cluster_state{state="member"} 1',
      'net_routed_cluster_state{state="alone"} 0',
      'net_routed_cluster_members{state="silent"} 1',
      'net_routed_cluster_clock_offset_seconds{host="h2"} 61.234',
      'net_routed_cluster_links 1',
      'net_routed_cluster_key_holders 2',
      'net_routed_cluster_problems 1',
      'net_routed_cluster_sent_bytes_total 2',
      'net_routed_cluster_received_frames_total 3',
      'net_routed_cluster_refused_total{reason="untrusted"} 2',
      'net_routed_cluster_probe_sent_packets_total 5',
      'net_routed_cluster_probe_received_packets_total 6',
      'net_routed_cluster_probe_refused_total{reason="forged"} 7',
      'net_routed_cluster_probe_health 1',
      'net_routed_cluster_compared_total 8',
      'net_routed_cluster_repaired_total 9',
      'net_routed_cluster_unmended_total 10',
    ])
      assert.ok(payload.includes(`${line}\n`), line);
    assert.match(payload, /^net_routed_store_records \d+$/m);
  });

  it("tells when a token ends by the host's clock, as the token's own end is", async () => {
    const clock = { now: () => 0, wall: () => 3_600_000, after: () => () => {} };
    const routes = memberRoutes({ token: async () => 'nrj1_x' } as Partial<Member> as Member, clock);
    const { handler } = routes.find(({ path }) => path === '/v1/cluster/token')!;
    assert.deepEqual(await handler({ payload: { lifetime: 120 } } as Parameters<typeof handler>[0]), {
      token: 'nrj1_x',
      expires: '1970-01-01T01:02:00.000Z',
    });
  });

  it('does what it is asked for, and answers what became of it', async () => {
    const done: unknown[] = [];
    const say =
      (name: string) =>
      async (...words: unknown[]) => {
        done.push([name, ...words]);
        return name;
      };
    const it = {
      ...Object.fromEntries(
        ['init', 'token', 'share', 'join', 'leave', 'stay', 'forget', 'unban'].map((n) => [n, say(n)]),
      ),
      describe: () => member(),
    } as Partial<Member>;
    for (const [name, body] of [
      ['init', undefined],
      ['join', { host: '2001:db8::1', token: 'nrj1_x' }],
      ['leave', {}],
      ['stay', undefined],
      ['forget', { hosts: ['h2'] }],
      ['unban', { hosts: ['h2'] }],
      ['share', { host: 'h2' }],
    ] as const) {
      const { statusCode, payload } = await ask(it, `/v1/cluster/${name}`, 'POST', body);
      assert.equal(statusCode, 200, payload);
      assert.equal(clusterView.parse(JSON.parse(payload)).cluster, UUID);
    }
    const { payload } = await ask(it, '/v1/cluster/token', 'POST', { lifetime: 120 });
    const { token, expires } = tokenView.parse(JSON.parse(payload));
    assert.equal(token, 'token');
    assert.ok(Math.abs(Date.parse(expires) - Date.now() - 120_000) < 60_000);
    assert.deepEqual(done, [
      ['init'],
      ['join', { address: '2001:db8::1', port: 15800 }, 'nrj1_x'],
      ['leave'],
      ['stay'],
      ['forget', ['h2'], { force: false, ban: false }],
      ['unban', ['h2']],
      ['share', 'h2'],
      ['token', 120_000],
    ]);
  });

  it('refuses bodies that do not fit, with nothing done', async () => {
    for (const [url, body, what] of [
      ['join', {}, /^host: /],
      ['join', { host: 'h1', token: 'x', more: 1 }, /more/],
      ['join', { host: 'h1', port: 70_000, token: 'x' }, /^port: /],
      ['join', { host: 'h 1', token: 'x' }, /^host: /],
      ['forget', { hosts: [] }, /^hosts: /],
      ['token', { lifetime: 1 }, /^lifetime: /],
      ['token', '[]', /object/],
      ['init', '{', /JSON/],
    ] as const) {
      const [status, code, text] = await refusals({}, url, body);
      assert.deepEqual([status, code], [400, 'NR_QUERY_INVALID'], `${url} ${JSON.stringify(body)}`);
      assert.match(String(text), what);
    }
  });

  it('tells why it was not done', async () => {
    const init = async () => {
      throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
    };
    assert.deepEqual(await refusals({ init }, 'init', undefined), [
      409,
      'NR_CLUSTER_EXISTS',
      'this host is in a cluster already',
    ]);
  });
});
