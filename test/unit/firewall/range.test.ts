import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AddressRange, merge } from '../../../src/firewall/range.ts';
import { Address } from '../../../src/net/address.ts';

const texts = (ranges: readonly AddressRange[]) => ranges.map(String);
const parsed = (...list: string[]) => list.map((text) => AddressRange.parse(text));
/** Ranges within 10.0.0.0/26, so that they often meet. */
const range = fc.tuple(fc.nat(63), fc.nat(63)).map(([a, b]) => {
  const [low, high] = [Math.min(a, b), Math.max(a, b)].map((n) => Address.of(4, 0x0a000000n + BigInt(n)));
  return AddressRange.between(low!, high!);
});

describe('address range', () => {
  for (const [text, canonical] of [
    ['10.1.0.2', '10.1.0.2'],
    ['10.1.0.2/32', '10.1.0.2'],
    ['10.1.0.0/16', '10.1.0.0/16'],
    ['10.1.0.5-10.1.0.77', '10.1.0.5-10.1.0.77'],
    ['10.1.0.5 - 10.1.0.77', '10.1.0.5-10.1.0.77'],
    ['10.1.0.0-10.1.0.255', '10.1.0.0/24'],
    ['10.1.0.1-10.1.1.0', '10.1.0.1-10.1.1.0'],
    ['10.1.0.5-10.1.0.5', '10.1.0.5'],
    ['0.0.0.0-255.255.255.255', '0.0.0.0/0'],
    ['FD00:0::/8', 'fd00::/8'],
    ['::/0', '::/0'],
    ['fd00::1-fd00::1:0', 'fd00::1-fd00::1:0'],
  ] as const) {
    it(`reads ${text} as ${canonical}`, () => {
      assert.equal(String(AddressRange.parse(text)), canonical);
    });
  }

  for (const text of [
    '',
    '-',
    '10.1.0.2-',
    '-10.1.0.2',
    '10.1.0.9-10.1.0.2',
    '10.1.0.2-fd00::1',
    '10.1.0.1-10.1.0.2-10.1.0.3',
    '10.1.0.1/16',
    '10.1.0.0/33',
    '10.1.0.0/16-10.2.0.0/16',
    '10.1.2',
    'localhost',
    '::ffff:10.1.0.2',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => AddressRange.parse(text), { code: 'NR_PREFIX_INVALID' });
    });
  }

  it('writes what it reads back the same', () => {
    fc.assert(
      fc.property(range, (one) => {
        const again = AddressRange.parse(one.toString());
        assert.deepEqual([again.first, again.last], [one.first, one.last]);
      }),
    );
  });
});

describe('merge', () => {
  it('joins what overlaps, touches or holds the other', () => {
    assert.deepEqual(texts(merge(parsed('10.1.0.0/16', '10.0.0.0/8'))), ['10.0.0.0/8']);
    assert.deepEqual(texts(merge(parsed('10.128.0.0/9', '10.0.0.0/9'))), ['10.0.0.0/8']);
    assert.deepEqual(texts(merge(parsed('10.0.0.9-10.0.0.20', '10.0.0.5-10.0.0.9'))), ['10.0.0.5-10.0.0.20']);
  });

  it('keeps families apart', () => {
    const both = parsed('0.0.0.0/0', '::/96', 'fd00::1');
    assert.deepEqual(texts(merge(both)), ['0.0.0.0/0', '::/96', 'fd00::1']);
  });

  it('holds the same addresses, in order and with gaps between', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
        const merged = merge(ranges);
        for (let n = 0n; n < 64n; n++) {
          const address = Address.of(4, 0x0a000000n + n);
          assert.equal(
            merged.some((one) => one.holds(address)),
            ranges.some((one) => one.holds(address)),
          );
        }
        merged.slice(1).forEach((one, i) => {
          assert.ok(one.first > merged[i]!.last + 1n);
        });
        for (const one of ranges) assert.ok(merged.some((open) => open.covers(one)));
      }),
    );
  });
});
