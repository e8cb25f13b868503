import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { livenessOf } from '../../../../src/cluster/membership/hosts.ts';
import { encodePacket } from '../../../../src/cluster/probes/packet.ts';
import { HOUR_MS, Machine, until } from '../machine.ts';

/** Real sockets, real time. */
describe('probes', () => {
  let machines: Machine[];
  let sockets: Socket[];
  beforeEach(() => {
    machines = [];
    sockets = [];
  });
  afterEach(async () => {
    for (const socket of sockets) socket.close();
    for (const machine of machines) {
      await machine.stop();
      rmSync(machine.folder, { recursive: true });
    }
  });

  async function cluster(names: readonly string[], address?: string): Promise<Machine[]> {
    for (const name of names) {
      const machine = new Machine(name);
      if (address !== undefined) machine.listen = { address, port: 0 };
      machines.push(await machine.start());
    }
    const [first, ...others] = machines as [Machine, ...Machine[]];
    await first.it.init();
    for (const other of others) await other.it.join(first.place, await first.it.token(HOUR_MS));
    return machines;
  }

  const probesOf = (machine: Machine) => machine.it.node!.probes;
  const verdict = (machine: Machine, other: Machine, id = other.it.id) => probesOf(machine).view(id)?.verdict;
  /** How each machine shows the others. */
  const shown = (machine: Machine) =>
    machine.it
      .hosts()
      .map((host) => `${host.name} ${livenessOf(host, Date.now()).liveness}`)
      .join();
  const areCalm = (all: readonly Machine[]) =>
    all.every((one) => all.every((other) => one === other || verdict(one, other) === 'alive'));
  const codes = (machine: Machine) => machine.it.describe().member!.problems.map(({ code }) => code);

  const blockedOn = (machine: Machine) =>
    machine.it.describe().member!.problems.find(({ code }) => code === 'NR_PROBES_BLOCKED')?.what ?? '';

  async function socketAt(port: number, address = '127.0.0.1'): Promise<Socket> {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
    socket.bind({ port, address, exclusive: true });
    await once(socket, 'listening');
    sockets.push(socket);
    return socket;
  }

  it('find all members, over IPv4', async () => {
    const all = await cluster(['a', 'b', 'c']);
    await until(() => areCalm(all));
    for (const one of all) assert.deepEqual([...probesOf(one).refused.counts.keys()].sort().join(), '');
  });

  it('find all members, over IPv6', async () => {
    const all = await cluster(['a', 'b'], '::1');
    await until(() => areCalm(all));
  });

  it('notice one that is killed, say for how long, and that it is back', async () => {
    const all = await cluster(['a', 'b', 'c']);
    const [a, b, c] = all as [Machine, Machine, Machine];
    await until(() => areCalm(all));
    const { id } = c.it;
    await c.stop();
    await until(() => shown(a) === 'a heard,b heard,c suspect' || shown(a) === 'a heard,b heard,c silent');
    await until(() => [a, b].every((one) => shown(one) === 'a heard,b heard,c silent'));
    assert.ok(codes(a).includes('NR_MEMBER_UNREACHABLE'));
    const said = await new Promise<string>((resolve) =>
      a.it.node!.calls.ask(id, 'claim', {}, 1000, (error) => resolve(error?.what ?? '')),
    );
    assert.match(said, /host c .*; it is silent for \d+ s$/);
    assert.deepEqual(probesOf(a).thereFirst([id, b.it.id]), [b.it.id, id]);
    await c.start();
    await until(() => areCalm(all));
    assert.equal(shown(a), 'a heard,b heard,c heard');
    await until(() => !codes(a).includes('NR_MEMBER_UNREACHABLE'));
  }).timeout(40_000);

  it('do not make a host look dead that UDP does not get through to, and say so', async () => {
    const all = await cluster(['a', 'b']);
    const [a, b] = all as [Machine, Machine];
    await until(() => areCalm(all));
    await b.stop();
    const taken = await socketAt(b.listen.port);
    await b.start();
    await until(() => b.it.node!.listening.trouble === undefined && shown(b) === 'a heard,b heard');
    await until(() => codes(b).includes('NR_PROBES_BLOCKED'));
    assert.match(blockedOn(b), /^cannot listen on UDP port \d+: another program has it$/);
    // Until packets are missed, b was dead for a; whatever came of it over TCP since counts.
    await until(() => shown(a) === 'a heard,b heard');
    let lowest = 'heard';
    const deadline = performance.now() + 25_000;
    while (!codes(a).includes('NR_PROBES_BLOCKED')) {
      if (shown(a) !== 'a heard,b heard') lowest = shown(a);
      assert.ok(performance.now() < deadline, `never said; ${probesOf(a).isBlocked(b.it.id)}`);
      await setTimeout(20);
    }
    assert.equal(lowest, 'heard');
    assert.match(blockedOn(a), /^UDP packets between port \d+ here and b do not arrive$/);
    const logged = () => a.log.filter(({ text }) => text === 'UDP packets of a host do not arrive').length;
    await until(() => logged() > 0);
    const { sent } = probesOf(a).traffic;
    await until(() => probesOf(a).traffic.sent > sent + 4);
    assert.equal(logged(), 1);
    taken.close();
    sockets.pop();
    await until(() => areCalm(all) && codes(a).length === 0 && codes(b).length === 0);
  }).timeout(70_000);

  it('answer nobody who is no member, and count what was refused', async () => {
    const all = await cluster(['a', 'b']);
    const [a, b] = all as [Machine, Machine];
    await until(() => areCalm(all));
    const stranger = await socketAt(0);
    const heard: Buffer[] = [];
    stranger.on('message', (bytes) => void heard.push(bytes));
    const { port } = a.place;
    const incarnation = { start: 1, count: 0 };
    const ping = encodePacket({ kind: 'ping', number: 1, incarnation, statements: [] })!;
    // In the shape of b's, as far as somebody could know who reads the network.
    const forged = Buffer.concat([
      Buffer.from([1, 0, 0, 0, 0]),
      Buffer.from(b.it.id, 'hex'),
      Buffer.alloc(24),
      ping,
    ]);
    const unknown = Buffer.from(forged);
    unknown.fill(0x77, 5, 21);
    for (const bytes of [Buffer.alloc(0), ping, forged, unknown]) stranger.send(bytes, port, '127.0.0.1');
    const { refused } = probesOf(a);
    await until(() => ['malformed', 'start', 'stranger'].every((reason) => refused.of(reason) > 0));
    // Whatever was to be answered was answered by the time that another round is over.
    const { received } = probesOf(a).traffic;
    await until(() => probesOf(a).traffic.received > received + 4);
    assert.deepEqual(heard, []);
    assert.equal(a.it.describe().member!.probes.refused.get('stranger'), 1);
  });

  it('take what was recorded once only', async () => {
    const all = await cluster(['a', 'b']);
    const [a, b] = all as [Machine, Machine];
    await until(() => areCalm(all));
    const { port } = a.place;
    await a.stop();
    const middle = await socketAt(port);
    const [recorded] = (await once(middle, 'message')) as [Buffer];
    middle.close();
    sockets.pop();
    await a.start();
    await until(() => areCalm(all));
    const replay = await socketAt(0);
    const heard: Buffer[] = [];
    replay.on('message', (bytes) => void heard.push(bytes));
    for (let time = 0; time < 3; time++) replay.send(recorded, port, '127.0.0.1');
    await until(() => probesOf(a).refused.of('start') >= 3);
    assert.deepEqual(heard, []);
    assert.equal(verdict(b, a), 'alive');
  }).timeout(40_000);
});
