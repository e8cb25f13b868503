import assert from 'node:assert/strict';
import { type Authority, createAuthority, issue } from '../../../../src/store/trust/authority.ts';
import { createIdentity } from '../../../../src/store/trust/identity.ts';
import {
  answerRenewal,
  askRenewal,
  handOver,
  readRenewal,
  takeOver,
} from '../../../../src/store/trust/requests.ts';

const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
const NOW = Date.UTC(2027, 0, 1);

describe('requests about certificates', () => {
  let authority: Authority;
  const me = createIdentity();
  const other = createIdentity();
  before(async () => {
    authority = await createAuthority(CLUSTER, NOW);
  });
  /** As it comes over the wire. */
  const sent = (body: unknown) => JSON.parse(JSON.stringify(body)) as unknown;

  it('renew the certificate of the member that asks', async () => {
    const later = NOW + 60 * 86_400_000;
    const answer = await answerRenewal(authority, me.id, sent(askRenewal(me)), later);
    const certificate = readRenewal(sent(answer), me, authority.certificate, later);
    assert.equal(certificate.validToDate.getTime(), later + 90 * 86_400_000);
    assert.ok(certificate.checkPrivateKey(me.privateKey));
  });

  it('give nobody another’s certificate, nor anything for nonsense', async () => {
    await assert.rejects(answerRenewal(authority, me.id, sent(askRenewal(other)), NOW), {
      distrust: 'identity',
    });
    for (const body of [undefined, {}, { key: 1 }, { key: 'AAAA' }, { key: 'x'.repeat(1000) }])
      await assert.rejects(answerRenewal(authority, me.id, body, NOW));
    assert.throws(() => readRenewal(sent({ certificate: 'AAAA' }), me, authority.certificate, NOW));
    const theirs = { certificate: (await issue(authority, other.publicKey, NOW)).raw.toString('base64') };
    assert.throws(() => readRenewal(theirs, me, authority.certificate, NOW), { distrust: 'identity' });
    const foreign = await issue(await createAuthority(CLUSTER, NOW), me.publicKey, NOW);
    const untrusted = { certificate: foreign.raw.toString('base64') };
    assert.throws(() => readRenewal(untrusted, me, authority.certificate, NOW), { distrust: 'untrusted' });
  });

  it('hand over the key of the cluster, and of no other', async () => {
    const holder = takeOver(sent(handOver(authority)), authority.certificate);
    const certificate = await issue(holder, me.publicKey, NOW);
    assert.ok(certificate.verify(authority.certificate.publicKey));
    const same = await createAuthority(CLUSTER, NOW);
    assert.throws(() => takeOver(sent(handOver(same)), authority.certificate), { distrust: 'cluster' });
    const mixed = { ...handOver(authority), key: handOver(same).key };
    assert.throws(() => takeOver(sent(mixed), authority.certificate), /not that of the certificate/);
    assert.throws(() => takeOver({}, authority.certificate));
  });
});
