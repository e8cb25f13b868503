import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Address } from '../../../src/net/address.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import { flattened, matches, type Range, rangeOf, within } from '../../../src/speaker/rules.ts';

/** Prefixes that often lie within each other. */
const prefix = fc
  .tuple(
    fc.constantFrom(0x0a000000n, 0x0a010000n, 0x0a010100n, 0x0a018000n, 0x0b000000n),
    fc.nat(255),
    fc.nat(32),
  )
  .map(([base, low, length]) => Prefix.around(Address.of(4, base + BigInt(low)), length));

const range: fc.Arbitrary<Range> = fc.tuple(prefix, fc.nat(32), fc.nat(32)).map(([block, a, b]) => {
  const [min, max] = [Math.min(a, b), Math.max(a, b)];
  return { prefix: block, min: Math.max(min, block.length), max: Math.max(max, block.length) };
});

/** As GoBGP 3 does: the longest block that holds the prefix decides alone. */
function longestMatch(ranges: readonly Range[], wanted: Prefix): boolean {
  const holding = ranges.filter((one) => one.prefix.contains(wanted));
  const longest = Math.max(...holding.map((one) => one.prefix.length));
  return matches(
    holding.filter((one) => one.prefix.length === longest),
    wanted,
  );
}

describe('speaker/rules', () => {
  it('reads lengths as routers do', () => {
    const of = (rule: Parameters<typeof rangeOf>[0]) => {
      const { min, max } = rangeOf(rule);
      return [min, max];
    };
    assert.deepEqual(of({ prefix: '10.0.0.0/8' }), [8, 8]);
    assert.deepEqual(of({ prefix: '10.0.0.0/8', le: 24 }), [8, 24]);
    assert.deepEqual(of({ prefix: '10.0.0.0/8', ge: 16 }), [16, 32]);
    assert.deepEqual(of({ prefix: 'fd00::/8', ge: 16 }), [16, 128]);
    assert.deepEqual(of({ prefix: '10.0.0.0/8', ge: 16, le: 24 }), [16, 24]);
  });

  it('refuses lengths that make no sense', () => {
    for (const rule of [{ ge: 7 }, { le: 7 }, { ge: 24, le: 16 }, { le: 33 }]) {
      assert.throws(() => rangeOf({ prefix: '10.0.0.0/8', ...rule }), { code: 'NR_PEER_INVALID' });
    }
    assert.throws(() => rangeOf({ prefix: '10.0.0.1/8' }), { code: 'NR_PREFIX_INVALID' });
  });

  it('means the same by longest match when flattened', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 6 }), prefix, (ranges, wanted) => {
        assert.equal(longestMatch(flattened(ranges), wanted), matches(ranges, wanted));
      }),
      { numRuns: 2_000 },
    );
  });

  it('has within the pools what is in both, but no default route', () => {
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 4 }),
        fc.array(prefix, { maxLength: 4 }),
        prefix,
        (ranges, pools, wanted) => {
          const both = matches(ranges, wanted) && pools.some((pool) => pool.contains(wanted));
          assert.equal(matches(within(ranges, pools), wanted), both && wanted.length > 0);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
