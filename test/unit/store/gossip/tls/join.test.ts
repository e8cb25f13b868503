import assert from 'node:assert/strict';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { CodedError, type ErrorCode } from '../../../../../src/errors.ts';
import { Channel } from '../../../../../src/store/gossip/tls/channel.ts';
import { refuse } from '../../../../../src/store/gossip/tls/introduce.ts';
import { JOIN_PURPOSE, serveJoin, type Tickets } from '../../../../../src/store/gossip/tls/issuer.ts';
import { type Joined, joinCluster } from '../../../../../src/store/gossip/tls/joiner.ts';
import { JOINING } from '../../../../../src/store/gossip/tls/protocols.ts';
import { CONTROL, encodeControl, readControl } from '../../../../../src/store/gossip/wire/control.ts';
import type { Frame } from '../../../../../src/store/gossip/wire/splitter.ts';
import { type Authority, createAuthority, issue } from '../../../../../src/store/trust/authority.ts';
import { checkCertificate } from '../../../../../src/store/trust/certified.ts';
import { bindingOf } from '../../../../../src/store/trust/credentials.ts';
import { createIdentity, type Identity, sign, spkiOf } from '../../../../../src/store/trust/identity.ts';
import {
  drawToken,
  type JoinToken,
  type Ticket,
  ticketOf,
  tokenKey,
} from '../../../../../src/store/trust/token.ts';
import { CLUSTER, HERE, type Member, OTHER_CLUSTER, until, World } from './world.ts';

const HOUR_MS = 3_600_000;

/** Tickets as the store would keep them. */
class MemoryTickets implements Tickets {
  readonly tickets = new Map<string, Ticket>();
  readonly spent = new Map<string, string>();

  find(id: string): Ticket | undefined {
    return this.tickets.get(id);
  }

  async spend(id: string, node: string): Promise<boolean> {
    if (!this.spent.has(id)) this.spent.set(id, node);
    return this.spent.get(id) === node;
  }

  add(token: JoinToken): JoinToken {
    const ticket = ticketOf(token);
    this.tickets.set(ticket.id, ticket);
    return token;
  }
}

