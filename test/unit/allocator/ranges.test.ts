import assert from 'node:assert/strict';
import fc from 'fast-check';
import { intersect, Ranges } from '../../../src/allocator/ranges.ts';

describe('ranges', () => {
  it('are the set of integers that was added and not removed', () => {
    const change = fc.record({ add: fc.boolean(), first: fc.nat(40), length: fc.nat(8) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30, size: 'max' }), (changes) => {
        const ranges = new Ranges();
        const naive = new Set<bigint>();
        for (const { add, first, length } of changes) {
          const range = { first: BigInt(first), last: BigInt(first + length) };
          ranges[add ? 'add' : 'remove'](range);
          for (let value = range.first; value <= range.last; value++) naive[add ? 'add' : 'delete'](value);
        }
        const members = [...naive].sort((a, b) => Number(a - b));
        assert.equal(ranges.size, BigInt(naive.size));
        for (let value = 0n; value < 60n; value++) {
          assert.equal(ranges.has(value), naive.has(value));
          assert.equal(
            ranges.next(value),
            members.find((member) => member >= value),
          );
          let gap = value;
          while (naive.has(gap)) gap++;
          assert.equal(ranges.gap(value), gap);
          const within = members.filter((member) => member >= value && member <= value + 7n);
          assert.equal(ranges.overlap({ first: value, last: value + 7n }), BigInt(within.length));
        }
        const list = [...ranges];
        for (const [i, { first }] of list.entries()) {
          assert.ok(i === 0 || first > list[i - 1]!.last + 1n, 'sorted, apart, as few as can be');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('intersect', () => {
    assert.deepEqual(intersect({ first: 1n, last: 5n }, { first: 3n, last: 9n }), { first: 3n, last: 5n });
    assert.deepEqual(intersect({ first: 3n, last: 4n }, { first: 1n, last: 9n }), { first: 3n, last: 4n });
    const none = intersect({ first: 1n, last: 2n }, { first: 5n, last: 9n });
    assert.ok(none.last < none.first);
  });
});
