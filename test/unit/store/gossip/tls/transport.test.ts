import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createConnection } from 'node:net';
import { createServer } from 'node:tls';
import { encode } from '../../../../../src/store/gossip/frames.ts';
import type { Message } from '../../../../../src/store/gossip/messages.ts';
import { Channel } from '../../../../../src/store/gossip/tls/channel.ts';
import { introduceAsDialer, introduceAsListener } from '../../../../../src/store/gossip/tls/introduce.ts';
import type { Connection } from '../../../../../src/store/gossip/transport.ts';
import { CONTROL_MAX } from '../../../../../src/store/gossip/wire/control.ts';
import { issue } from '../../../../../src/store/trust/authority.ts';
import type { Credentials } from '../../../../../src/store/trust/credentials.ts';
import { createIdentity } from '../../../../../src/store/trust/identity.ts';
import { drawSecret } from '../../../../../src/store/trust/secret.ts';
import { CLUSTER, closed, HERE, type Member, until, World } from './world.ts';

const say = (what: string): Message => ({ kind: 'goodbye', code: 'test', what });

/** Both say something, so that neither takes the other for dumb. */
async function greet(connection: Connection, { connections, messages }: Member): Promise<void> {
  const before = messages.length;
  const answer = new Promise<Message>((resolve) => connection.onMessage(resolve));
  connection.send(say('hello'));
  await until(() => messages.length > before);
  connections.at(-1)!.send(say('hello'));
  await answer;
}

