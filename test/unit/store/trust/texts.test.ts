import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CodedError } from '../../../../src/errors.ts';
import { createAuthority } from '../../../../src/store/trust/authority.ts';
import { parseSpki, sign, verify } from '../../../../src/store/trust/identity.ts';
import { drawSecret, parseSecret, presharedKey, secretText } from '../../../../src/store/trust/secret.ts';
import {
  drawToken,
  hashOf,
  parseToken,
  ticketKey,
  ticketOf,
  tokenKey,
  tokenText,
} from '../../../../src/store/trust/token.ts';

const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';
const OTHER = '0f3b2c1a-0000-4000-8000-1234567890ac';
const NOW = Date.UTC(2027, 0, 1, 12, 30, 30);

/** Every text that differs by one slip: a character changed, left out, doubled, or exchanged with the next. */
const slip = fc.record({ kind: fc.nat(3), at: fc.nat(), by: fc.constantFrom(...'AZaz09-_+/=.') });
function slipped(text: string, { kind, at, by }: { kind: number; at: number; by: string }): string {
  const place = at % text.length;
  const [before, one, after] = [text.slice(0, place), text[place]!, text.slice(place + 1)];
  if (kind === 0) return before + by + after;
  if (kind === 1) return before + after;
  if (kind === 2) return before + one + one + after;
  return before + after.slice(0, 1) + one + after.slice(1);
}

describe('join token', () => {
  const authority = createAuthority(CLUSTER, NOW);
  const token = async () => drawToken((await authority).certificate, NOW, 3_600_000);

  it('is one word that can be written down and read again', async () => {
    const drawn = await token();
    const text = tokenText(drawn);
    assert.match(text, /^nrj1_[A-Za-z0-9_-]+$/);
    assert.ok(text.length < 120);
    assert.deepEqual(
      { ...parseToken(text), authority: Buffer.from(parseToken(text).authority) },
      {
        cluster: CLUSTER,
        authority: hashOf((await authority).certificate),
        secret: drawn.secret,
        expires: Date.UTC(2027, 0, 1, 13, 31),
      },
    );
  });

  it('may be wrapped by a terminal', async () => {
    const text = tokenText(await token());
    assert.deepEqual(parseToken(` ${text.slice(0, 40)}\n  ${text.slice(40)}\r\n`), parseToken(text));
  });

  it('is refused with any slip in it', async () => {
    const text = tokenText(await token());
    fc.assert(
      fc.property(slip, (what) => {
        const wrong = slipped(text, what);
        fc.pre(wrong !== text);
        assert.throws(
          () => parseToken(wrong),
          (error) =>
            error instanceof CodedError &&
            error.code === 'NR_TOKEN_INVALID' &&
            !error.message.includes(wrong),
        );
      }),
      { numRuns: 1000 },
    );
    assert.throws(() => parseToken(''), { code: 'NR_TOKEN_INVALID' });
    assert.throws(() => parseToken(secretText(drawSecret(CLUSTER))), { code: 'NR_TOKEN_INVALID' });
  });

  it('is known by a ticket that does not tell its secret', async () => {
    const drawn = await token();
    const ticket = ticketOf(drawn);
    assert.deepEqual(JSON.parse(JSON.stringify(ticket)), ticket);
    assert.match(ticket.id, /^[0-9a-f]{16}$/);
    const signature = sign(tokenKey(parseToken(tokenText(drawn))), 'p');
    assert.ok(verify(ticketKey(ticket), signature, 'p'));
    assert.deepEqual(ticketOf(drawn), ticket, 'always the same');
    assert.notEqual(ticketOf({ ...drawn, cluster: OTHER }).id, ticket.id, 'of this cluster');
    assert.notEqual(ticketOf(await token()).id, ticket.id);
    assert.ok(parseSpki(Buffer.from(ticket.key, 'base64')).type === 'public');
  });
});

describe('cluster secret', () => {
  it('is one word that can be written down and read again', () => {
    const secret = drawSecret(CLUSTER);
    const text = secretText(secret);
    assert.match(text, /^nrs1_[A-Za-z0-9_-]+$/);
    assert.deepEqual(presharedKey(parseSecret(text)), presharedKey(secret));
    assert.equal(parseSecret(text).cluster, CLUSTER);
  });

  it('is refused with any slip in it', () => {
    const text = secretText(drawSecret(CLUSTER));
    fc.assert(
      fc.property(slip, (what) => {
        const wrong = slipped(text, what);
        fc.pre(wrong !== text);
        assert.throws(() => parseSecret(wrong), { code: 'NR_SECRET_INVALID' });
      }),
      { numRuns: 1000 },
    );
  });

  it('makes a key and a name that do not show it, for its cluster only', () => {
    const secret = { cluster: CLUSTER, secret: Buffer.alloc(32, 7) };
    const { identity, key } = presharedKey(secret);
    assert.equal(key.length, 32);
    assert.ok(!key.equals(secret.secret));
    assert.ok(!identity.includes(key.toString('hex').slice(0, 8)));
    const other = presharedKey({ ...secret, cluster: OTHER });
    assert.notEqual(other.identity, identity);
    assert.ok(!other.key.equals(key));
  });
});
