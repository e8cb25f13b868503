import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { IPv4 } from 'ip-num';
import { Address, quote, WIDTH } from '../../../src/net/address.ts';
import { address, family, nearly } from './arbitrary.ts';

describe('address', () => {
  it('is the same after it was written and read', () => {
    fc.assert(
      fc.property(address, (one) => {
        const again = Address.parse(one.toString());
        assert.equal(again.value, one.value);
        assert.equal(again.family, one.family);
        assert.ok(again.equals(one));
        assert.equal(JSON.stringify(one), `"${one}"`);
      }),
      { numRuns: 2000 },
    );
  });

  it('writes IPv6 as the URL standard does, and IPv4 in decimals', () => {
    fc.assert(
      fc.property(address, (one) => {
        if (one.family === 6) assert.equal(`[${one}]`, new URL(`http://[${one}]`).hostname);
        else assert.equal(String(one), new URL(`http://${one.value}`).hostname);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads every spelling of IPv6', () => {
    const group = fc.constantFrom('0', '00', '0000', '1', '0a', 'Ff', 'abcd', 'ABCD', '8000');
    const spelling = fc.tuple(fc.array(group, { minLength: 8, maxLength: 8 }), fc.nat(8), fc.nat(8));
    fc.assert(
      fc.property(spelling, ([groups, a, b]) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const text =
          from === to
            ? groups.join(':')
            : `${groups.slice(0, from).join(':')}::${groups.slice(to).join(':')}`;
        assert.ok(isIPv6(text), text);
        const hostname = new URL(`http://[${text}]`).hostname;
        const parsed = Address.tryParse(text);
        if (/^\[::ffff:[0-9a-f]+:[0-9a-f]+\]$/.test(hostname)) assert.equal(parsed, undefined, text);
        else assert.equal(`[${parsed}]`, hostname, text);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes nothing that node:net does not', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          nearly,
          fc.string(),
          address.map((one) => `${one}x`),
        ),
        (text) => {
          const parsed = Address.tryParse(text);
          if (parsed) assert.ok(parsed.family === 4 ? isIPv4(text) : isIPv6(text), text);
          // The other way around: what we refuse on purpose is zones, dotted tails and mapped addresses.
          const plain = isIPv4(text) || (isIPv6(text) && !/[%.]/.test(text));
          if (plain && !parsed) assert.match(new URL(`http://[${text}]`).hostname, /^\[::ffff:/);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('reads of dotted texts what ip-num reads, to the same value', () => {
    const number = fc.oneof(
      fc.nat(300).map(String),
      fc.constantFrom('', '0', '00', '01', '007', '255', '256', '1000', '4294967296'),
    );
    const text = fc.oneof(
      fc.array(fc.nat(260), { minLength: 4, maxLength: 4 }).map((parts) => parts.join('.')),
      fc.array(number, { maxLength: 6 }).map((parts) => parts.join('.')),
      fc.string({ unit: fc.constantFrom(...'0123456789.') }),
    );
    let taken = 0;
    fc.assert(
      fc.property(text, (one) => {
        let expected: bigint | undefined;
        try {
          expected = new IPv4(one).getValue();
        } catch {
          // refused by it
        }
        const address = Address.tryParse(one);
        assert.equal(address?.value, expected, one);
        if (address) assert.equal(String(address), one);
        if (address) taken++;
      }),
      { numRuns: 5000 },
    );
    assert.ok(taken > 500, `${taken} of them are addresses`);
  });

  for (const text of [
    '',
    ' ',
    '1',
    '1.2',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '1.2.3.256',
    '1.2.3.999',
    '1.2.3.1000',
    '1.2.3.04',
    '01.2.3.4',
    '1.2.3.00',
    '0x1.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '\n1.2.3.4',
    '1.2.3.4\n5.6.7.8',
    '1.2.3.4\u0000',
    '1.2.3.4/32',
    '1.2.3.4:80',
    '+1.2.3.4',
    '1.2.3.-4',
    '1.2.3.4e0',
    '١.٢.٣.٤',
    '1。2。3。4',
    '１.2.3.4',
    '16909060',
    '0x01020304',
    ':',
    ':::',
    '1',
    '1:2',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1::2::3',
    '1:::2',
    ':1::2',
    '1::2:',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    '::00001',
    '::g',
    '::-1',
    '::+1',
    '::1 ',
    ' ::1',
    '::1\n',
    '::1%eth0',
    'fe80::1%1',
    '::1/128',
    '[::1]',
    '::1.2.3.4',
    '::ffff:1.2.3.4',
    '::FFFF:1.2.3.4',
    '::ffff:0102:0304',
    '0:0:0:0:0:ffff:0102:0304',
    '0000::ffff:102:304',
    '::ffff:0:0',
    '64:ff9b::1.2.3.4',
    '::１',
    '::ﬀ',
    'ſ::',
    'localhost',
    'null',
    'undefined',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.equal(Address.tryParse(text), undefined);
      assert.throws(() => Address.parse(text), { code: 'NR_ADDRESS_INVALID' });
    });
  }

  it('is of a value that fits', () => {
    fc.assert(
      fc.property(family, fc.bigInt({ min: -5n, max: 5n }), (family, delta) => {
        const end = 1n << BigInt(WIDTH[family]);
        for (const value of [delta, end + delta]) {
          if (value >= 0n && value < end) assert.equal(Address.of(family, value).value, value);
          else assert.throws(() => Address.of(family, value), { code: 'NR_ADDRESS_INVALID' });
        }
      }),
    );
  });

  it('equals only one of its family', () => {
    assert.ok(!Address.parse('0.0.0.1').equals(Address.parse('::1')));
    assert.ok(!Address.parse('::2').equals(Address.parse('::1')));
    assert.ok(Address.parse('0:0::1').equals(Address.parse('::1')));
  });
});

describe('quote', () => {
  it('makes one short printable line of anything', () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const odd = [undefined, null, 10n, Symbol('x'), () => 1, circle, [10n], Number.NaN, Object.create(null)];
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string({ unit: 'binary' }), fc.constantFrom(...odd)), (text) => {
        const quoted = quote(text);
        assert.match(quoted, /^"[^\p{C}\p{Zl}\p{Zp}]*"$/u);
        assert.ok(quoted.length <= 6 * 66);
      }),
      { numRuns: 300 },
    );
    assert.equal(quote('a\nb'), '"a\\nb"');
    assert.equal(quote('\u009b31m \u202e \u2028'), '"\\u009b31m \\u202e \\u2028"');
    assert.equal(quote('x'.repeat(100)), `"${'x'.repeat(64)}…"`);
    assert.equal(quote({ a: 1 }), '"{\\"a\\":1}"');
  });
});
