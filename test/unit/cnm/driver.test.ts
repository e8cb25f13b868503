import assert from 'node:assert/strict';
import { macOf } from '../../../src/net/mac.ts';
import { Prefix, splitCidr } from '../../../src/net/prefix.ts';
import { contents, type World, world } from '../driver/world.ts';
import { Dockerd } from './dockerd.ts';
import {
  type Exchange,
  type Fixture,
  fixtures,
  methodOf,
  type Reply,
  type Running,
  running,
} from './harness.ts';
import { failed } from './replay.ts';

const of = (engine: string, names: string) => names.split(/\s+/).map((name) => `docker-${engine}/${name}`);

/** The recordings of each engine in an order in which dockerd can say them, with what they need from others. */
const ORDER: Record<string, string[]> = {
  '20.10': of(
    '20.10',
    `create-plain create-range-gateway-aux create-dual create-options create-internal create-automatic
     create-one-plugin create-foreign-ipam run run-ip-mac-port run-driver-opt run-dual run-internal connect disconnect
     disconnect-gateway stop start rm network-rm restart-dockerd kill-dockerd restart-dockerd-live
     error-network-200-Err error-network-400-Err error-address-200-Error error-address-200-Err error-address-409-Err
     error-join-200-Err error-program-200-Err error-program-404-Err error-operinfo-200-Err error-leave-200-Err
     error-mac-answered-twice`,
  ),
  '27.5': of('27.5', 'create-plain create-dual run-ports'),
  '28.5': [
    ...of('20.10', 'create-internal'),
    ...of(
      '28.5',
      'create-plain create-gateway create-ipv6-only network-rm create-ipv6-only run-ifname-sysctl-mac',
    ),
    ...of('28.5', 'run-internal run-ipv6-only run-portmap-variants'),
  ],
  '29.7': [
    ...of('28.5', 'create-plain'),
    ...of('29.7', 'create-aux-address create-ipv6-only discover run-named-ports run-two-gateways stop'),
  ],
};

/** What ours refuses and the recorder's driver did not. */
const REFUSED: Record<string, string> = {
  'docker-20.10/create-foreign-ipam NetworkDriver.CreateNetwork': 'NR_IPAM_FOREIGN',
};

/** Calls that choose: a second one is another. */
const chooses = (method: string, call: Record<string, unknown>) =>
  (method === 'IpamDriver.RequestAddress' && !call.Address) ||
  (method === 'IpamDriver.RequestPool' && !call.Pool);

describe('cnm: what dockerd says, to the driver itself', () => {
  const all = new Map<string, Fixture>();
  let host: World;
  let servers: Record<Exchange['socket'], Running>;

  before(async () => {
    for (const fixture of await fixtures()) all.set(fixture.name, fixture);
  });
  beforeEach(async () => {
    host = world();
    servers = {
      'net-routed': await running({ network: host.driver, address: host.driver }),
      'ipam-routed': await running({ ipamOnly: true, address: host.driver }),
    };
  });
  afterEach(async () => {
    for (const server of Object.values(servers)) await server.stop();
  });

  /** Says recordings, and looks after each at what the driver has. */
  async function say(
    names: readonly string[],
    how: { lost?: boolean; twice?: boolean },
    look: (reply: Reply, exchange: Exchange, dockerd: Dockerd, where: string) => void,
  ): Promise<void> {
    const dockerd = new Dockerd(servers);
    for (const name of names) {
      const fixture = all.get(name);
      assert.ok(fixture, name);
      for (const [i, exchange] of fixture.exchanges.entries()) {
        // A call that failed for dockerd may have been lost on its way to us, or its answer on the way back.
        if (failed(exchange) && how.lost) continue;
        const where = `${name} #${i} ${methodOf(exchange)}`;
        const reply = await dockerd.say(exchange);
        assert.equal(reply.status, 200, where);
        const code = REFUSED[`${name} ${methodOf(exchange)}`];
        const error = reply.body.Err ?? reply.body.Error;
        if (code) assert.match(String(error), new RegExp(`^${code}: `), where);
        else {
          assert.equal(error, undefined, where);
          look(reply, exchange, dockerd, where);
        }
        if (how.twice && !chooses(methodOf(exchange), dockerd.last)) {
          const before = contents(host);
          assert.deepEqual((await dockerd.again()).body, reply.body, `${where} again`);
          assert.equal(contents(host), before, `${where} again`);
        }
        if (!code) dockerd.learn(exchange, reply);
      }
      const { networks, endpoints } = dockerd;
      assert.deepEqual(new Set([...host.state.networks.all()].map(({ id }) => id)), networks, name);
      assert.deepEqual(new Set([...host.state.endpoints.all()].map(({ id }) => id)), endpoints, name);
    }
    dockerd.end();
  }

  for (const [engine, names] of Object.entries(ORDER)) {
    it(`Docker ${engine}: answers have the form that dockerd accepted, and the right content`, async () => {
      await say(names, {}, (reply, exchange, dockerd, where) => {
        if (!failed(exchange) && !where.includes('mac-answered-twice'))
          assert.deepEqual(form(reply.body), form(JSON.parse(exchange.response.body)), where);
        const check = CONTENT[methodOf(exchange)];
        if (check) check(reply.body, dockerd, exchange, where);
        else assert.deepEqual(reply.body, failed(exchange) ? {} : JSON.parse(exchange.response.body), where);
      });
    });

    for (const lost of [false, true])
      it(`Docker ${engine}: nothing is left when ${lost ? 'calls' : 'answers'} are lost`, async () => {
        await say(names, { lost }, () => {});
        // What was asked for and never taken is freed, after a while.
        host.time.now += 600_000;
        await host.store.commit(host.driver.addresses.expired(300_000));
        const allocations = [...host.state.allocations.all()];
        assert.deepEqual(
          allocations.filter(({ use }) => use === 'held'),
          [],
        );
        const networks = [...host.state.networks.all()];
        assert.deepEqual(
          [...host.state.pools.all()].map(({ id }) => id).toSorted(),
          networks.flatMap(({ pools }) => pools).toSorted(),
        );
        const endpoints = [...host.state.endpoints.all()];
        const given = allocations.filter(({ use }) => use === 'endpoint');
        assert.deepEqual(
          given.map(({ address, endpoint }) => `${endpoint} ${address}`).toSorted(),
          endpoints
            .flatMap(({ id, address, addressV6, aliases }) =>
              [address, addressV6, ...aliases].flatMap((one) => (one ? [`${id} ${one}`] : [])),
            )
            .toSorted(),
        );
      });

    it(`Docker ${engine}: each call made twice is answered alike, and has no further effect`, async () => {
      await say(names, { twice: true }, () => {});
    });
  }

  it('Docker 29.7: two gateways of a container publish the same ports, each those of its family', async () => {
    const names = ORDER['29.7']!;
    await say(names.slice(0, names.indexOf('docker-29.7/stop')), {}, () => {});
    const published = [...host.state.endpoints.all()].map(({ address, ports }) => [
      address === undefined ? 6 : 4,
      ports.filter(({ protocol }) => protocol === 6).map(({ hostPort }) => hostPort),
    ]);
    assert.deepEqual(published, [
      [4, [8080]],
      [6, [8080]],
    ]);
  });

  it('has every recording in its order', () => {
    assert.deepEqual(new Set(Object.values(ORDER).flat()), new Set(all.keys()));
  });
});

