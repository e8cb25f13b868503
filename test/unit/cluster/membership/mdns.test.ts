import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import multicastDns from 'multicast-dns';
import { systemClock } from '../../../../src/clock.ts';
import { Mdns } from '../../../../src/cluster/membership/mdns.ts';
import { ManualClock } from '../../store/manualclock.ts';
import { HERE, until } from '../machine.ts';

const SERVICE = '_net-routed._tcp.local';
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const id = (number: number) => number.toString(16).padStart(32, '0');

describe('hosts found on the link', () => {
  const cluster = randomUUID();
  const label = createHash('sha256').update(`net-routed mdns ${cluster}`).digest('hex').slice(0, 16);
  let aheadMs = 0;
  let all: Mdns[];
  let socket: ReturnType<typeof multicastDns>;
  beforeEach(async () => {
    aheadMs = 0;
    all = [];
    socket = multicastDns({ interface: HERE, bind: '0.0.0.0' });
    await once(socket, 'ready');
  });
  afterEach(() => {
    for (const one of all) one.stop();
    socket.destroy();
  });

  function host(self?: { id: string; port: number; address?: string }, of = cluster): Mdns {
    const clock = { now: () => Date.now() + aheadMs, after: systemClock.after };
    const made = new Mdns({ cluster: of, address: HERE, self: () => self, clock, log });
    all.push(made);
    return made;
  }

  /** What somebody on the link says of a host. */
  function say(
    number: number,
    {
      port = 1000 + number,
      ttl = 120,
      of = label,
      to,
    }: { port?: number; ttl?: number; of?: string; to?: string } = {},
  ): void {
    const [name, target] = [`${id(number)}.${SERVICE}`, `${id(number)}.local`];
    const packet: multicastDns.ResponseOutgoingPacket = {
      answers: [{ name: SERVICE, type: 'PTR', ttl, data: name }],
      additionals: [
        { name, type: 'SRV', data: { port, target } },
        { name, type: 'TXT', data: [`cluster=${of}`] },
        { name: target, type: 'A', data: `192.0.2.${number % 250}` },
      ],
    };
    if (to === undefined) socket.respond(packet);
    else socket.respond(packet, { address: to, port: 5353 });
  }
  const ports = (of: Mdns) => of.places().map(({ port }) => port);

  it('are members of the cluster, and not the host itself', async () => {
    const [asks, other] = [host(), host(undefined, randomUUID())];
    const member = host({ id: id(1), port: 1234 });
    await until(() => asks.places().length === 1);
    assert.deepEqual(asks.places(), [{ address: HERE, port: 1234 }]);
    assert.deepEqual([member.places(), other.places()], [[], []]);
  });

  it('show nothing of the cluster but a hash', async () => {
    const said: string[] = [];
    socket.on('response', (packet) => void said.push(JSON.stringify(packet)));
    host({ id: id(1), port: 1234 });
    await until(() => said.some((text) => text.includes(id(1))));
    assert.ok(!said.some((text) => text.includes(cluster) || text.includes(cluster.replaceAll('-', ''))));
  });

  it('are forgotten when nothing is heard of them, or they say good-bye', async () => {
    const asks = host();
    say(1);
    say(2);
    await until(() => ports(asks).length === 2);
    say(1, { ttl: 0 });
    await until(() => ports(asks).join() === '1002');
    aheadMs = 121_000;
    assert.deepEqual(ports(asks), []);
  });

  it('are not more than can be tried, nor of other clusters, nor nonsense', async () => {
    const asks = host();
    say(500, { of: 'nonsense' });
    say(501, { port: 0 });
    socket.respond([{ name: SERVICE, type: 'PTR', data: `lonely.${SERVICE}` }]);
    for (let number = 1; number <= 100; number++) say(number);
    await until(() => ports(asks).length === 64);
    say(1, { port: 999 });
    await until(() => ports(asks).includes(999));
    assert.equal(ports(asks).length, 64);
    assert.ok(!ports(asks).includes(1500));
  });

  it('are the newest of too many', async () => {
    const asks = host();
    for (let number = 1; number <= 64; number++) say(number);
    await until(() => ports(asks).length === 64);
    say(65);
    await until(() => ports(asks).includes(1065));
    assert.equal(ports(asks).length, 64);
  });

  it('are where they say, of whatever address the link is', async () => {
    const asks = host();
    host({ id: id(1), port: 1234, address: '192.0.2.9' });
    await until(() => asks.places().length === 1);
    assert.deepEqual(asks.places(), [{ address: '192.0.2.9', port: 1234 }]);
  });

  it('are believed if what tells of them was sent to the link, and not to this host', async () => {
    const asks = host();
    // It listens when it has found one.
    say(1);
    await until(() => ports(asks).length === 1);
    say(2, { to: HERE });
    say(3);
    await until(() => ports(asks).includes(1003));
    assert.deepEqual(ports(asks), [1001, 1003]);
  });

  it('are looked for in the beginning of a packet only', async () => {
    const asks = host();
    const answers = Array.from({ length: 1000 }, (_, at) => ({
      name: SERVICE,
      type: 'PTR' as const,
      data: `x${at}.${SERVICE}`,
    }));
    const [name, target] = [`${id(7)}.${SERVICE}`, `${id(7)}.local`];
    socket.respond({
      answers: [...answers, { name: SERVICE, type: 'PTR', data: name }],
      additionals: [
        { name, type: 'SRV', data: { port: 1007, target } },
        { name, type: 'TXT', data: [`cluster=${label}`] },
        { name: target, type: 'A', data: '192.0.2.7' },
      ],
    });
    say(8);
    await until(() => ports(asks).includes(1008));
    assert.deepEqual(ports(asks), [1008]);
  });

  it('are looked for as soon as an interface has the address, of which it is said once that none has', () => {
    const clock = new ManualClock();
    const said: object[] = [];
    const noted = { ...log, warn: (what: object) => void said.push(what) };
    const address = '2001:db8::1';
    const one = new Mdns({ cluster, address, self: () => undefined, clock, log: noted });
    all.push(one);
    for (let times = 0; times < 3; times++) {
      assert.equal(clock.nextMs, 5000);
      clock.pass(5000);
    }
    assert.deepEqual(said, [{ address }]);
    one.stop();
    assert.equal(clock.nextMs, undefined);
  });
});
