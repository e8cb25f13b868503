import assert from 'node:assert/strict';
import { type Exchange, type Fixture, fixtures, methodOf, type Running, running } from './harness.ts';
import { FAILURE, failed, replay } from './replay.ts';

/** Which call each method makes; the others are answered without one. */
const CALLS: Record<string, string> = {
  'NetworkDriver.CreateNetwork': 'createNetwork',
  'NetworkDriver.DeleteNetwork': 'deleteNetwork',
  'NetworkDriver.CreateEndpoint': 'createEndpoint',
  'NetworkDriver.DeleteEndpoint': 'deleteEndpoint',
  'NetworkDriver.EndpointOperInfo': 'endpointInfo',
  'NetworkDriver.Join': 'join',
  'NetworkDriver.Leave': 'leave',
  'NetworkDriver.ProgramExternalConnectivity': 'publish',
  'NetworkDriver.RevokeExternalConnectivity': 'unpublish',
  'IpamDriver.RequestPool': 'requestPool',
  'IpamDriver.ReleasePool': 'releasePool',
  'IpamDriver.RequestAddress': 'requestAddress',
  'IpamDriver.ReleaseAddress': 'releaseAddress',
};

/** The text that a call has to carry on, by the field of the request. */
const CARRIED = ['NetworkID', 'EndpointID', 'PoolID', 'SandboxKey', 'Pool', 'SubPool', 'Address'] as const;

describe('cnm: what dockerd says, replayed', () => {
  const all: Fixture[] = [];
  let servers: Record<Exchange['socket'], Running>;

  before(async () => {
    all.push(...(await fixtures()));
    servers = { 'net-routed': await running(), 'ipam-routed': await running({ ipamOnly: true }) };
  });
  after(async () => {
    for (const server of Object.values(servers)) await server.stop();
  });

  for (const engine of ['20.10', '27.5', '28.5', '29.7']) {
    it(`Docker ${engine}: each request gets the answer that dockerd accepted`, async () => {
      const some = all.filter(({ name }) => name.startsWith(`docker-${engine}/`));
      assert.ok(some.length > 0, 'no fixtures');
      for (const fixture of some) {
        for (const { calls } of Object.values(servers)) calls.made.length = 0;
        const replies = await replay(fixture, servers);
        for (const [i, exchange] of fixture.exchanges.entries()) {
          const reply = replies[i]!;
          const where = `${fixture.name} #${i} ${methodOf(exchange)}`;
          assert.equal(reply.status, 200, where);
          assert.equal(reply.headers['content-type'], 'application/vnd.docker.plugins.v1.2+json', where);
          assert.deepEqual(reply.body, expected(fixture, exchange), where);
        }
        assertCalls(fixture, servers);
      }
    });
  }

  it('covers every method of both drivers that dockerd sends', () => {
    const seen = new Set(all.flatMap(({ exchanges }) => exchanges.map(methodOf)));
    const missing = Object.keys(CALLS).filter((method) => !seen.has(method));
    assert.deepEqual(missing, []);
  });
});

function expected(fixture: Fixture, exchange: Exchange): unknown {
  if (failed(exchange)) {
    const field = methodOf(exchange).startsWith('IpamDriver.') ? 'Error' : 'Err';
    return { [field]: FAILURE.message };
  }
  // There the recorder's driver did wrong what ours must not do.
  if (fixture.name.endsWith('mac-answered-twice') && methodOf(exchange).endsWith('CreateEndpoint')) return {};
  return JSON.parse(exchange.response.body);
}

/** Every request that needs a call made one of the right name, in order, with its ids and addresses in it. */
function assertCalls(fixture: Fixture, servers: Record<Exchange['socket'], Running>): void {
  for (const [socket, { calls }] of Object.entries(servers)) {
    const asked = fixture.exchanges.filter((exchange) => {
      if (exchange.socket !== socket || !CALLS[methodOf(exchange)]) return false;
      // Docker gives back the gateway 0.0.0.0/0 or ::/0, which was never an address.
      return !/"Address":"(0\.0\.0\.0|::)"/.test(exchange.request.body);
    });
    assert.deepEqual(
      calls.made.map(([name]) => name),
      asked.map((exchange) => CALLS[methodOf(exchange)]),
      fixture.name,
    );
    for (const [i, exchange] of asked.entries()) {
      const request = JSON.parse(exchange.request.body);
      const made = JSON.stringify(calls.made[i]);
      for (const field of CARRIED) {
        const value = request[field];
        if (value)
          assert.ok(made.includes(JSON.stringify(value)), `${fixture.name} #${i}: ${field} not in ${made}`);
      }
    }
  }
}