/** What an answer consists of: its members, and of what type they are. */
function form(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(form);
  if (typeof value !== 'object' || value === null) return value === '' ? 'empty' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, form(member)]));
}

type Body = Reply['body'];
type Check = (body: Body, dockerd: Dockerd, exchange: Exchange, where: string) => void;

/** What has to be in an answer whose values are ours. */
const CONTENT: Record<string, Check> = {
  'IpamDriver.RequestPool': (body, { last }, _exchange, where) => {
    const family = last.V6 ? 6 : 4;
    const pool = Prefix.parse(String(body.Pool));
    assert.equal(pool.family, family, where);
    if (last.Pool) assert.equal(body.Pool, last.Pool, where);
    const gateway = Prefix.parse((body.Data as Record<string, string>)['com.docker.network.gateway']!);
    assert.ok(gateway.isHost, where);
    assert.ok(Prefix.parse(family === 6 ? 'fe80::/10' : '169.254.0.0/16').contains(gateway), where);
  },
  'IpamDriver.RequestAddress': (body, { last, poolOf }, _exchange, where) => {
    const { address, length } = splitCidr(String(body.Address));
    assert.equal(length, address.family === 6 ? 128 : 32, where);
    if (last.Address) assert.equal(address.toString(), last.Address, where);
    assert.ok(Prefix.parse(poolOf(String(last.PoolID))).contains(address), where);
  },
  'NetworkDriver.CreateEndpoint': (body, { last }, _exchange, where) => {
    const { Address, AddressIPv6, MacAddress } = last.Interface as Record<string, string>;
    const mac = (body.Interface as Record<string, string> | undefined)?.MacAddress;
    const { address } = splitCidr(Address || AddressIPv6 || '');
    assert.equal(mac, MacAddress ? undefined : macOf(address), where);
  },
  'NetworkDriver.EndpointOperInfo': (body, _dockerd, _exchange, where) =>
    assert.deepEqual(body, { Value: {} }, where),
  'NetworkDriver.Join': (body, { last, gatewaysOf }, exchange, where) => {
    if (!failed(exchange))
      assert.deepEqual(body.InterfaceName, JSON.parse(exchange.response.body).InterfaceName, where);
    const gateways = [body.Gateway, body.GatewayIPv6].filter((one) => one !== undefined).map(String);
    assert.deepEqual(gateways, gatewaysOf(String(last.NetworkID)), where);
    assert.deepEqual(
      body.StaticRoutes,
      gateways.map((one) => ({ Destination: `${one}/${one.includes(':') ? 128 : 32}`, RouteType: 1 })),
      where,
    );
  },
};
