import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import {
  type Authority,
  authorityOf,
  clusterOf,
  createAuthority,
  issue,
  LIFE_MS,
  uriOf,
} from '../../../../src/store/trust/authority.ts';
import { CertifiedCredentials, checkCertificate } from '../../../../src/store/trust/certified.ts';
import { createIdentity, type Identity } from '../../../../src/store/trust/identity.ts';
import { makeCertificate } from '../../../../src/store/trust/x509.ts';

const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
const OTHER = '0f3b2c1a-0000-4000-8000-1234567890ac';
const NOW = Date.UTC(2027, 0, 1, 12, 30, 30);
const DAY_MS = 24 * 3_600_000;

describe('certificate', () => {
  let authority: Authority;
  let node: Identity;
  before(async () => {
    authority = await createAuthority(CLUSTER, NOW);
    node = createIdentity();
  });

  const check = (certificate: X509Certificate, more: Partial<Parameters<typeof checkCertificate>[1]> = {}) =>
    checkCertificate(certificate, {
      authority: authority.certificate,
      cluster: CLUSTER,
      refused: () => false,
      now: NOW,
      ...more,
    });

  it('names the node, its cluster and its end', async () => {
    const certificate = await issue(authority, node.publicKey, NOW);
    assert.deepEqual(check(certificate), { id: node.id, until: Date.UTC(2027, 3, 1, 12, 30, 30) });
    assert.equal(certificate.subjectAltName, `URI:net-routed://${CLUSTER}/${node.id}`);
    assert.equal(certificate.ca, false);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    assert.ok(certificate.checkIssued(authority.certificate));
    assert.ok(certificate.raw.length < 600, `${certificate.raw.length} bytes`);
    const again = await issue(authority, node.publicKey, NOW);
    assert.notEqual(again.serialNumber, certificate.serialNumber);
    assert.match(again.serialNumber, /^[4-7][0-9A-F]{31}$/);
  });

  it('of the authority has no end, and names the cluster', () => {
    const { certificate } = authority;
    assert.equal(clusterOf(certificate), CLUSTER);
    assert.equal(certificate.ca, true);
    assert.equal(certificate.validToDate.getTime(), Date.UTC(9999, 11, 31, 23, 59, 59));
    assert.equal(authorityOf(certificate, authority.privateKey).cluster, CLUSTER);
    assert.throws(() => authorityOf(certificate, node.privateKey), /not that of the certificate/);
  });

  it('is good from a day before it is made until its end', async () => {
    const certificate = await issue(authority, node.publicKey, NOW);
    check(certificate, { now: NOW - DAY_MS });
    check(certificate, { now: NOW + LIFE_MS });
    assert.throws(() => check(certificate, { now: NOW - DAY_MS - 1000 }), { distrust: 'early' });
    assert.throws(() => check(certificate, { now: NOW + LIFE_MS + 1000 }), { distrust: 'expired' });
  });

  it('may end after 2049, when times are written in another way', async () => {
    const late = Date.UTC(2049, 11, 1);
    const certificate = await issue(authority, node.publicKey, late);
    assert.equal(certificate.validFromDate.getTime(), late - DAY_MS);
    assert.equal(check(certificate, { now: late }).until, late + LIFE_MS);
  });

  it('of another cluster is refused', async () => {
    const other = await createAuthority(OTHER, NOW);
    const foreign = await issue(other, node.publicKey, NOW);
    assert.throws(() => check(foreign), { distrust: 'cluster' });
  });

  it('by an authority that only calls itself the cluster’s is refused', async () => {
    const impostor = await createAuthority(CLUSTER, NOW);
    const forged = await issue(impostor, node.publicKey, NOW);
    assert.throws(() => check(forged), { distrust: 'untrusted' });
  });

  it('that a node has made with its own is refused, also as a cluster’s', async () => {
    const certificate = await issue(authority, node.publicKey, NOW);
    const made = await byHand(node, { uri: uriOf(CLUSTER, node.id) });
    assert.throws(() => check(made), { distrust: 'untrusted' });
    const names = { issuer: `net-routed ${CLUSTER}`, issuerKey: authority.certificate.publicKey };
    const forged = await byHand(node, { ...names, uri: uriOf(CLUSTER, node.id) });
    assert.throws(() => check(forged), { distrust: 'untrusted' }, 'it only looks as if it were signed');
    assert.throws(() => clusterOf(certificate), /not the certificate of a cluster/);
    assert.throws(() => check(authority.certificate), { distrust: 'untrusted' });
    const pretended = await byHand(node, { uri: uriOf(CLUSTER) });
    assert.throws(() => clusterOf(pretended), /not the certificate of a cluster/);
  });

  it('for an id that is not that of its key is refused', async () => {
    const wrong = {
      issuer: `net-routed ${CLUSTER}`,
      signer: authority.privateKey,
      issuerKey: authority.certificate.publicKey,
    };
    for (const uri of [uriOf(CLUSTER, createIdentity().id), uriOf(CLUSTER), `${uriOf(CLUSTER, node.id)}/x`]) {
      const made = await byHand(node, { ...wrong, uri });
      assert.throws(() => check(made), { distrust: 'identity' }, uri);
    }
  });

  it('that may sign others is no node’s', async () => {
    const of = { issuer: `net-routed ${CLUSTER}`, subject: node.id, publicKey: node.publicKey };
    const times = { from: NOW, until: NOW + DAY_MS };
    const rest = {
      issuerKey: authority.certificate.publicKey,
      uri: uriOf(CLUSTER, node.id),
      authority: true,
    };
    const made = await makeCertificate({ ...of, ...times, ...rest }, authority.privateKey);
    assert.throws(() => check(new X509Certificate(made)), { distrust: 'untrusted' });
  });

  it('of a node that is refused is refused', async () => {
    const certificate = await issue(authority, node.publicKey, NOW);
    assert.throws(() => check(certificate, { refused: (id) => id === node.id }), { distrust: 'revoked' });
  });

  it('is for Ed25519 keys', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await assert.rejects(issue(authority, publicKey, NOW), /not Ed25519/);
  });

  it('makes credentials only together with its key and its authority', async () => {
    const now = () => NOW;
    const options = {
      identity: node,
      certificate: await issue(authority, node.publicKey, NOW),
      authority: authority.certificate,
      refused: () => false,
      now,
    };
    assert.equal(new CertifiedCredentials(options).cluster, CLUSTER);
    assert.throws(
      () => new CertifiedCredentials({ ...options, identity: createIdentity() }),
      /not that of the certificate/,
    );
    const other = await createAuthority(OTHER, NOW);
    assert.throws(() => new CertifiedCredentials({ ...options, authority: other.certificate }), {
      distrust: 'cluster',
    });
  });

  async function byHand(
    { publicKey, privateKey, id }: Identity,
    {
      uri,
      issuer = id,
      signer = privateKey,
      issuerKey = publicKey,
    }: { uri: string; issuer?: string; signer?: typeof privateKey; issuerKey?: typeof publicKey },
  ): Promise<X509Certificate> {
    const of = {
      issuer,
      subject: id,
      publicKey,
      issuerKey,
      uri,
      from: NOW,
      until: NOW + DAY_MS,
      authority: false,
    };
    return new X509Certificate(await makeCertificate(of, signer));
  }
});
