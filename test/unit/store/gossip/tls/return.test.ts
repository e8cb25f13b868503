import assert from 'node:assert/strict';
import type { TLSSocket } from 'node:tls';
import { Channel } from '../../../../../src/store/gossip/tls/channel.ts';
import { comeBack, type Readmitted } from '../../../../../src/store/gossip/tls/comeback.ts';
import { introduceAsDialer, RefusedError, refusalIn } from '../../../../../src/store/gossip/tls/introduce.ts';
import { RETURNING } from '../../../../../src/store/gossip/tls/protocols.ts';
import { RETURN_PURPOSE, serveReturn, type Unwelcome } from '../../../../../src/store/gossip/tls/readmit.ts';
import { CONTROL, CONTROL_MAX, encodeControl } from '../../../../../src/store/gossip/wire/control.ts';
import { type Authority, createAuthority } from '../../../../../src/store/trust/authority.ts';
import { checkCertificate } from '../../../../../src/store/trust/certified.ts';
import { bindingOf, type Credentials, DistrustError } from '../../../../../src/store/trust/credentials.ts';
import { createIdentity, type Identity, sign, spkiOf } from '../../../../../src/store/trust/identity.ts';
import { CLUSTER, HERE, type Member, until, World } from './world.ts';

const DAY_MS = 24 * 3_600_000;

describe('coming back to a cluster', () => {
  let world: World;
  let authority: Authority;
  let holds: boolean;
  let sponsor: Member;
  let credentials: Credentials;
  let refusals: Map<string, Unwelcome>;
  let noted: Map<string, string>;
  const sponsorIdentity = createIdentity();
  let [old, anew] = [createIdentity(), createIdentity()];

  beforeEach(async () => {
    world = new World();
    [old, anew] = [createIdentity(), createIdentity()];
    authority = await world.authority();
    credentials = await world.certified(old);
    holds = true;
    refusals = new Map();
    noted = new Map();
    sponsor = await world.member(await world.certified(sponsorIdentity), {
      readmit: async (channel, peer) => {
        await serveReturn(channel, peer, {
          authority: () => (holds ? authority : undefined),
          readmissions: {
            refusal: (id) => refusals.get(id),
            note: async (before, id) => {
              if (!noted.has(before)) noted.set(before, id);
              return noted.get(before) === id;
            },
          },
          refused: (id) => world.gone.has(id),
          now: () => world.clock.now(),
        });
      },
    });
  });
  afterEach(() => world.end());

  const ask = (change: Partial<Parameters<typeof comeBack>[0]> = {}): Promise<Readmitted> =>
    comeBack({
      address: HERE,
      port: sponsor.port,
      credentials,
      old,
      anew,
      authority: authority.certificate,
      needs: true,
      clock: world.clock,
      ...change,
    });
  const refused = (reason: string) => (error: unknown) =>
    error instanceof RefusedError && error.reason === reason;

  it('gives a certificate of the new key, by which it is let in, as often as it asks', async () => {
    const { certificate, sponsor: by } = await ask();
    assert.equal(by, sponsor.transport.id);
    const check = {
      authority: authority.certificate,
      cluster: CLUSTER,
      refused: () => false,
      now: world.clock.now(),
    };
    assert.equal(checkCertificate(certificate!, check).id, anew.id);
    assert.deepEqual([...noted], [[old.id, anew.id]]);
    assert.equal(checkCertificate((await ask()).certificate!, check).id, anew.id, 'the answer may be lost');
    const member = await world.member(await world.certified(anew, { certificate: certificate! }));
    assert.equal((await member.transport.dial(HERE, sponsor.port, by)).peer, by);
  });

  it('lets nobody else come back as the same one', async () => {
    await ask();
    await assert.rejects(ask({ anew: createIdentity() }), refused('returned'));
    await until(() => sponsor.transport.refused.of('returned') === 1);
  });

  it('is refused for what the cluster knows of it, and nothing is noted', async () => {
    for (const why of ['member', 'left', 'banned'] as const) {
      refusals.set(old.id, why);
      await assert.rejects(ask(), refused(why));
    }
    refusals.clear();
    world.gone.add(anew.id);
    await assert.rejects(ask(), refused('revoked'));
    assert.equal(noted.size, 0);
  });

  it('needs a host that holds the key; who holds it itself, or needs none, gets the word only', async () => {
    holds = false;
    await assert.rejects(ask(), refused('no-authority'));
    assert.equal(noted.size, 0);
    assert.deepEqual(await ask({ needs: false }), { certificate: undefined, sponsor: sponsor.transport.id });
    refusals.set(old.id, 'banned');
    await assert.rejects(ask({ needs: false }), refused('banned'));
  });

  it('needs a certificate of this cluster that is good now', async () => {
    world.clock.jump(91 * DAY_MS);
    sponsor.transport.use(await world.certified(sponsorIdentity));
    await assert.rejects(ask(), (error) => error instanceof RefusedError || error instanceof DistrustError);
    assert.equal(noted.size, 0);
  });
  it('does not listen to a stranger, nor to one of another authority', async () => {
    const same = await createAuthority(CLUSTER, world.clock.now());
    const foreign = await world.certified(old, { authority: same });
    await assert.rejects(ask({ credentials: foreign }));
    await until(() => sponsor.transport.refused.of('untrusted') >= 1);
    assert.equal(noted.size, 0);
  });

  it('needs both keys on this very connection', async () => {
    const say = async (fields: (channel: Channel) => unknown[]): Promise<string | undefined> => {
      const [dialing] = credentials.dialing();
      const socket: TLSSocket = await world.tls(sponsor.port, { ...dialing, ALPNProtocols: [RETURNING] });
      const channel = new Channel(socket, CONTROL_MAX, world.clock.after);
      await introduceAsDialer(channel, credentials);
      channel.send(encodeControl(CONTROL.again, fields(channel)));
      return refusalIn(await channel.next())?.reason;
    };
    const signed = (by: Identity, channel: Channel, key = anew) =>
      sign(by.privateKey, RETURN_PURPOSE, bindingOf(channel.socket), spkiOf(key.publicKey));
    const [before, after] = [spkiOf(old.publicKey), spkiOf(anew.publicKey)];
    const other = createIdentity();
    let kept: unknown[] = [];
    const honest = (channel: Channel) => [before, after, signed(old, channel), signed(anew, channel), 1];
    for (const fields of [
      (channel: Channel) => [before, after, signed(other, channel), signed(anew, channel), 1],
      (channel: Channel) => [before, after, signed(old, channel), signed(other, channel), 1],
      (channel: Channel) => [before, after, signed(old, channel, other), signed(anew, channel), 1],
      // Another one's key, by that one.
      (channel: Channel) => [
        spkiOf(other.publicKey),
        after,
        signed(other, channel),
        signed(anew, channel),
        0,
      ],
    ])
      assert.equal(await say(fields), 'proof');
    assert.equal(noted.size, 0);
    assert.equal(
      await say((channel) => {
        kept = honest(channel);
        return kept;
      }),
      undefined,
    );
    // What was said on one connection is nothing on another.
    assert.equal(await say(() => kept), 'proof');
  });
});
