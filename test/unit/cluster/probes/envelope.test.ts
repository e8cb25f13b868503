import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ENVELOPE_BYTES, Envelopes } from '../../../../src/cluster/probes/envelope.ts';

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];
const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
const PLAIN = Buffer.from('are you there?');

describe('envelopes', () => {
  let keys: Map<string, string>;
  const host = (id: string, cluster = CLUSTER) => {
    const made = new Envelopes(cluster, id, (member) => keys.get(member));
    keys.set(id, made.published);
    return made;
  };
  beforeEach(() => {
    keys = new Map();
  });

  it('are read by whom they are for', () => {
    const [a, b] = [host(A), host(B)];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1100 }), (plain) => {
        const bytes = a.seal(B, Buffer.from(plain))!;
        assert.equal(bytes.length, plain.length + ENVELOPE_BYTES);
        assert.deepEqual(b.open(bytes), { from: A, plain: Buffer.from(plain) });
      }),
    );
    assert.deepEqual(a.open(b.seal(A, PLAIN)!), { from: B, plain: PLAIN });
  });

  it('are good for once, and by nobody else', () => {
    const [a, b, c] = [host(A), host(B), host(C)];
    const bytes = a.seal(B, PLAIN)!;
    assert.equal(c.open(bytes), 'start', 'another pair');
    assert.equal(a.open(bytes), 'stranger', 'reflected');
    assert.notEqual(b.open(bytes), 'replayed');
    assert.equal(b.open(bytes), 'replayed');
  });

  it('are nothing with any bit changed', () => {
    const [a, b] = [host(A), host(B)];
    const bytes = a.seal(B, PLAIN)!;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(typeof b.open(changed), 'string', `bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++)
      assert.equal(typeof b.open(bytes.subarray(0, length)), 'string');
    assert.deepEqual(b.open(bytes), { from: A, plain: PLAIN }, 'what is forged uses nothing up');
  });

  it('of nobody that is known are refused, whatever they are', () => {
    const b = host(B);
    const stranger = new Envelopes(CLUSTER, A, (member) => keys.get(member));
    assert.equal(b.open(stranger.seal(B, PLAIN)!), 'stranger');
    assert.equal(b.seal(A, PLAIN), undefined);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1300 }), (bytes) => {
        assert.ok(['malformed', 'stranger'].includes(b.open(Buffer.from(bytes)) as string));
      }),
    );
  });

  it('of another cluster are not read, with the same ids and keys', () => {
    const [a, b] = [host(A), host(B, 'another')];
    assert.equal(b.open(a.seal(B, PLAIN)!), 'start');
  });

  it('of an earlier start of either host are worth nothing', () => {
    const [a, b] = [host(A), host(B)];
    const early = a.seal(B, PLAIN)!;
    const newer = host(B);
    assert.equal(newer.open(early), 'start', 'the reader has started anew');
    const again = host(A);
    assert.equal(b.open(again.seal(B, PLAIN)!), 'start', 'for its start after this one');
    assert.equal(newer.open(a.seal(B, PLAIN)!), 'start', 'the writer has started anew');
    assert.deepEqual(newer.open(again.seal(B, PLAIN)!), { from: A, plain: PLAIN });
  });

  it('never have the same number twice, to whomever they go', () => {
    const [a] = [host(A), host(B), host(C)];
    const numbers = Array.from({ length: 100 }, (_, at) =>
      a.seal(at % 2 ? B : C, PLAIN)!.toString('hex', 21, 29),
    );
    // Also when a member has gone and come back meanwhile.
    a.keep(new Set());
    numbers.push(a.seal(B, PLAIN)!.toString('hex', 21, 29));
    assert.equal(new Set(numbers).size, 101);
  });

  it('are not made with a key that gives everybody the same secret', () => {
    const a = host(A);
    for (const key of [Buffer.alloc(32), Buffer.from([1, ...Array(31).fill(0)])]) {
      keys.set(B, key.toString('base64url'));
      assert.equal(a.seal(B, PLAIN), undefined);
    }
    keys.set(B, 'nonsense');
    assert.equal(a.seal(B, PLAIN), undefined);
  });
});
