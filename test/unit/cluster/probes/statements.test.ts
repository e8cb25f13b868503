import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compare, contradicting, type Incarnation } from '../../../../src/cluster/probes/statements.ts';

describe('incarnations', () => {
  const any: fc.Arbitrary<Incarnation> = fc.record({
    start: fc.constantFrom(0, 1, 7, 2 ** 48 - 2),
    count: fc.constantFrom(0, 1, 2 ** 32 - 2, 2 ** 32 - 1),
  });

  it('are ordered by start, then by count, and each but the last has one that contradicts it', () => {
    assert.ok(compare({ start: 2, count: 0 }, { start: 1, count: 9 }) > 0);
    fc.assert(
      fc.property(any, (one) => {
        const next = contradicting(one);
        assert.ok(compare(next, one) > 0);
        assert.ok(next.count < 2 ** 32 && next.start < 2 ** 48);
      }),
    );
    const last = { start: 2 ** 48 - 1, count: 2 ** 32 - 1 };
    assert.deepEqual(contradicting(last), last);
  });
});
