import assert from 'node:assert/strict';
import { sign as signBytes, X509Certificate } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { type ConnectionOptions, connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { encode } from '../../../../../src/store/gossip/frames.ts';
import type { Message } from '../../../../../src/store/gossip/messages.ts';
import { Channel } from '../../../../../src/store/gossip/tls/channel.ts';
import { GOSSIP } from '../../../../../src/store/gossip/tls/protocols.ts';
import type { Connection } from '../../../../../src/store/gossip/transport.ts';
import { CONTROL, encodeControl, readControl } from '../../../../../src/store/gossip/wire/control.ts';
import type { Reader } from '../../../../../src/store/gossip/wire/reader.ts';
import { join } from '../../../../../src/store/gossip/wire/splitter.ts';
import { createAuthority, issue, uriOf } from '../../../../../src/store/trust/authority.ts';
import type { Credentials, Introduction } from '../../../../../src/store/trust/credentials.ts';
import { createIdentity, type Identity, sign, spkiOf } from '../../../../../src/store/trust/identity.ts';
import { drawSecret } from '../../../../../src/store/trust/secret.ts';
import { makeCertificate } from '../../../../../src/store/trust/x509.ts';
import { CLUSTER, HERE, type Member, OTHER_CLUSTER, until, World } from './world.ts';

const DAY_MS = 24 * 3_600_000;
const say = (what: string): Message => ({ kind: 'goodbye', code: 'test', what });

describe('strangers', () => {
  let world: World;
  /** The one that they come to, and a connection between it and a member, which nothing may harm. */
  let member: Member;
  let standing: Connection;

  async function begin(credentials: Credentials, peer: Credentials, limits = {}): Promise<void> {
    member = await world.member(credentials, { limits });
    const friend = await world.member(peer);
    standing = await friend.transport.dial(HERE, member.port);
    standing.onMessage(() => {});
    standing.send(say('hello'));
    await until(() => member.messages.length === 1);
    member.connections[0]!.send(say('hello'));
  }

  /** That they were refused, how often, for what; and that nobody else has noticed. */
  async function refused(reason: string, times = 1): Promise<void> {
    await until(() => member.transport.refused.of(reason) >= times);
    await unharmed();
    assert.deepEqual([...member.transport.refused.counts], [[reason, times]]);
    assert.equal(member.connections.length, 1);
  }

  async function unharmed(): Promise<void> {
    const before = member.messages.length;
    standing.send(say('still here'));
    await until(() => member.messages.length > before);
    assert.deepEqual(member.messages.at(-1), say('still here'));
  }

  /** What somebody who introduces itself over TLS is told. */
  async function told(options: ConnectionOptions, introduction: Introduction = {}): Promise<string> {
    const channel = await over(options);
    const { key, signature } = introduction;
    channel.send(encodeControl(CONTROL.introduction, key ? [key, signature] : []));
    return reasonIn(channel);
  }

  async function over(options: ConnectionOptions): Promise<Channel> {
    return new Channel(await world.tls(member.port, options), 4096, world.clock.after);
  }

  async function reasonIn(channel: Channel): Promise<string> {
    return readControl(await channel.next(), CONTROL.refusal, (reader) => reader.text(32));
  }

  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  describe('of a cluster with an authority', () => {
    beforeEach(async () => begin(await world.certified(), await world.certified()));

    const anonymous = { minVersion: 'TLSv1.3', rejectUnauthorized: false } as const;
    const showing = (certificate: X509Certificate, { privateKey }: Identity): ConnectionOptions => ({
      ...anonymous,
      cert: certificate.toString(),
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    });
    const me = createIdentity();

    it('have no certificate', async () => {
      assert.equal(await told(anonymous), 'no-certificate');
      await refused('no-certificate');
    });

    it('have one by their own hand', async () => {
      const { id, publicKey, privateKey } = me;
      const authority = (await world.authority()).certificate;
      const issuer = authority.subject.replace('CN=', '');
      for (const [by, issuerKey] of [
        [id, publicKey],
        [issuer, authority.publicKey],
      ] as const) {
        const of = { issuer: by, subject: id, publicKey, issuerKey, uri: uriOf(CLUSTER, id) };
        const times = { from: world.clock.now() - DAY_MS, until: world.clock.now() + DAY_MS };
        const made = new X509Certificate(
          await makeCertificate({ ...of, ...times, authority: false }, privateKey),
        );
        assert.equal(await told(showing(made, me)), 'untrusted');
      }
      await refused('untrusted', 2);
    });

    it('have one that has expired', async () => {
      const made = await issue(await world.authority(), me.publicKey, world.clock.now() - 100 * DAY_MS);
      assert.equal(await told(showing(made, me)), 'expired');
      await refused('expired');
    });

    it('have one that is not good yet', async () => {
      const made = await issue(await world.authority(), me.publicKey, world.clock.now() + 2 * DAY_MS);
      assert.equal(await told(showing(made, me)), 'early');
      await refused('early');
    });

    it('have one of another cluster', async () => {
      const other = await createAuthority(OTHER_CLUSTER, world.clock.now());
      assert.equal(await told(showing(await issue(other, me.publicKey, world.clock.now()), me)), 'cluster');
      await refused('cluster');
    });

    it('have one of an authority with the same name', async () => {
      const impostor = await createAuthority(CLUSTER, world.clock.now());
      assert.equal(
        await told(showing(await issue(impostor, me.publicKey, world.clock.now()), me)),
        'untrusted',
      );
      await refused('untrusted');
    });

    it('have one that was revoked', async () => {
      world.gone.add(me.id);
      const made = await issue(await world.authority(), me.publicKey, world.clock.now());
      assert.equal(await told(showing(made, me)), 'revoked');
      await refused('revoked');
    });

    it('have one with another’s id', async () => {
      const authority = await world.authority();
      const of = { issuer: `net-routed ${CLUSTER}`, subject: me.id, publicKey: me.publicKey };
      const times = { from: world.clock.now(), until: world.clock.now() + DAY_MS };
      const wrong = {
        ...of,
        ...times,
        issuerKey: authority.certificate.publicKey,
        uri: uriOf(CLUSTER, createIdentity().id),
      };
      const made = new X509Certificate(
        await makeCertificate({ ...wrong, authority: false }, authority.privateKey),
      );
      assert.equal(await told(showing(made, me)), 'identity');
      await refused('identity');
    });

    it('have one of the cluster’s for another purpose', async () => {
      const { raw } = await issue(await world.authority(), me.publicKey, world.clock.now());
      // "For clients" becomes "for e-mail", and it is signed anew: after 4 bytes of head, before 7 + 3 + 64 of signature.
      const body = raw.subarray(4, -74);
      const clients = Buffer.from('06082b06010505070302', 'hex');
      body[body.indexOf(clients) + clients.length - 1] = 4;
      signBytes(null, body, (await world.authority()).privateKey).copy(raw, raw.length - 64);
      assert.equal(await told(showing(new X509Certificate(raw), me)), 'untrusted');
      await refused('untrusted');
    });

    it('have a member’s certificate and not its key', async () => {
      const made = await issue(await world.authority(), me.publicKey, world.clock.now());
      assert.throws(
        () => connect({ ...showing(made, createIdentity()), port: member.port }),
        /key values mismatch/i,
      );
    });

    it('know no TLS, an old one, or no protocol of ours', async () => {
      const http = await world.plain(member.port);
      http.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(() => member.transport.refused.of('handshake') === 1);
      (await world.plain(member.port)).destroy();
      await until(() => member.transport.refused.of('handshake') === 2);
      await assert.rejects(
        world.tls(member.port, { ...anonymous, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
      );
      await until(() => member.transport.refused.of('handshake') === 3);
      await assert.rejects(world.tls(member.port, { ...anonymous, ALPNProtocols: ['http/1.1'] }));
      await refused('handshake', 4);
    });

    it('choose no protocol', async () => {
      const socket = await world.tls(member.port, { ...anonymous, ALPNProtocols: [] });
      socket.resume();
      await refused('protocol');
    });

    it('say something else than who they are', async () => {
      const message = await over((await world.certified()).dialing()[0]!);
      message.send(encode(say('hello'), createIdentity().id));
      await until(() => member.transport.refused.of('malformed') === 1);
      const large = await over((await world.certified()).dialing()[0]!);
      large.send(Buffer.of(0x40, 0, 0, 0, 1, 0x41));
      await until(() => member.transport.refused.of('too-large') === 1);
      await unharmed();
    });

    it('send again what they have heard a member send', async () => {
      // Between a member and the one it calls is somebody who notes every byte.
      const heard: Buffer[] = [];
      const port = await world.listener((socket) => {
        const onward = createConnection(member.port, HERE);
        socket.on('data', (chunk: Buffer) => void heard.push(chunk));
        socket.pipe(onward).pipe(socket);
        for (const one of [socket, onward]) one.on('error', () => {});
      });
      const victim = await world.member();
      const connection = await victim.transport.dial(HERE, port, member.transport.id);
      connection.onMessage(() => {});
      connection.send(say('take this'));
      await until(() => member.messages.length === 2);
      connection.close('done');
      await until(() => member.transport.open.known === 1);
      const again = await world.plain(member.port);
      again.write(Buffer.concat(heard));
      await until(() => member.transport.refused.of('handshake') === 1);
      await unharmed();
      assert.equal(
        member.messages.filter((one) => one.kind === 'goodbye' && one.what === 'take this').length,
        1,
      );
    });

    it('cannot go on with a session of before', async () => {
      const credentials = await world.certified();
      const tickets: Buffer[] = [];
      const channel = await world.raw(member.port, credentials);
      channel.socket.on('session', (session: Buffer) => void tickets.push(session));
      await channel.next();
      channel.send(encode(say('hello'), credentials.id));
      await until(() => member.messages.length === 2);
      const [session] = [channel.socket.getSession(), ...tickets].reverse();
      const socket = await world.tls(member.port, {
        ...credentials.dialing()[0],
        ...(session && { session }),
      });
      assert.equal(socket.isSessionReused(), false);
    });

    it('listen where a member is looked for', async () => {
      const caller = await world.member();
      const other = await createAuthority(OTHER_CLUSTER, world.clock.now());
      const old = await issue(await world.authority(), me.publicKey, world.clock.now() - 100 * DAY_MS);
      const cases: [string, Credentials][] = [
        ['cluster', await world.certified(me, { authority: other })],
        ['expired', await world.certified(me, { certificate: old })],
        [
          'untrusted',
          await world.certified(me, { authority: await createAuthority(CLUSTER, world.clock.now()) }),
        ],
      ];
      for (const [reason, credentials] of cases) {
        const impostor = await listens(credentials);
        await assert.rejects(caller.transport.dial(HERE, impostor), { name: 'DialError', reason });
        assert.equal(caller.transport.refused.of(reason), 1);
      }
    });

    /** A port where somebody lets everybody in. */
    function listens(credentials: Credentials): Promise<number> {
      const server = createTlsServer({ ...credentials.listening(), ALPNProtocols: [GOSSIP] }, (socket) => {
        socket.on('error', () => {}).resume();
        socket.write(encodeControl(CONTROL.introduction, []));
      });
      return world.listener((socket) => void server.emit('connection', socket));
    }
  });

  describe('of a cluster with a secret', () => {
    const secret = drawSecret(CLUSTER);
    const me = createIdentity();
    beforeEach(() => begin(world.shared([secret]), world.shared([secret])));

    it('have another secret, or none', async () => {
      const stranger = world.transport(world.shared([drawSecret(CLUSTER)], me));
      await assert.rejects(stranger.dial(HERE, member.port), { reason: 'secret' });
      const certified = await world.member(await world.certified());
      await assert.rejects(certified.transport.dial(HERE, member.port), { reason: 'handshake' });
      await refused('secret', 2);
    });

    it('have the secret with the name of another cluster', async () => {
      const stranger = world.transport(world.shared([{ ...secret, cluster: OTHER_CLUSTER }], me));
      await assert.rejects(stranger.dial(HERE, member.port), { reason: 'secret' });
      await refused('secret');
    });

    it('have the secret and not the key of who they say they are', async () => {
      const victim = createIdentity();
      const options = world.shared([secret]).dialing()[0]!;
      const signature = sign(me.privateKey, 'link as dialer', Buffer.from('what they can think of'));
      assert.equal(await told(options, { key: spkiOf(victim.publicKey), signature }), 'proof');
      assert.equal(await told(options), 'proof');
      assert.equal(await told(options, { key: Buffer.alloc(44), signature }), 'proof');
      await refused('proof', 3);
    });

    it('have the secret, and repeat what a member has said to them or to another', async () => {
      const victim = await world.member(world.shared([secret]));
      // As listener they get the victim's introduction, and pass it on at once.
      const options = world.shared([secret]).dialing()[0]!;
      const server = createTlsServer({ ...world.shared([secret]).listening(), ALPNProtocols: [GOSSIP] });
      const heard = new Promise<Introduction>((resolve, reject) => {
        server.on('secureConnection', (socket: TLSSocket) => {
          const channel = new Channel(socket, 4096, world.clock.after);
          const introduction = (reader: Reader) => ({ key: reader.bytes(64), signature: reader.bytes(64) });
          channel
            .next()
            .then((frame) => resolve(readControl(frame, CONTROL.introduction, introduction)))
            .catch(reject)
            .finally(() => channel.destroy('done'));
        });
      });
      const port = await world.listener((socket) => void server.emit('connection', socket));
      await assert.rejects(victim.transport.dial(HERE, port));
      assert.equal(await told(options, await heard), 'proof');
      // Or they give a listener's introduction back to it, on the same connection.
      const mirror = await over(options);
      const mine = world.shared([secret], me).introduce(mirror.socket, 'dialer');
      mirror.send(encodeControl(CONTROL.introduction, [mine.key, mine.signature]));
      await mirror.next();
      await until(() => member.connections.length === 2);
      const asListener = world.shared([secret], me);
      const channel = await over(options);
      const reflected = asListener.introduce(channel.socket, 'listener');
      channel.send(encodeControl(CONTROL.introduction, [reflected.key, reflected.signature]));
      assert.equal(await reasonIn(channel), 'proof');
      await until(() => member.transport.refused.of('proof') === 2);
      await unharmed();
    });

    it('listen with a certificate where a member is looked for', async () => {
      const authority = await createAuthority(CLUSTER, world.clock.now());
      const credentials = await world.certified(me, { authority });
      const server = createTlsServer(
        { ...credentials.listening(), requestCert: false, ALPNProtocols: [GOSSIP] },
        (socket) => {
          socket.on('error', () => {}).resume();
          const { key, signature } = world.shared([secret], me).introduce(socket, 'listener');
          socket.write(encodeControl(CONTROL.introduction, [key, signature]));
        },
      );
      const port = await world.listener((socket) => void server.emit('connection', socket));
      const caller = world.transport(world.shared([secret]));
      // TLS ends it, before anything is said.
      await assert.rejects(caller.dial(HERE, port), { reason: 'handshake' });
    });

    it('do not come in while the secret is changed, and members do all the time', async () => {
      const [a, b] = [createIdentity(), createIdentity()];
      const next = drawSecret(CLUSTER);
      const one = await world.member(world.shared([secret], a));
      const other = await world.member(world.shared([secret], b));
      const works = async () => {
        for (const [from, to] of [
          [one, other],
          [other, one],
        ] as const) {
          const connection = await from.transport.dial(HERE, to.port, to.transport.id);
          connection.close('done');
          await until(() => from.transport.open.known === 0 && to.transport.open.known === 0);
        }
      };
      for (const [ofOne, ofOther] of [
        [[secret], [secret, next]],
        [
          [secret, next],
          [secret, next],
        ],
        [
          [next, secret],
          [secret, next],
        ],
        [
          [next, secret],
          [next, secret],
        ],
        [[next], [next, secret]],
        [[next], [next]],
        // Somebody was in a hurry: they find out by trying.
        [[next, secret], [secret]],
      ] as const) {
        one.transport.use(world.shared(ofOne, a));
        other.transport.use(world.shared(ofOther, b));
        await works();
      }
      const late = world.transport(world.shared([secret]));
      one.transport.use(world.shared([next], a));
      await assert.rejects(late.dial(HERE, one.port), { reason: 'secret' });
    });
  });

  describe('that want to take up room', () => {
    it('are only so many at once, from one address and from all', async () => {
      await begin(await world.certified(), await world.certified(), { pending: 6, pendingPerAddress: 4 });
      const loris = async (address: string) => {
        const socket = createConnection({ port: member.port, host: HERE, localAddress: address });
        world.cleanUp(() => socket.destroy());
        socket.on('error', () => {}).resume();
        await new Promise<void>((resolve) => void socket.once('connect', resolve));
        return socket;
      };
      const first: Socket[] = [];
      for (let i = 0; i < 4; i++) first.push(await loris('127.0.0.2'));
      await until(() => member.transport.open.pending === 4);
      const fifth = await loris('127.0.0.2');
      await new Promise((resolve) => void fifth.once('close', resolve));
      assert.equal(member.transport.refused.of('crowded'), 1);
      for (const address of ['127.0.0.3', '127.0.0.4']) await loris(address);
      await until(() => member.transport.open.pending === 6);
      const friend = await world.member();
      await assert.rejects(friend.transport.dial(HERE, member.port), { reason: 'handshake' });
      assert.equal(member.transport.refused.of('crowded'), 2);
      await unharmed();
      // They drip, and it does not help them.
      for (const socket of first) socket.write(Buffer.of(0x16, 3, 1));
      await new Promise((resolve) => void setImmediate(resolve));
      world.clock.pass(4999);
      assert.equal(member.transport.refused.of('timeout'), 0);
      for (const socket of first) socket.write(Buffer.of(0));
      world.clock.pass(1);
      await until(() => member.transport.refused.of('timeout') === 6);
      assert.equal(member.transport.open.pending, 0);
      await friend.transport.dial(HERE, member.port);
    });

    it('are let go of when they have spoken TLS and not said who they are', async () => {
      await begin(await world.certified(), await world.certified());
      const channel = await over((await world.certified()).dialing()[0]!);
      channel.send(encodeControl(CONTROL.introduction, []).subarray(0, 5));
      await until(() => member.transport.open.pending === 1);
      world.clock.pass(5000);
      await refused('timeout');
      assert.equal(member.transport.open.pending, 0);
    });
  });

  describe('that are members gone mad', () => {
    beforeEach(async () => begin(await world.certified(), await world.certified()));

    /** A member that is let in and may then say anything. */
    async function mad(): Promise<Channel> {
      const before = member.connections.length;
      const channel = await world.raw(member.port, await world.certified());
      await channel.next();
      await until(() => member.connections.length > before);
      return channel;
    }

    it('announce a frame of a gigabyte', async () => {
      const channel = await mad();
      const memory = process.memoryUsage().arrayBuffers;
      channel.send(Buffer.of(0x40, 0, 0, 0, 1, 4));
      await until(() => member.transport.closed.of('too-large') === 1);
      assert.equal(member.transport.refused.of('too-large'), 1, 'counted with those that never came in');
      assert.ok(process.memoryUsage().arrayBuffers - memory < 16 * 1024 * 1024);
      await unharmed();
    });

    it('send frames of anything', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(12), fc.uint8Array({ maxLength: 100 }), async (type, body) => {
          const { closed: tally, skipped } = member.transport;
          const before = [...tally.counts.values()].reduce((sum, count) => sum + count, 0) + skipped;
          const channel = await mad();
          channel.send(join(1, type, [Buffer.of(0x80), body]));
          const messages = member.messages.length;
          const seen = () =>
            [...tally.counts.values()].reduce((sum, count) => sum + count, 0) + member.transport.skipped >
              before || member.messages.length > messages;
          await until(seen);
          channel.destroy('done');
          await unharmed();
        }),
        { numRuns: 60 },
      );
      const reasons = [...member.transport.closed.counts.keys()];
      assert.ok(member.transport.closed.of('malformed') > 0);
      assert.deepEqual(
        reasons.filter(
          (reason) => !['malformed', 'too-large', 'closed', 'ECONNRESET', 'EPIPE'].includes(reason),
        ),
        [],
      );
    });

    it('send a frame of a later protocol, and types that nobody knows', async () => {
      const channel = await mad();
      channel.send(join(1, 60, [Buffer.from('whatever')]));
      await until(() => member.transport.skipped === 1);
      channel.send(join(2, 4, [Buffer.of(0x80, 0x80)]));
      await until(() => member.transport.closed.of('version') === 1);
      await unharmed();
    });
  });
});
