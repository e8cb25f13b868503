import assert from 'node:assert/strict';
import { createSocket, Socket } from 'node:dgram';
import { once } from 'node:events';
import { systemClock } from '../../../../src/clock.ts';
import { ProbeSocket } from '../../../../src/cluster/probes/socket.ts';
import type { Place } from '../../../../src/net/place.ts';
import { until } from '../machine.ts';

const quiet = () => {};

describe('the socket of probes', () => {
  const { bind } = Socket.prototype;
  let raw: Socket | undefined;
  let socket: ProbeSocket;
  let received: Place[];

  beforeEach(async () => {
    received = [];
    Socket.prototype.bind = function (this: Socket, ...args: unknown[]) {
      raw = this;
      return (bind as (...all: unknown[]) => Socket).apply(this, args);
    } as never;
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const receive = (_: Buffer, from: Place) => void received.push(from);
    socket = new ProbeSocket({ address: '127.0.0.1', port: 0 }, { clock: systemClock, log, receive });
    await socket.start();
    Socket.prototype.bind = bind;
  });
  afterEach(() => socket.stop());

  it('bears all places that a member may invent, and looks no names up', async () => {
    const other = createSocket('udp4').bind(0, '127.0.0.1');
    await once(other, 'listening');
    const came = once(other, 'message');
    const { port } = other.address();
    for (const bad of [70_000, 0, -1, 1e300, 0.5, Number.NaN, 'x' as never])
      socket.send(Buffer.from('x'), { address: '127.0.0.1', port: bad });
    assert.ok(socket.failures > 0);
    const looks = Socket.prototype.send;
    const sent: string[] = [];
    Socket.prototype.send = function (this: Socket, ...args: unknown[]) {
      sent.push(String(args[2]));
      return (looks as (...all: unknown[]) => void).apply(this, args);
    } as never;
    try {
      for (const address of ['localhost', 'example.org', '', '\u0000', '127.1', '::1', '127.0.0.1'])
        socket.send(Buffer.from('y'), { address, port });
    } finally {
      Socket.prototype.send = looks;
    }
    assert.deepEqual(sent, ['127.0.0.1']);
    const [bytes] = await came;
    assert.equal(String(bytes), 'y');
    other.close();
  });

  it('takes nothing that nobody can answer', async () => {
    for (const port of [0, 1]) raw!.emit('message', Buffer.from('x'), { address: '127.0.0.1', port });
    await until(() => received.length > 0);
    assert.deepEqual(received, [{ address: '127.0.0.1', port: 1 }]);
  });
});
