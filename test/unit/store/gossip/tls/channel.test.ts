import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { Channel, ChannelError } from '../../../../../src/store/gossip/tls/channel.ts';
import { type Frame, join } from '../../../../../src/store/gossip/wire/splitter.ts';
import { ManualClock } from '../../manualclock.ts';
import { until } from './world.ts';

/** What a socket does for a channel, without a network. */
class FakeSocket extends Duplex {
  readonly sent: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.sent.push(chunk);
    done();
  }
}

describe('channel', () => {
  const clock = new ManualClock();
  const make = (limit: number) => {
    const socket = new FakeSocket();
    return { socket, channel: new Channel(socket as unknown as TLSSocket, limit, clock.after) };
  };
  const frame = (type: number, bytes: number) => join(1, type, [Buffer.alloc(bytes)]);

  it('measures a frame by the limit of the time when somebody wants it, also behind another one', async () => {
    const { socket, channel } = make(100);
    socket.push(Buffer.concat([frame(1, 10), frame(2, 1000), frame(3, 10)]));
    assert.equal((await channel.next()).type, 1);
    await new Promise((resolve) => void setImmediate(resolve));
    channel.limit = 2000;
    const types: number[] = [];
    channel.receive(({ type }) => types.push(type));
    assert.deepEqual(types, [2, 3]);
    assert.equal(channel.ended, false);
  });

  it('asks the next handler when the one before has returned', () => {
    const { socket, channel } = make(100);
    socket.push(Buffer.concat([frame(1, 10), frame(2, 10)]));
    const order: string[] = [];
    channel.receive(({ type }) => {
      channel.receive((frame) => order.push(`second ${frame.type}`));
      order.push(`first ${type}`);
    });
    return until(() => order.length === 2).then(() => assert.deepEqual(order, ['first 1', 'second 2']));
  });

  it('hands over what came before a frame that is wrong, and ends with it', async () => {
    const { socket, channel } = make(100);
    const types: number[] = [];
    channel.receive(({ type }: Frame) => types.push(type));
    const end = new Promise((resolve) => channel.onEnd(resolve));
    socket.push(Buffer.concat([frame(1, 10), frame(2, 1000)]));
    assert.equal(await end, 'too-large');
    assert.deepEqual(types, [1]);
  });

  it('reads nothing that nobody wants', async () => {
    const { socket, channel } = make(100);
    for (let type = 1; type < 5; type++) socket.push(frame(type, 10));
    assert.equal((await channel.next()).type, 1);
    assert.equal((await channel.next()).type, 2);
    await new Promise((resolve) => void setImmediate(resolve));
    assert.ok(socket.isPaused() && socket.readableLength > 0);
    assert.equal((await channel.next()).type, 3);
  });

  it('tells who waits that it ended, and why', async () => {
    const { channel } = make(100);
    const waiting = assert.rejects(
      channel.next(),
      (error) => error instanceof ChannelError && error.reason === 'over',
    );
    channel.destroy('over');
    await waiting;
    await assert.rejects(channel.next(), { reason: 'over' });
    channel.send(frame(1, 1));
  });

  it('is destroyed when its end is not taken note of in time', async () => {
    const { socket, channel } = make(100);
    channel.close('done');
    assert.equal(socket.destroyed, false);
    clock.pass(1000);
    await until(() => channel.ended);
    assert.equal(clock.nextMs, undefined);
  });
});