describe('joining a cluster', () => {
  let world: World;
  let authority: Authority;
  let tickets: MemoryTickets;
  let holds: boolean;
  let sponsor: Member;
  const me = createIdentity();

  beforeEach(async () => {
    world = new World();
    authority = await world.authority();
    tickets = new MemoryTickets();
    holds = true;
    sponsor = await world.member(undefined, {
      join: async (channel) => {
        await serveJoin(channel, {
          certificate: authority.certificate,
          authority: () => (holds ? authority : undefined),
          tickets,
          refused: (id) => world.gone.has(id),
          now: () => world.clock.now(),
        });
      },
    });
  });
  afterEach(() => world.end());

  const draw = () => tickets.add(drawToken(authority.certificate, world.clock.now(), HOUR_MS));
  const join = (token: JoinToken, identity: Identity = me, port = sponsor.port): Promise<Joined> =>
    joinCluster({ address: HERE, port, token, identity, clock: world.clock });
  const refused = (code: ErrorCode, what: RegExp) => (error: unknown) =>
    error instanceof CodedError &&
    error.code === code &&
    what.test(error.what) &&
    !error.message.includes('undefined');

  it('gives a certificate by which the new member is let in', async () => {
    const { certificate, authority: theirs, sponsor: by } = await join(draw());
    assert.equal(by, sponsor.transport.id);
    assert.equal(theirs.fingerprint256, authority.certificate.fingerprint256);
    const check = { authority: theirs, cluster: CLUSTER, refused: () => false, now: world.clock.now() };
    assert.equal(checkCertificate(certificate, check).id, me.id);
    const member = await world.member(await world.certified(me, { certificate }));
    assert.equal((await member.transport.dial(HERE, sponsor.port, by)).peer, by);
    assert.deepEqual([...sponsor.transport.refused.counts], []);
    await until(() => sponsor.transport.open.pending === 0);
  });

  it('may be repeated by the same node, whose answer was lost, and by no other', async () => {
    const token = draw();
    const first = await join(token);
    const again = await join(token);
    assert.notEqual(again.certificate.serialNumber, first.certificate.serialNumber);
    await assert.rejects(join(token, createIdentity()), refused('NR_TOKEN_REFUSED', /another host/));
    await until(() => sponsor.transport.refused.of('token-spent') === 1);
  });

  it('needs a token that the cluster knows, in time', async () => {
    await assert.rejects(
      join(drawToken(authority.certificate, world.clock.now(), HOUR_MS)),
      refused('NR_TOKEN_REFUSED', /does not know/),
    );
    const token = draw();
    world.clock.jump(2 * HOUR_MS);
    await assert.rejects(join(token), refused('NR_TOKEN_REFUSED', /expired/));
    assert.equal(tickets.spent.size, 0);
    await until(() => sponsor.transport.refused.of('token-expired') === 1);
    assert.equal(sponsor.transport.refused.of('token-unknown'), 1);
  });

  it('needs a member that holds the key, and a node that was not sent away', async () => {
    const token = draw();
    holds = false;
    await assert.rejects(join(token), {
      message:
        /^NR_JOIN_FAILED: 127\.0\.0\.1 port \d+: that host does not hold the key .*; join by the host that has printed the token, /,
    });
    holds = true;
    world.gone.add(me.id);
    await assert.rejects(join(token), refused('NR_JOIN_FAILED', /revoked/));
    assert.equal(tickets.spent.size, 0);
    world.gone.clear();
    await join(token);
  });

  it('is not offered where nobody serves it', async () => {
    const member = await world.member();
    await assert.rejects(join(draw(), me, member.port), refused('NR_JOIN_FAILED', /./));
  });

  it('tells when nobody is there, or does not answer', async () => {
    const port = await world.listener(() => {});
    const late = assert.rejects(join(draw(), me, port), refused('NR_JOIN_FAILED', /no answer within 10 s/));
    world.clock.pass(10_000);
    await late;
    await world.end();
    await assert.rejects(join(draw(), me, port), refused('NR_JOIN_FAILED', /ECONNREFUSED/));
    assert.equal(world.clock.nextMs, undefined, 'no timer is left');
  });

  it('tells of a name that leads nowhere', async () => {
    const { clock } = world;
    const joining = joinCluster({ address: 'h1.invalid', port: 15800, token: draw(), identity: me, clock });
    await assert.rejects(joining, {
      message:
        /^NR_JOIN_FAILED: h1\.invalid port 15800: .*(ENOTFOUND|EAI_AGAIN).*; give its address, or have /,
    });
  });

  describe('whoever is there', () => {
    /** Somebody who speaks the protocol, with an authority of his choice; answers what he was told after his offer. */
    async function impostor(
      offers: Authority,
      serves = offers,
      answer = (channel: Channel) => refuse(channel, 'token-unknown'),
    ): Promise<{ port: number; heard: Frame[]; left: () => boolean }> {
      const credentials = await world.certified(createIdentity(), { authority: serves });
      const heard: Frame[] = [];
      let left = false;
      const server = createTlsServer(
        { ...credentials.listening(), ALPNProtocols: [JOINING] },
        (socket: TLSSocket) => {
          const channel = new Channel(socket, 4096, world.clock.after);
          channel.onEnd(() => {
            left = true;
          });
          channel.send(encodeControl(CONTROL.offer, [offers.certificate.raw]));
          channel.receive((frame) => {
            heard.push(frame);
            answer(channel);
          });
        },
      );
      const port = await world.listener((socket) => void server.emit('connection', socket));
      return { port, heard, left: () => left };
    }

    it('hears nothing if it is of another cluster', async () => {
      const other = await createAuthority(OTHER_CLUSTER, world.clock.now());
      const { port, heard, left } = await impostor(other);
      await assert.rejects(join(draw(), me, port), refused('NR_JOIN_UNTRUSTED', /another cluster/));
      assert.deepEqual(heard, []);
      await until(left);
    });

    it('hears nothing if it only calls itself the cluster, or shows its certificate without being a member', async () => {
      const same = await createAuthority(CLUSTER, world.clock.now());
      for (const offers of [same, authority]) {
        const { port, heard } = await impostor(offers, same);
        await assert.rejects(join(draw(), me, port), refused('NR_JOIN_UNTRUSTED', /./));
        assert.deepEqual(heard, []);
      }
    });

    it('is not believed when it gives what is of no use', async () => {
      const others = await issue(authority, createIdentity().publicKey, world.clock.now());
      const foreign = await issue(
        await createAuthority(CLUSTER, world.clock.now()),
        me.publicKey,
        world.clock.now(),
      );
      for (const given of [others.raw, foreign.raw, Buffer.from('no certificate')]) {
        const gives = (channel: Channel) => channel.send(encodeControl(CONTROL.grant, [given]));
        const { port } = await impostor(authority, authority, gives);
        await assert.rejects(join(draw(), me, port), refused('NR_JOIN_UNTRUSTED', /./));
      }
    });

    it('does not learn the secret of the token, and cannot use what it hears', async () => {
      // A member that does not hold the key passes on to one that does.
      const token = draw();
      const { port, heard } = await impostor(authority);
      await assert.rejects(join(token, me, port), refused('NR_TOKEN_REFUSED', /./));
      const [ask] = heard;
      assert.ok(ask && !Buffer.from(ask.body).includes(Buffer.from(token.secret)));
      const fields = readControl(ask, CONTROL.ask, (reader) =>
        Array.from({ length: 4 }, () => reader.bytes(64)),
      );
      assert.equal(await answer(() => fields), 'proof');
      assert.equal(tickets.spent.size, 0);
    });
  });

  it('takes proof of the token and of the key, on this connection', async () => {
    const token = draw();
    const ticket = Buffer.from(ticketOf(token).id, 'hex');
    const key = spkiOf(me.publicKey);
    const byToken = (socket: TLSSocket) => sign(tokenKey(token), JOIN_PURPOSE, bindingOf(socket), key);
    const byNode = (socket: TLSSocket) => sign(me.privateKey, JOIN_PURPOSE, bindingOf(socket), key);
    const other = tokenKey(drawToken(authority.certificate, world.clock.now(), HOUR_MS));
    const forged = (socket: TLSSocket) => sign(other, JOIN_PURPOSE, bindingOf(socket), key);
    assert.equal(await answer((socket) => [ticket, key, forged(socket), byNode(socket)]), 'proof');
    assert.equal(await answer((socket) => [ticket, key, byToken(socket), byToken(socket)]), 'proof');
    assert.equal(
      await answer((socket) => [ticket, spkiOf(createIdentity().publicKey), byToken(socket), byNode(socket)]),
      'proof',
    );
    assert.equal(
      await answer((socket) => [ticket, Buffer.alloc(44), byToken(socket), byNode(socket)]),
      'ended',
    );
    assert.equal(await answer((socket) => [ticket, key, byToken(socket)]), 'ended');
    await until(() => sponsor.transport.refused.of('malformed') === 2);
    assert.equal(tickets.spent.size, 0);
    assert.equal(await answer((socket) => [ticket, key, byToken(socket), byNode(socket)]), 'granted');
  });

  /** What the sponsor answers to these fields. */
  async function answer(fields: (socket: TLSSocket) => unknown[]): Promise<string> {
    const socket = await world.tls(sponsor.port, {
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
      ALPNProtocols: [JOINING],
    });
    const channel = new Channel(socket, 4096, world.clock.after);
    await channel.next();
    channel.send(encodeControl(CONTROL.ask, fields(socket)));
    try {
      const frame = await channel.next();
      if (frame.type === CONTROL.grant) return 'granted';
      return readControl(frame, CONTROL.refusal, (reader) => reader.text(32));
    } catch {
      return 'ended';
    }
  }
});