describe('connections between members', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  for (const mode of ['certificates', 'a shared secret'] as const) {
    describe(`by ${mode}`, () => {
      const secret = drawSecret(CLUSTER);
      const credentials = (identity = createIdentity()): Promise<Credentials> =>
        mode === 'certificates'
          ? world.certified(identity)
          : Promise.resolve(world.shared([secret], identity));

      it('prove both ids and carry messages both ways, in order', async () => {
        const a = await world.member(await credentials());
        const b = await world.member(await credentials());
        const there = await a.transport.dial(HERE, b.port, b.transport.id);
        await until(() => b.connections.length === 1);
        const back = b.connections[0]!;
        assert.deepEqual([there.peer, there.dialed], [b.transport.id, true]);
        assert.deepEqual([back.peer, back.dialed], [a.transport.id, false]);
        const received: Message[] = [];
        there.onMessage((message) => received.push(message));
        for (let i = 0; i < 100; i++) {
          there.send(say(`there ${i}`));
          back.send(say(`back ${i}`));
        }
        await until(() => b.messages.length === 100 && received.length === 100);
        assert.deepEqual(
          received.map((one) => one.kind === 'goodbye' && one.what),
          Array.from({ length: 100 }, (_, i) => `back ${i}`),
        );
        assert.deepEqual(b.messages[99], say('there 99'));
        assert.deepEqual(b.transport.open, { known: 1, pending: 0 });
      });

      it('keep what comes before somebody wants it', async () => {
        const a = await world.member(await credentials());
        const b = await world.member(await credentials());
        b.transport.onConnection((connection) => connection.send(say('first')));
        const there = await a.transport.dial(HERE, b.port);
        await new Promise((resolve) => void setImmediate(resolve));
        const [message] = await Promise.all([new Promise<Message>((resolve) => there.onMessage(resolve))]);
        assert.deepEqual(message, say('first'));
      });

      it('carry a message of megabytes, and one that comes with the introduction', async () => {
        const a = await world.member(await credentials());
        const b = await world.member(await credentials());
        const large: Message = {
          kind: 'request',
          id: 1,
          method: 'm',
          body: randomBytes(2_000_000).toString('base64'),
        };
        const small: Message = { ...large, body: randomBytes(20_000).toString('base64') };
        b.transport.onConnection((connection) => {
          for (const message of [small, large, small]) connection.send(message);
        });
        const there = await a.transport.dial(HERE, b.port);
        const received: Message[] = [];
        there.onMessage((message) => received.push(message));
        await until(() => received.length === 3);
        assert.deepEqual(received, [small, large, small]);
      });

      it('are closed with what was sent before, and both hear of it', async () => {
        const a = await world.member(await credentials());
        const b = await world.member(await credentials());
        const there = await a.transport.dial(HERE, b.port);
        await until(() => b.connections.length === 1);
        const ends = Promise.all([closed(there), closed(b.connections[0]!)]);
        for (let i = 0; i < 20; i++) there.send(say('x'.repeat(1000)));
        there.close('done');
        there.send(say('after the end'));
        assert.deepEqual(await ends, ['done', 'closed']);
        assert.equal(b.messages.length, 20);
        assert.deepEqual([a.transport.closed.of('done'), b.transport.closed.of('closed')], [1, 1]);
        assert.deepEqual(b.transport.open, { known: 0, pending: 0 });
        assert.equal(world.clock.nextMs, undefined, 'no timer is left');
      });

      it('are refused for a node that is gone, which is told', async () => {
        const a = await world.member(await credentials());
        const b = await world.member(await credentials());
        world.gone.add(a.transport.id);
        await assert.rejects(a.transport.dial(HERE, b.port), { reason: 'refused', message: /revoked/ });
        await until(() => b.transport.refused.of('revoked') === 1);
        world.gone.clear();
        world.gone.add(b.transport.id);
        await assert.rejects(a.transport.dial(HERE, b.port), { reason: 'revoked' });
        assert.equal(b.connections.filter(({ peer }) => peer !== a.transport.id).length, 0);
      });

      it('are refused when another node answers than was called', async () => {
        const a = await world.member(await credentials());
        const b = await world.member(await credentials());
        await assert.rejects(a.transport.dial(HERE, b.port, a.transport.id), { reason: 'identity' });
        assert.equal(a.transport.refused.of('identity'), 1);
        await until(() => b.connections.length === 1 && b.transport.open.known === 0);
      });

      it('are only so many from one peer', async () => {
        const a = await world.member(await credentials());
        const b = await world.member(await credentials(), { limits: { perPeer: 2 } });
        const first = await a.transport.dial(HERE, b.port);
        await a.transport.dial(HERE, b.port);
        await assert.rejects(a.transport.dial(HERE, b.port), { reason: 'refused', message: /too-many/ });
        await until(() => b.transport.refused.of('too-many') === 1);
        first.close('done');
        await until(() => b.transport.open.known === 1);
        await a.transport.dial(HERE, b.port);
        // What it opens itself does not count.
        for (let i = 0; i < 3; i++) await b.transport.dial(HERE, a.port);
        b.connections[1]!.close('done');
        await until(() => b.transport.open.known === 4);
        await a.transport.dial(HERE, b.port);
      });
    });
  }

  describe('that are being made while a secret is removed', () => {
    const [old, next] = [drawSecret(CLUSTER), drawSecret(CLUSTER)];

    it('are not let in, however late the dialer says who it is', async () => {
      const identity = createIdentity();
      const b = await world.member(world.shared([next, old], identity));
      const dialer = world.shared([old]);
      const socket = await world.tls(b.port, dialer.dialing()[0]!);
      const channel = new Channel(socket, CONTROL_MAX, world.clock.after);
      await until(() => b.transport.open.pending === 1);
      b.transport.use(world.shared([next], identity));
      await assert.rejects(introduceAsDialer(channel, dialer), { reason: 'secret' });
      await until(() => b.transport.refused.of('secret') === 1);
      assert.deepEqual([b.transport.open, b.connections], [{ known: 0, pending: 0 }, []]);
    });

    it('are given up, however late the listener says who it is', async () => {
      const identity = createIdentity();
      const a = await world.member(world.shared([old], identity));
      const listening = world.shared([old]);
      const channels: Channel[] = [];
      const server = createServer(listening.listening(), (socket) => {
        channels.push(new Channel(socket, CONTROL_MAX, world.clock.after));
      });
      server.listen(0, HERE);
      await once(server, 'listening');
      world.cleanUp(() => void server.close());
      const dialled = a.transport.dial(HERE, (server.address() as AddressInfo).port);
      const refused = assert.rejects(dialled, { reason: 'secret' });
      await until(() => channels.length === 1);
      world.cleanUp(() => channels[0]!.destroy('over'));
      a.transport.use(world.shared([next], identity));
      await introduceAsListener(channels[0]!, listening, () => undefined);
      await refused;
      assert.equal(a.transport.open.known, 0);
    });
  });

  it('are only so many from all peers', async () => {
    const b = await world.member(undefined, { limits: { connections: 1 } });
    await (await world.member()).transport.dial(HERE, b.port);
    await assert.rejects((await world.member()).transport.dial(HERE, b.port), { message: /full/ });
  });

  it('say why they could not be made', async () => {
    const a = await world.member();
    const port = await world.listener((socket) => socket.destroy());
    await assert.rejects(a.transport.dial(HERE, port), { name: 'DialError', reason: 'handshake' });
    const free = await world.listener(() => {});
    await world.end();
    const again = (await world.member()).transport;
    await assert.rejects(again.dial(HERE, free), {
      reason: 'unreachable',
      message: new RegExp(`port ${free}`),
    });
    await assert.rejects(again.dial('host.invalid', 1), { reason: 'unreachable' });
  });

  it('are given up when the other side does not answer in time', async () => {
    const { transport } = await world.member();
    const accepted: Socket[] = [];
    const port = await world.listener((socket) => accepted.push(socket));
    const dialed = assert.rejects(transport.dial(HERE, port), { reason: 'timeout' });
    await until(() => accepted.length === 1);
    world.clock.pass(5000);
    await dialed;
    assert.equal(transport.refused.of('timeout'), 1);
    assert.equal(world.clock.nextMs, undefined, 'no timer is left');
  });

  it('show how much is still to be sent, and end when it is too much', async () => {
    const b = await world.member();
    const a = await world.member(undefined, { limits: { bufferMax: 8 * 1024 * 1024 } });
    const raw = await a.transport.dial(HERE, b.port);
    await until(() => b.connections.length === 1);
    // One that does not read: a connection nobody wants messages of.
    b.transport.onConnection(() => {});
    const stuck = await a.transport.dial(HERE, b.port);
    const end = closed(stuck);
    const incompressible = () => say(randomBytes(700).toString('base64'));
    assert.equal(stuck.buffered, 0);
    let most = 0;
    for (let i = 0; stuck.buffered <= 8 * 1024 * 1024 && i < 100_000; i++) {
      stuck.send({ kind: 'request', id: i, method: 'm', body: randomBytes(60_000).toString('base64') });
      most = Math.max(most, stuck.buffered);
      if (i % 10 === 0) await new Promise((resolve) => void setImmediate(resolve));
    }
    assert.equal(await end, 'overrun');
    assert.ok(most > 4 * 1024 * 1024);
    raw.send(incompressible());
    await until(() => raw.buffered === 0 && b.messages.length === 1);
  });

  it('end with the certificate they were made with, and are made anew with the next one', async () => {
    const [one, other] = [createIdentity(), createIdentity()];
    const short = async (identity: typeof one) => {
      const certificate = await issue(await world.authority(), identity.publicKey, world.clock.now(), 60_000);
      return world.certified(identity, { certificate });
    };
    const a = await world.member(await short(one));
    const b = await world.member(await short(other));
    const old = await a.transport.dial(HERE, b.port);
    await greet(old, b);
    world.clock.jump(61_000);
    await assert.rejects(a.transport.dial(HERE, b.port), { reason: 'refused', message: /expired/ });
    a.transport.use(await world.certified(one));
    await assert.rejects(a.transport.dial(HERE, b.port), { reason: 'expired' });
    b.transport.use(await world.certified(other));
    const next = await a.transport.dial(HERE, b.port);
    await greet(next, b);
    const ends = Promise.all([closed(old), closed(b.connections[0]!)]);
    world.clock.pass(10_000);
    assert.deepEqual((await ends).includes('expired'), true);
    assert.deepEqual(a.transport.open, { known: 1, pending: 0 });
    const stranger = await world.certified();
    assert.throws(() => a.transport.use(stranger), /another node/);
  });

  it('are kept alive while nobody says anything, without anybody noticing', async () => {
    const a = await world.member();
    const b = await world.member();
    const passed = [0, 0];
    const port = await world.listener((socket) => {
      const onward = createConnection(b.port, HERE);
      for (const [at, [from, to]] of [
        [socket, onward],
        [onward, socket],
      ].entries()) {
        from!
          .on('error', () => {})
          .on('data', (chunk: Buffer) => {
            passed[at]! += chunk.length;
          });
        from!.pipe(to!);
      }
    });
    const there = await a.transport.dial(HERE, port);
    await greet(there, b);
    world.clock.pass(10_000); // until now there was traffic
    for (let i = 0; i < 10; i++) {
      const before = [...passed];
      world.clock.pass(10_000);
      await until(() => passed[0]! > before[0]! && passed[1]! > before[1]!);
    }
    assert.deepEqual([a.transport.open.known, b.transport.open.known], [1, 1]);
    assert.deepEqual([there.buffered, b.messages.length, b.transport.skipped], [0, 1, 0]);
  });

  it('end when the other side is silent for three times', async () => {
    const b = await world.member();
    const credentials = await world.certified();
    const raw = await world.raw(b.port, credentials);
    raw.send(encode(say('hello'), credentials.id));
    await until(() => b.messages.length === 1);
    for (let i = 0; i < 3; i++) world.clock.pass(10_000);
    assert.equal(b.transport.open.known, 1);
    world.clock.pass(10_000);
    await until(() => b.transport.closed.of('silent') === 1);
  });

  it('end when nothing is said on them at first', async () => {
    const b = await world.member();
    const raw = await world.raw(b.port, await world.certified());
    await until(() => b.connections.length === 1);
    const end = new Promise((resolve) => raw.onEnd(resolve));
    raw.receive(() => {});
    world.clock.pass(5000);
    await end;
    await until(() => b.transport.closed.of('speechless') === 1);
  });

  it('end, and nothing else, when a message brings its reader down', async () => {
    const b = await world.member();
    const a = await world.member();
    const there = await a.transport.dial(HERE, b.port);
    there.onMessage(() => {});
    await until(() => b.connections.length === 1);
    const other = await (await world.member()).transport.dial(HERE, b.port);
    b.connections[0]!.onMessage(() => {
      throw new Error('poisoned');
    });
    const end = closed(there);
    there.send(say('poison'));
    await end;
    await until(() => b.transport.closed.of('unhandled') === 1);
    assert.match(JSON.stringify(b.logged.map((one) => String((one as { err?: unknown }).err))), /poisoned/);
    other.send(say('well'));
    await until(() => b.messages.length === 1);
  });

  it('are not opened to a listener that was closed; those that there are stay', async () => {
    const a = await world.member();
    const transport = world.transport(await world.certified());
    const messages: Message[] = [];
    transport.onConnection((connection) => connection.onMessage((message) => messages.push(message)));
    const listener = await transport.listen(HERE, 0);
    const there = await a.transport.dial(HERE, listener.port);
    await listener.close();
    await assert.rejects(a.transport.dial(HERE, listener.port), { reason: 'unreachable' });
    there.send(say('still'));
    await until(() => messages.length === 1);
    await assert.rejects(transport.listen(HERE, a.port), { code: 'EADDRINUSE' });
  });

  it('that are not known yet are ended with the transport', async () => {
    const b = await world.member();
    const stranger = await world.plain(b.port);
    await until(() => b.transport.open.pending === 1);
    const end = new Promise((resolve) => void stranger.once('close', resolve));
    await b.transport.close();
    await end;
    await until(() => b.transport.refused.of('stopped') === 1);
    assert.deepEqual([b.transport.open.pending, world.clock.nextMs], [0, undefined]);
  });

  it('are ended by both with the transport', async () => {
    const a = await world.member();
    const b = await world.member();
    const there = await a.transport.dial(HERE, b.port);
    there.onMessage(() => {});
    await until(() => b.connections.length === 1);
    const end = closed(there);
    await b.transport.close();
    await end;
    await assert.rejects(a.transport.dial(HERE, b.port), { reason: 'unreachable' });
    assert.deepEqual(b.transport.open, { known: 0, pending: 0 });
  });
});
