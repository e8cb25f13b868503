import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import {
  createIdentity,
  identityOf,
  keyOfSeed,
  parseSpki,
  sign,
  spkiOf,
  verify,
} from '../../../../src/store/trust/identity.ts';

describe('identity', () => {
  const me = createIdentity();

  it('has an id that follows from its public key', () => {
    const spki = me.publicKey.export({ format: 'der', type: 'spki' });
    assert.equal(me.id, createHash('sha256').update(spki).digest().subarray(0, 16).toString('hex'));
    assert.match(me.id, /^[0-9a-f]{32}$/);
    assert.equal(identityOf(me.privateKey).id, me.id);
    assert.notEqual(createIdentity().id, me.id);
  });

  it('is of no other kind of key', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    assert.throws(() => identityOf(privateKey), /not Ed25519/);
    assert.throws(() => parseSpki(publicKey.export({ format: 'der', type: 'spki' })), /not Ed25519/);
  });

  it('has one way to write its public key', () => {
    const spki = spkiOf(me.publicKey);
    assert.ok(parseSpki(spki).equals(me.publicKey));
    assert.throws(() => parseSpki(Buffer.concat([spki, Buffer.of(0)])));
    assert.throws(() => parseSpki(spki.subarray(1)));
  });

  it('comes from a seed', () => {
    // RFC 8032, 7.1, test 1.
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const { publicKey } = identityOf(keyOfSeed(seed));
    const raw = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
    assert.equal(spkiOf(publicKey).subarray(-32).toString('hex'), raw);
  });

  it('signs parts, each for what it is, and for one purpose', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 4 });
    const statement = fc.tuple(fc.constantFrom('a', 'ab', ''), parts);
    fc.assert(
      fc.property(statement, statement, ([purpose, one], [otherPurpose, other]) => {
        const same = JSON.stringify([purpose, one]) === JSON.stringify([otherPurpose, other]);
        const signature = sign(me.privateKey, purpose, ...one);
        assert.equal(verify(me.publicKey, signature, otherPurpose, ...other), same);
      }),
      {
        examples: [
          [
            ['a', [Buffer.from('bc')]],
            ['a', [Buffer.from('b'), Buffer.from('c')]],
          ],
          [
            ['a', []],
            ['a', []],
          ],
        ],
      },
    );
    assert.equal(verify(me.publicKey, Buffer.alloc(3), 'a'), false);
  });
});
