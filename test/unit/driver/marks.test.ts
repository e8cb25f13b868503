import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Marks } from '../../../src/driver/marks.ts';

describe('marks', () => {
  it('count what somebody, one host and nobody any more has, in any range', () => {
    const value = fc.oneof(fc.nat({ max: 200 }), fc.constantFrom(31, 32, 63, 64, 95, 127, 128));
    const step = fc.record({
      host: fc.constantFrom('a', 'b', 'c'),
      value,
      mark: fc.constantFrom('held', 'resting', 'none', 'gone') as fc.Arbitrary<
        'held' | 'resting' | 'none' | 'gone'
      >,
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), value, value, (steps, one, other) => {
        const base = 2n ** 63n;
        const marks = new Marks();
        const truth = new Map<string, string>();
        for (const { host, value: at, mark } of steps) {
          if (mark === 'gone') {
            marks.drop(host);
            for (const key of truth.keys()) if (key.startsWith(host)) truth.delete(key);
            continue;
          }
          marks.set(host, base + BigInt(at), mark);
          truth.set(`${host} ${at}`, mark);
        }
        const [first, last] = [Math.min(one, other), Math.max(one, other)];
        const counts = { held: 0, here: 0, resting: 0 };
        for (let at = first; at <= last; at++) {
          const of = (host: string) => truth.get(`${host} ${at}`);
          const held = ['a', 'b', 'c'].some((host) => of(host) === 'held');
          if (held) counts.held++;
          if (of('a') === 'held') counts.here++;
          if (!held && (of('b') === 'resting' || of('c') === 'resting')) counts.resting++;
        }
        const range = { first: base + BigInt(first), last: base + BigInt(last) };
        assert.deepEqual(marks.count(range, 'a'), counts);
      }),
      { numRuns: 500 },
    );
  });
});
