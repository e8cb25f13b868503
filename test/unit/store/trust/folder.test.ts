import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CodedError } from '../../../../src/errors.ts';
import { createAuthority, issue } from '../../../../src/store/trust/authority.ts';
import { TrustFolder } from '../../../../src/store/trust/folder.ts';
import { createIdentity } from '../../../../src/store/trust/identity.ts';

const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
const NOW = Date.UTC(2027, 0, 1);

describe('folder of keys', () => {
  let base: string;
  let path: string;
  let folder: TrustFolder;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'net-routed-trust-'));
    path = join(base, 'trust');
    folder = new TrustFolder(path);
  });
  afterEach(() => rmSync(base, { recursive: true }));

  const failed = (what: RegExp) => (error: unknown) =>
    error instanceof CodedError && error.code === 'NR_TRUST_FAILED' && what.test(error.message);

  it('keeps the identity that it has drawn', () => {
    const { id } = folder.identity();
    assert.equal(folder.identity().id, id);
    assert.equal(new TrustFolder(path).identity().id, id);
  });

  it('is for its owner only, whatever umask there is, and whoever copied it', () => {
    const umask = process.umask(0);
    try {
      folder.identity();
      folder.keepShared(CLUSTER);
    } finally {
      process.umask(umask);
    }
    assert.equal(statSync(path).mode & 0o777, 0o700);
    for (const name of readdirSync(path)) assert.equal(statSync(join(path, name)).mode & 0o777, 0o600, name);
    chmodSync(join(path, 'node.key'), 0o644);
    folder.identity();
    assert.equal(statSync(join(path, 'node.key')).mode & 0o777, 0o600);
  });

  it('keeps certificates and the authority, or whose secret the host has', async () => {
    assert.deepEqual(
      [folder.membership(), folder.authority(), folder.shared()],
      [undefined, undefined, undefined],
    );
    const authority = await createAuthority(CLUSTER, NOW);
    const certificate = await issue(authority, folder.identity().publicKey, NOW);
    folder.keepMembership({ certificate, authority: authority.certificate });
    assert.equal(folder.authority(), undefined, 'most members do not hold the key');
    assert.equal(folder.membership()?.certificate.serialNumber, certificate.serialNumber);
    assert.equal(folder.membership()?.authority.serialNumber, authority.certificate.serialNumber);
    folder.keepAuthority(authority);
    assert.equal(folder.authority()?.cluster, CLUSTER);
    assert.ok(folder.authority()?.privateKey.equals(authority.privateKey));
    folder.keepShared(CLUSTER);
    assert.equal(folder.shared(), CLUSTER);
  });

  it('keeps what this host is to be until it is so, however often it is begun', async () => {
    const authority = await createAuthority(CLUSTER, NOW);
    const old = folder.identity();
    const certificate = await issue(authority, old.publicKey, NOW);
    folder.keepAuthority(authority);
    folder.keepMembership({ certificate, authority: authority.certificate });
    const identity = createIdentity();
    const joins = {
      certificate: await issue(authority, identity.publicKey, NOW),
      authority: authority.certificate,
      sponsor: { id: old.id, address: '192.0.2.1', port: 15800 },
    };
    folder.keepTurn({ identity, joins });
    assert.equal(folder.identity().id, old.id, 'nothing has changed yet');
    for (let times = 0; times < 2; times++) {
      const turn = new TrustFolder(path).turn()!;
      assert.deepEqual([turn.identity.id, turn.joins?.sponsor], [identity.id, joins.sponsor]);
      folder.take(turn);
      assert.equal(folder.turn(), undefined);
      assert.equal(folder.identity().id, identity.id);
      assert.equal(folder.membership()?.certificate.serialNumber, joins.certificate.serialNumber);
      assert.equal(folder.authority(), undefined, 'the key of the old cluster is gone');
      folder.keepTurn(turn);
    }
    const shared = { cluster: CLUSTER, sponsor: { ...joins.sponsor, founder: old.id } };
    folder.keepTurn({ identity: old, joins: shared });
    assert.deepEqual(folder.turn()!.joins, shared);
    folder.take(folder.turn()!);
    assert.deepEqual(
      [folder.identity().id, folder.membership(), folder.shared()],
      [old.id, undefined, CLUSTER],
    );
    folder.take({ identity: old });
    assert.deepEqual([folder.identity().id, folder.shared()], [old.id, undefined]);
  });

  it('keeps that it was in a cluster with a secret, and where others are, whoever it is then', () => {
    const at = (port: number) => ({ address: '192.0.2.1', port });
    const identity = createIdentity();
    assert.equal(folder.past(CLUSTER), undefined);
    folder.keepShared(CLUSTER);
    assert.equal(folder.past(CLUSTER), undefined, 'it is in it');
    folder.keepTurn({ identity, past: { places: [at(1), at(2)], left: true } });
    folder.take(new TrustFolder(path).turn()!);
    assert.deepEqual(new TrustFolder(path).past(CLUSTER), { places: [at(1), at(2)], left: true });
    folder.take({ identity });
    assert.equal(folder.past(CLUSTER)?.left, true, 'as after a crash');
    // By a turn that says nothing of it, as well.
    folder.keepShared(CLUSTER);
    folder.take({ identity });
    assert.deepEqual(folder.past(CLUSTER), { places: [at(1), at(2)], left: false });
    const many = Array.from({ length: 32 }, (_, index) => at(index + 2));
    folder.keepPast(CLUSTER, { places: many, left: false });
    assert.deepEqual(folder.past(CLUSTER)?.places, many, 'the later ones first');
    assert.equal(folder.past('c3dbf4ad-6f2b-4b15-9d0d-7a0c6d6c5d7b'), undefined);
  });

  it('replaces files as a whole, and is not held up by what a crash has left', () => {
    folder.keepShared(CLUSTER);
    writeFileSync(join(path, 'cluster.id.new'), 'half', { mode: 0o666 });
    assert.equal(folder.shared(), CLUSTER);
    const next = CLUSTER.replace('0f', '1f');
    folder.keepShared(next);
    assert.equal(folder.shared(), next);
    assert.equal(statSync(join(path, 'cluster.id')).mode & 0o777, 0o600);
    assert.ok(!existsSync(join(path, 'cluster.id.new')));
  });

  it('says which file is damaged, and changes nothing', () => {
    folder.identity();
    folder.keepShared(CLUSTER);
    for (const name of readdirSync(path)) writeFileSync(join(path, name), 'damaged\n');
    assert.throws(() => folder.identity(), failed(/node\.key/));
    assert.throws(() => folder.shared(), failed(/cluster\.id.*UUID/));
    assert.equal(readFileSync(join(path, 'node.key'), 'utf8'), 'damaged\n');
    writeFileSync(join(path, 'node.crt'), '');
    writeFileSync(join(path, 'cluster.crt'), '');
    assert.throws(() => folder.membership(), failed(/node\.crt/));
    rmSync(path, { recursive: true });
    writeFileSync(path, '');
    assert.throws(() => folder.identity(), failed(/node\.key/));
  });
});
