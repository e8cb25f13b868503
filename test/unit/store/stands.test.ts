import assert from 'node:assert/strict';
import fc from 'fast-check';
import { stands, type Versioned } from '../../../src/store/crdt/record.ts';

const version: fc.Arbitrary<Versioned> = fc.record({
  key: fc.constant('deed/x'),
  class: fc.constant('ownership' as const),
  rank: fc.integer({ min: 1, max: 2 }),
  origin: fc.constantFrom('a', 'b'),
  sequence: fc.integer({ min: 1, max: 2 }),
  text: fc.constantFrom(undefined, '"x"', '"y"'),
  seal: fc.option(fc.uint8Array({ maxLength: 1 }), { nil: undefined }),
});

function isSame(a: Versioned, b: Versioned): boolean {
  const [left, right] = [a, b].map(({ rank, origin, sequence, text, seal }) =>
    JSON.stringify([rank, origin, sequence, text ?? null, [...(seal ?? [])]]),
  );
  return left === right;
}

describe('which version of a record stands', () => {
  it('is one of any two that differ, and the same whoever compares them', () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        assert.equal(stands(a, b) || stands(b, a), !isSame(a, b));
        assert.ok(!(stands(a, b) && stands(b, a)));
      }),
      { numRuns: 2000 },
    );
  });

  it('is one of many, in whatever order they come', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        if (stands(a, b) && stands(b, c)) assert.ok(stands(a, c));
      }),
      { numRuns: 2000 },
    );
  });
});
