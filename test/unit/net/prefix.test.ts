import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { Address, WIDTH } from '../../../src/net/address.ts';
import { Prefix, splitCidr } from '../../../src/net/prefix.ts';
import { address, nearly } from './arbitrary.ts';

const prefix = address.chain((one) =>
  fc.integer({ min: 0, max: WIDTH[one.family] }).map((n) => Prefix.around(one, n)),
);

/** Two prefixes that have something to do with each other: the second is around an address near the first. */
const pair = fc.tuple(prefix, fc.nat(128), fc.nat(128)).map(([one, bit, length]) => {
  const width = WIDTH[one.family];
  const near = Address.of(one.family, one.address.value ^ (1n << BigInt(bit % width)));
  return [one, Prefix.around(near, length % (width + 1))] as const;
});

const bits = ({ family, value }: Address) => value.toString(2).padStart(WIDTH[family], '0');

describe('prefix', () => {
  it('is the same after it was written and read', () => {
    fc.assert(
      fc.property(prefix, (one) => {
        // The address of a short prefix may be one that we refuse: an IPv4-mapped one.
        fc.pre(Address.tryParse(String(one.address)) !== undefined);
        const again = Prefix.parse(String(one));
        assert.ok(again.equals(one));
        assert.equal(String(again), String(one));
        assert.equal(JSON.stringify(one), `"${one}"`);
      }),
      { numRuns: 1000 },
    );
  });

  it('has its first address, its last, and as many as its size says', () => {
    fc.assert(
      fc.property(prefix, (one) => {
        const width = WIDTH[one.family];
        assert.equal(bits(one.address).slice(one.length), '0'.repeat(width - one.length));
        assert.equal(bits(one.last).slice(one.length), '1'.repeat(width - one.length));
        assert.equal(bits(one.last).slice(0, one.length), bits(one.address).slice(0, one.length));
        assert.equal(one.last.value - one.address.value + 1n, one.size);
        assert.equal(one.isHost, one.size === 1n);
      }),
    );
  });

  it('contains what has its leading bits, and agrees with node:net', () => {
    fc.assert(
      fc.property(pair, address, ([one, two], other) => {
        const list = new BlockList();
        list.addSubnet(String(one.address), one.length, `ipv${one.family}`);
        for (const inner of [two.address, two.last, one.address, one.last, other]) {
          const naive =
            inner.family === one.family && bits(inner).startsWith(bits(one.address).slice(0, one.length));
          assert.equal(one.contains(inner), naive, `${one} ${inner}`);
          // BlockList takes IPv4 as mapped IPv6.
          if (inner.family === one.family)
            assert.equal(list.check(String(inner), `ipv${inner.family}`), naive);
        }
        assert.equal(one.contains(two), one.contains(two.address) && one.contains(two.last));
      }),
      { numRuns: 2000 },
    );
  });

  it('overlaps where they share an address', () => {
    fc.assert(
      fc.property(pair, prefix, ([one, near], far) => {
        for (const two of [near, far]) {
          const apart = one.last.value < two.address.value || two.last.value < one.address.value;
          assert.equal(one.overlaps(two), one.family === two.family && !apart, `${one} ${two}`);
          assert.equal(one.overlaps(two), two.overlaps(one));
          assert.equal(one.equals(two), one.contains(two) && two.contains(one));
        }
        assert.ok(one.equals(Prefix.around(one.last, one.length)));
      }),
      { numRuns: 2000 },
    );
  });

  for (const text of [
    '',
    '/',
    '/24',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/024',
    '10.0.0.0/08',
    '10.0.0.0/00',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0.0/8.0',
    '10.0.0.0/8e0',
    '10.0.0.0/0x8',
    '10.0.0.0/ 8',
    '10.0.0.0/8 ',
    '10.0.0.0 /8',
    ' 10.0.0.0/8',
    '10.0.0.0/8\n',
    '10.0.0.0/8\n11.0.0.0/8',
    '10.0.0.0\n/8',
    '10.0.0.0/8/8',
    '10.0.0.0/8/',
    '10.0.0.0//8',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/٨',
    '10.0.0.0/８',
    '10/8',
    '10.0.0/8',
    '010.0.0.0/8',
    'fd00::/129',
    'fd00::/999',
    'fd00::/1000',
    'fd00::%eth0/64',
    '::ffff:10.0.0.0/104',
    '::ffff:a00:0/104',
    'fd00:/16',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => Prefix.parse(text), { code: 'NR_PREFIX_INVALID' });
      assert.throws(() => splitCidr(text), { code: 'NR_PREFIX_INVALID' });
    });
  }

  it('refuses noise with its own error', () => {
    fc.assert(
      fc.property(nearly, fc.string(), (head, tail) => {
        for (const text of [head, `${head}/${tail}`, `10.0.0.0/${tail}`]) {
          try {
            assert.match(String(Prefix.parse(text)), /^[0-9a-f.:]+\/\d+$/);
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'NR_PREFIX_INVALID', text);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses host bits, names the prefix that was meant, and splitCidr allows them', () => {
    assert.throws(() => Prefix.parse('10.1.2.3/16'), {
      message: /"10\.1\.2\.3\/16" has host bits set .* 10\.1\.0\.0\/16/,
    });
    const { address, length } = splitCidr('10.1.2.3/16');
    assert.equal(`${address} ${length}`, '10.1.2.3 16');
  });

  it('has a length that its family has', () => {
    const one = Address.parse('10.0.0.1');
    for (const length of [-1, 33, 1.5, Number.NaN]) {
      assert.throws(() => Prefix.around(one, length), { code: 'NR_PREFIX_INVALID' }, String(length));
    }
    assert.equal(String(Prefix.around(one, 0)), '0.0.0.0/0');
    assert.equal(String(Prefix.host(one)), '10.0.0.1/32');
    assert.equal(String(Prefix.host(Address.parse('fd00::1'))), 'fd00::1/128');
  });
});
