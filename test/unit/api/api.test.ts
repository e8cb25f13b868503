import assert from 'node:assert/strict';
import type { z } from 'zod';
import { Metrics } from '../../../src/api/metrics.ts';
import { Pulse } from '../../../src/api/pulse.ts';
import { type ApiServer, createApi } from '../../../src/api/server.ts';
import {
  endpointsView,
  endpointView,
  healthView,
  networksView,
  networkView,
  peersView,
  poolsView,
  problemView,
  routesView,
  statusView,
  storeView,
} from '../../../src/api/views.ts';
import type { Janitor } from '../../../src/driver/janitor.ts';
import { CodedError } from '../../../src/errors.ts';
import type { DockerNetwork } from '../../../src/ports/docker.ts';
import { alsoIn, apiOf, HOST, id, settle, TOR, type World, withContainer, world } from './world.ts';

describe('operator API', () => {
  let it_: World;
  let pulse: Pulse;
  let metrics: Metrics;
  let api: ApiServer;

  beforeEach(async () => {
    it_ = await world();
    pulse = new Pulse(it_.services);
    metrics = new Metrics();
    api = createApi(apiOf(it_.services, pulse, metrics), '/nowhere/api.sock');
  });
  afterEach(async () => {
    pulse.stop();
    await it_.close();
  });

  /** Asks, and holds the answer to its schema, in which nothing unknown may be. */
  async function ask<T>(url: string, view: z.ZodType<T>, status = 200, method = 'GET'): Promise<T> {
    const response = await api.hapi.inject({ method, url });
    assert.equal(response.statusCode, status, response.payload);
    assert.match(String(response.headers['content-type']), /^application\/json/);
    const body: unknown = JSON.parse(response.payload);
    assert.deepEqual(view.parse(body), body, 'the schema knows every member');
    return view.parse(body);
  }
  const failing = (url: string, status: number, method?: string) => ask(url, problemView, status, method);

  describe('status', () => {
    it('of an empty host has nothing to look at', async () => {
      const status = await ask('/v1/status', statusView);
      assert.equal(status.version, '1.2.3');
      assert.equal(status.uptime, 3600);
      assert.deepEqual(status.host, { address: HOST, uplink: 'eth0', mtu: 1500, routerId: HOST, as: 65001 });
      assert.deepEqual(status.peers, { established: 1, total: 1 });
      assert.deepEqual(status.attention, []);
      assert.deepEqual(status.failures, []);
      assert.equal(status.loop.live, true);
    });

    it('tells why there is no comparison with Docker', async () => {
      const error = new CodedError('NR_DOCKER_UNAVAILABLE', 'no such file');
      const since = it_.services.clock.now() - 125_000;
      const services = {
        ...it_.services,
        janitor: { trouble: { error, count: 3, since } } as unknown as Janitor,
      };
      const { result } = await createApi(apiOf(services, pulse, metrics), '/nowhere').hapi.inject(
        '/v1/status',
      );
      const { docker, attention } = statusView.parse(result);
      assert.deepEqual([docker?.code, docker?.count, docker?.seconds], ['NR_DOCKER_UNAVAILABLE', 3, 125]);
      assert.match(attention[0]?.what ?? '', /^NR_DOCKER_UNAVAILABLE: no comparison with Docker/);
    });

    it('of a host without an address has no router id, and says so', async () => {
      const host = { ...it_.services, identity: () => undefined };
      const young = createApi(apiOf(host, pulse, metrics), '/nowhere');
      const { result } = await young.hapi.inject('/v1/status');
      const status = statusView.parse(result);
      assert.deepEqual([status.host.routerId, status.host.as], [undefined, undefined]);
      assert.match(status.attention[0]?.what ?? '', /^the routing engine is not started/);
      const old = createApi(
        apiOf({ ...it_.services, identityStale: () => true }, pulse, metrics),
        '/nowhere',
      );
      assert.equal(statusView.parse((await old.hapi.inject('/v1/status')).result).host.routerIdStale, true);
    });

    it('counts networks, endpoints, routes and addresses', async () => {
      await withContainer(it_);
      const status = await ask('/v1/status', statusView);
      assert.equal(status.networks, 1);
      assert.deepEqual(status.endpoints, { total: 1, up: 1 });
      assert.deepEqual(status.routes, { announced: 1, learned: 0 });
      assert.deepEqual(
        status.pools.map(({ prefix, held, network }) => [prefix, held, network?.name]),
        [['10.1.0.0/16', '1', 'mine']],
      );
      assert.deepEqual(status.attention, []);
    });

    it('names what fails with code, remedy and for how long', async () => {
      const key = `route 254 10.1.0.2/32 158`;
      for (let i = 0; i < 50; i++) it_.kernel.failNext(key);
      const joining = withContainer(it_).catch(() => {});
      while (it_.reconciler.failures().length === 0) await settle(it_.reconciler);
      const status = await ask('/v1/status', statusView);
      const [failure] = status.failures;
      assert.equal(failure?.lane, 'kernel');
      assert.equal(failure?.key, key);
      assert.equal(failure?.code, 'NR_KERNEL_REFUSED');
      assert.match(failure?.remedy ?? '', /doctor/);
      assert.match(status.attention[0]?.what ?? '', /^NR_KERNEL_REFUSED: refused/);
      const endpoint = await ask('/v1/endpoints/eeee', endpointView);
      assert.equal(endpoint.state, 'failing');
      assert.deepEqual(
        endpoint.problems.map((problem) => [problem.key, problem.code]),
        [[key, 'NR_KERNEL_REFUSED']],
      );
      void joining; // it would wait for its deadline
    });

    it('tells of an engine that is down', async () => {
      it_.speaker.crash('out of memory');
      const status = await ask('/v1/status', statusView);
      assert.equal(status.engine.up, false);
      assert.match(status.attention[0]?.what ?? '', /^the routing engine is down/);
    });
  });

  describe('networks, endpoints and pools', () => {
    beforeEach(() => withContainer(it_));

    it('are listed with the names that Docker has for them', async () => {
      const { networks } = await ask('/v1/networks', networksView);
      assert.deepEqual(
        networks.map(({ id: is, name, endpoints, mtu }) => [is, name, endpoints, mtu]),
        [[id('aaaa'), 'mine', 1, 1500]],
      );
      const { endpoints } = await ask('/v1/endpoints', endpointsView);
      const [endpoint] = endpoints;
      assert.equal(endpoint?.container?.name, 'web');
      assert.equal(endpoint?.network.name, 'mine');
      assert.equal(endpoint?.state, 'up');
      assert.equal(endpoint?.phase, 'joined');
      assert.equal(endpoint?.address, '10.1.0.2');
      assert.deepEqual(endpoint?.addresses, [{ address: '10.1.0.2', kind: 'address', announced: true }]);
      const { pools } = await ask('/v1/pools', poolsView);
      assert.equal(pools[0]?.size, String(2 ** 16));
    });

    it('of pools are counted within the range that automatic addresses come from', async () => {
      const asked = { pool: '10.3.0.0/16', subPool: '10.3.4.0/30', options: {}, v6: false };
      const { id: pool } = await it_.driver.requestPool(asked);
      for (const address of ['10.3.4.1', '10.3.9.9', '10.3.9.10'])
        await it_.driver.requestAddress({ pool, address, gateway: false });
      const { pools } = await ask('/v1/pools', poolsView);
      assert.deepEqual(
        pools.map(({ prefix, range, size, held, free, outside }) => [
          ...[prefix, range, size, held, free, outside],
        ]),
        [
          ['10.1.0.0/16', undefined, '65536', '1', '65533', undefined],
          ['10.3.0.0/16', '10.3.4.0/30', '4', '1', '3', '2'],
        ],
      );
      const { payload } = await api.hapi.inject('/metrics');
      for (const line of [
        'net_routed_pool_addresses{pool="default:10.3.0.0/16",use="size"} 4',
        'net_routed_pool_addresses{pool="default:10.3.0.0/16",use="outside"} 2',
      ])
        assert.ok(payload.includes(line), line);
    });

    it('of pools are in the order of their addresses', async () => {
      for (const pool of ['10.10.0.0/16', '10.2.0.0/16'])
        await it_.driver.requestPool({ pool, options: {}, v6: false });
      await it_.driver.requestPool({ pool: 'fd00:9::/64', options: {}, v6: true });
      await it_.driver.requestPool({ pool: '9.0.0.0/8', options: {}, v6: false });
      const { pools } = await ask('/v1/pools', poolsView);
      assert.deepEqual(
        pools.map(({ prefix }) => prefix),
        ['9.0.0.0/8', '10.1.0.0/16', '10.2.0.0/16', '10.10.0.0/16', 'fd00:9::/64'],
      );
    });

    it('are in the order of their names, as people count', async () => {
      await alsoIn(it_, id('ffff'), 'net2', id('1111'), '10.2.0.2', 'web10');
      await alsoIn(it_, id('0000'), 'net10', id('2222'), '10.3.0.2', 'web9');
      await alsoIn(it_, id('1000'), 'alpha', id('3333'), '10.4.0.2', 'web');
      const { networks } = await ask('/v1/networks', networksView);
      assert.deepEqual(
        networks.map(({ name }) => name),
        ['alpha', 'mine', 'net2', 'net10'],
      );
      const { endpoints } = await ask('/v1/endpoints', endpointsView);
      assert.deepEqual(
        endpoints.map(({ container, network }) => `${container?.name} ${network.name}`),
        ['web alpha', 'web mine', 'web9 net10', 'web10 net2'],
      );
    });

    for (const [docker, mode] of [
      ['is silent', 'silent'],
      ['fails', new Error('down')],
    ] as const) {
      it(`are listed without names when Docker ${docker}`, async () => {
        it_.host.docker = mode;
        const { endpoints } = await ask('/v1/endpoints', endpointsView);
        assert.equal(endpoints.length, 1);
        assert.equal(endpoints[0]?.container, undefined);
      });
    }

    it('are found by id, by the beginning of it, and by name', async () => {
      for (const name of [id('aaaa'), 'aa', 'mine']) {
        assert.equal((await ask(`/v1/networks/${name}`, networkView)).id, id('aaaa'));
      }
      for (const name of [id('eeee'), 'e', 'web', id('cccc'), 'nreeee000000', '10.1.0.2']) {
        assert.equal((await ask(`/v1/endpoints/${name}`, endpointView)).id, id('eeee'));
      }
    });

    describe('of a cluster', () => {
      const blue = {
        id: 'default:10.7.0.0/16',
        tenant: 'default',
        encap: 'none',
        mtu: 1400,
        internal: false,
        pools: ['default:10.7.0.0/16'],
        createdAt: 0,
      };
      beforeEach(() =>
        it_.store.commit([
          { key: `logical/${blue.id}`, value: blue },
          { key: 'network-name/default/blue', value: { tenant: 'default', name: 'blue', network: blue.id } },
        ]),
      );

      it('are also those that only other hosts have in their Docker', async () => {
        const { networks } = await ask('/v1/networks', networksView);
        assert.deepEqual(
          networks.map((one) => [one.id, one.name, one.clusterName, one.mtu, one.hosts]),
          [
            [id('aaaa'), 'mine', undefined, 1500, ['h1']],
            [undefined, 'blue', 'blue', 1400, []],
          ],
        );
        assert.equal((await ask('/v1/networks/blue', networkView)).mtu, 1400);
        assert.equal((await failing('/v1/networks/blu', 404)).code, 'NR_NETWORK_UNKNOWN', 'names are whole');
      });

      it("are in conflict where this host's Docker has one of the same name, which is the one found", async () => {
        const [docker] = it_.host.docker as readonly DockerNetwork[];
        it_.host.docker = [{ ...docker!, name: 'blue' }];
        const here = await ask('/v1/networks/blue', networkView);
        assert.equal(here.id, id('aaaa'));
        const why = 'blue is what the cluster calls the network of 10.7.0.0/16';
        assert.equal(here.conflict, why);
        const { attention } = await ask('/v1/status', statusView);
        assert.equal(attention[0]?.what, `network blue: ${why}`);
      });
    });

    it('are not found by anything else', async () => {
      assert.equal((await failing('/v1/networks/nope', 404)).code, 'NR_NETWORK_UNKNOWN');
      assert.equal((await failing('/v1/endpoints/nope', 404)).code, 'NR_ENDPOINT_UNKNOWN');
    });

    it('are not guessed when several begin alike', async () => {
      const { pools } = await ask('/v1/pools', poolsView);
      const { address } = await it_.driver.requestAddress({ pool: pools[0]!.id, gateway: false });
      await it_.driver.createEndpoint({ network: id('aaaa'), endpoint: id('eeef'), address, options: {} });
      const problem = await failing('/v1/endpoints/eee', 409);
      assert.equal(problem.code, 'NR_ID_AMBIGUOUS');
      assert.match(problem.what, /"eee" may be eeef00000000, eeee00000000 \(web in mine\)$/);
      assert.equal((await ask('/v1/endpoints/eeee', endpointView)).id, id('eeee'));
    });

    it('are found by names that Docker gave a moment ago', async () => {
      await ask('/v1/endpoints', endpointsView); // what Docker says is known now, for a while
      const [network] = it_.host.docker as readonly DockerNetwork[];
      assert.ok(network);
      it_.host.docker = [
        { ...network, name: 'ours', endpoints: [{ id: id('eeee'), container: id('cccc'), name: 'db' }] },
      ];
      assert.equal((await ask('/v1/endpoints?name=db', endpointsView)).endpoints[0]?.id, id('eeee'));
      it_.host.docker = [{ ...network, name: 'theirs' }];
      assert.equal((await ask('/v1/networks/theirs', networkView)).id, id('aaaa'));
      it_.host.docker = [{ ...network, endpoints: [{ id: id('eeee'), container: id('cccc'), name: 'etc' }] }];
      assert.equal((await ask('/v1/endpoints/etc', endpointView)).id, id('eeee'));
    });

    it('are shown of all hosts only where that is asked for', async () => {
      assert.equal((await ask('/v1/endpoints', endpointsView)).elsewhere, undefined);
      assert.deepEqual((await ask('/v1/endpoints?all=yes', endpointsView)).elsewhere, []);
    });

    it('are all shown that a name is meant for: a container has one in each of its networks', async () => {
      await alsoIn(it_, id('bbbb'), 'other', id('ffff'), '10.2.0.2');
      for (const name of ['web', id('cccc'), 'cccc00000000']) {
        const { endpoints } = await ask(`/v1/endpoints?name=${name}`, endpointsView);
        assert.deepEqual(
          endpoints.map((one) => [one.id, one.container?.name, one.network.name]),
          [
            [id('eeee'), 'web', 'mine'],
            [id('ffff'), 'web', 'other'],
          ],
          name,
        );
      }
      const [only, ...more] = (await ask('/v1/endpoints?name=10.2.0.2', endpointsView)).endpoints;
      assert.deepEqual([only?.id, more], [id('ffff'), []]);
      const { code, what } = await failing('/v1/endpoints/web', 409);
      assert.equal(code, 'NR_ID_AMBIGUOUS');
      assert.equal(what, '"web" may be eeee00000000 (web in mine), ffff00000000 (web in other)');
    });

    it('are not shown where several ids begin as a name does, nor where none does', async () => {
      await alsoIn(it_, id('bbbb'), 'other', id('eeef'), '10.2.0.2');
      assert.match((await failing('/v1/endpoints?name=ee', 409)).what, /eeee00000000.*, eeef00000000/);
      assert.equal((await failing('/v1/endpoints?name=nope', 404)).code, 'NR_ENDPOINT_UNKNOWN');
      assert.equal((await failing('/v1/endpoints?name=', 404)).code, 'NR_ENDPOINT_UNKNOWN');
      assert.equal((await failing('/v1/endpoints?names=web', 400)).code, 'NR_QUERY_INVALID');
      assert.equal((await failing('/v1/endpoints?name=web&name=e', 400)).code, 'NR_QUERY_INVALID');
    });

    it('say what each endpoint waits for, or that its container has gone', async () => {
      const endpoint = async () => (await ask('/v1/endpoints/eeee', endpointView)).state;
      it_.kernel.host.closeSandbox('/run/docker/netns/1');
      it_.reconciler.mark(id('eeee'));
      await settle(it_.reconciler);
      assert.equal(await endpoint(), 'gone');
      await it_.driver.leave(id('aaaa'), id('eeee'));
      assert.equal(await endpoint(), 'left');
    });
  });

  describe('routes', () => {
    it('compares what is wanted with the real kernel and engine', async () => {
      await withContainer(it_, { 'ip-aliases': '172.30.0.9' });
      const { routes, problems } = await ask('/v1/routes', routesView);
      assert.deepEqual(problems, []);
      assert.deepEqual(
        routes.map(({ prefix, wanted, kernel, engine, note }) => [
          prefix,
          wanted,
          kernel?.state,
          engine?.state,
          note,
        ]),
        [
          ['10.1.0.2/32', 'endpoint', 'ok', 'ok', undefined],
          ['172.30.0.9/32', 'endpoint', 'ok', undefined, 'not announced: outside of the pools'],
        ],
      );
    });

    it('sees what somebody took away behind our back, and what somebody left', async () => {
      await withContainer(it_);
      it_.kernel.tamper('route 254 10.1.0.2/32 158');
      it_.kernel.tamper('route 254 10.1.0.77/32 158', {
        kind: 'route',
        prefix: '10.1.0.77/32',
        table: 254,
        metric: 158,
        type: 'unicast',
        nextHops: [{ dev: 'eth0' }],
      });
      const { routes } = await ask('/v1/routes', routesView);
      assert.deepEqual(
        routes.map(({ prefix, kernel }) => [prefix, kernel?.state]),
        [
          ['10.1.0.2/32', 'missing'],
          ['10.1.0.77/32', 'stray'],
        ],
      );
    });

    it('has what peers announced, with holder and next hops', async () => {
      const resource = {
        kind: 'announcement',
        prefix: '10.9.0.5/32',
        nextHop: TOR,
        anycast: false,
      } as const;
      await it_.tor.apply([{ do: 'put', key: 'announcement 10.9.0.5/32', resource }]);
      await settle(it_.reconciler);
      const { routes } = await ask('/v1/routes?prefix=10.9.0.5', routesView);
      assert.equal(routes.length, 1);
      assert.deepEqual(routes[0]?.learned?.nextHops, [TOR]);
      assert.equal(routes[0]?.kernel?.state, 'ok');
    });

    it('goes on without the engine, and says so', async () => {
      await withContainer(it_);
      it_.speaker.crash();
      const { routes, problems } = await ask('/v1/routes', routesView);
      assert.equal(routes[0]?.kernel?.state, 'ok');
      assert.equal(routes[0]?.engine?.state, 'unknown');
      assert.equal(problems[0]?.code, 'NR_SPEAKER_UNAVAILABLE');
    });

    it('takes a prefix and nothing else', async () => {
      assert.equal((await failing('/v1/routes?prefix=x', 400)).code, 'NR_ADDRESS_INVALID');
      assert.equal((await failing('/v1/routes?prefix=10.1.0.1/16', 400)).code, 'NR_PREFIX_INVALID');
      assert.equal(
        (await failing('/v1/routes?prefix=10.1.0.1&prefix=10.1.0.2', 400)).code,
        'NR_QUERY_INVALID',
      );
      assert.equal((await failing('/v1/routes?table=1', 400)).code, 'NR_QUERY_INVALID');
    });
  });

  it('tells what it has of the writes of each host', async () => {
    const [own, ...others] = (await ask('/v1/store', storeView)).origins;
    assert.deepEqual(others, []);
    assert.ok(own && own.known > 0 && own.records > 0);
    assert.match(own.hash, /^[0-9a-f]{64}$/);
    assert.deepEqual((await ask('/v1/store', storeView)).origins, [own]);
    await withContainer(it_);
    const [after] = (await ask('/v1/store', storeView)).origins;
    assert.ok(after && after.known > own.known && after.hash !== own.hash);
  });

  it('lists peers, also while the engine is down', async () => {
    const [peer] = (await ask('/v1/peers', peersView)).peers;
    assert.equal(peer?.neighbour, TOR);
    assert.equal(peer?.as, 65000);
    assert.equal(peer?.state, 'established');
    it_.speaker.crash();
    const { peers, problems } = await ask('/v1/peers', peersView);
    assert.deepEqual(
      peers.map(({ neighbour, state }) => [neighbour, state]),
      [[TOR, 'unknown']],
    );
    assert.equal(problems[0]?.code, 'NR_SPEAKER_UNAVAILABLE');
  });

  it('tells peers of the cluster from configured ones, and whom of the cluster it cannot peer with', async () => {
    const { services, reconciler } = it_;
    const [tor] = [...reconciler.speaker.tracker.allWanted()].filter((one) => one.kind === 'peer');
    const host = { ...tor!, address: '192.0.2.2', mesh: 'member' } as const;
    reconciler.wantPeers([host], 'mesh');
    await settle(reconciler);
    const plan = {
      // The router's address is a host's too.
      peers: [{ host: 'bb', name: 'h3', peer: tor! }],
      reflectors: [],
      without: [{ host: 'cc', name: 'h4', why: 'no address of a family that both have' }],
    };
    Object.assign(services.mesh, { sessions: [{ host: 'aa', name: 'h2', peer: host }], plan });
    const { peers } = await ask('/v1/peers', peersView);
    assert.deepEqual(
      peers.map((peer) => [peer.neighbour, peer.origin, peer.host, peer.state]),
      [
        [TOR, 'configured', 'h3', 'established'],
        ['192.0.2.2', 'cluster', 'h2', 'active'],
        ['h4', 'cluster', 'h4', 'idle'],
      ],
    );
    assert.equal(peers[2]?.reason, 'no address of a family that both have');
    it_.speaker.crash();
    const down = (await ask('/v1/peers', peersView)).peers;
    assert.deepEqual(
      down.map(({ origin }) => origin),
      ['configured', 'cluster', 'cluster'],
    );
  });

  describe('health', () => {
    it('is ok when all works', async () => {
      assert.deepEqual(await ask('/health', healthView), { status: 'ok', reasons: [] });
    });

    it('is degraded, and still 200, without the engine or a peer', async () => {
      it_.speaker.crash();
      const { status, reasons } = await ask('/health', healthView);
      assert.equal(status, 'degraded');
      assert.equal(reasons[0]?.code, 'NR_SPEAKER_UNAVAILABLE');
      it_.speaker.recover();
      await settle(it_.reconciler);
      await it_.tor.close();
      const after = await ask('/health', healthView);
      assert.deepEqual([after.status, after.reasons[0]?.code], ['degraded', 'NR_PEER_DOWN']);
    });

    it('is failing, and 503, without kernel or firewall', async () => {
      it_.kernel.unavailable = new CodedError('NR_KERNEL_UNAVAILABLE', 'no ip');
      it_.firewall.unavailable = new CodedError('NR_FIREWALL_UNAVAILABLE', 'no nft');
      const { status, reasons } = await ask('/health', healthView, 503);
      assert.equal(status, 'failing');
      assert.deepEqual(reasons.map(({ code }) => code).sort(), [
        'NR_FIREWALL_UNAVAILABLE',
        'NR_KERNEL_UNAVAILABLE',
      ]);
    });

    it('is failing when the store refused its last write', async () => {
      const { disk } = it_.store;
      disk.failure = new Error('no space left on device');
      await assert.rejects(it_.store.commit([{ key: 'policy/x', value: 1 }]), { code: 'NR_STORE_FAILED' });
      const { reasons } = await ask('/health', healthView, 503);
      assert.deepEqual(
        reasons.map(({ code, what }) => [code, what]),
        [['NR_STORE_FAILED', 'the store cannot write: no space left on device']],
      );
      const { store, attention } = await ask('/v1/status', statusView);
      assert.equal(store?.code, 'NR_STORE_FAILED');
      assert.match(attention[0]!.what, /nothing can be changed: .*no space left/);
      await it_.store.commit([]); // nothing that the disk would have to take
      await ask('/health', healthView, 503);
      it_.store.probe();
      await it_.store.commit([]);
      await ask('/health', healthView);
      assert.equal((await ask('/v1/status', statusView)).store, undefined);
    });
  });

  it('answers what it does not serve in JSON', async () => {
    assert.equal((await failing('/nope', 404)).code, 'NR_PATH_UNKNOWN');
    assert.equal((await failing('/v1/status', 405, 'POST')).code, 'NR_VERB_UNSUPPORTED');
    assert.equal((await failing('/v1/networks/x', 405, 'DELETE')).code, 'NR_VERB_UNSUPPORTED');
    const response = await api.hapi.inject({ method: 'GET', url: '/v1/doctor/fix' });
    assert.equal(response.statusCode, 405);
    assert.equal(response.headers.allow, 'POST');
  });

  it('counts for Prometheus', async () => {
    await withContainer(it_);
    metrics.onCall('NetworkDriver.Join', 2, 'OK');
    metrics.onCall('NetworkDriver.Join', 2, 'NR_DEADLINE');
    metrics.onUnhandled();
    const { payload, headers } = await api.hapi.inject('/metrics');
    assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
    for (const line of [
      'net_routed_info{version="1.2.3"} 1',
      'net_routed_endpoints{phase="joined"} 1',
      'net_routed_networks 1',
      'net_routed_pool_addresses{pool="default:10.1.0.0/16",use="held"} 1',
      'net_routed_announcements 1',
      'net_routed_engine_up 1',
      `net_routed_peer_established{peer="${TOR}"} 1`,
      'net_routed_failures{lane="kernel"} 0',
      'net_routed_cnm_calls_total{method="NetworkDriver.Join",code="NR_DEADLINE"} 1',
      'net_routed_cnm_call_seconds_bucket{le="0.0025",method="NetworkDriver.Join"} 2',
      'net_routed_unhandled_rejections_total 1',
    ]) {
      assert.ok(payload.split('\n').includes(line), `${line}\nis not in\n${payload}`);
    }
    assert.match(payload, /^net_routed_store_commits_total [1-9]/m);
    assert.match(payload, /^# TYPE net_routed_loop_passes_total counter$/m);
    assert.equal((await api.hapi.inject('/metrics')).statusCode, 200, 'nothing is registered twice');
  });
});
