import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Window } from '../../../../src/cluster/probes/window.ts';

describe('window', () => {
  it('takes each number once, in whatever order, unless it is very late', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 200 }), (numbers) => {
        const window = new Window();
        const seen = new Set<number>();
        let highest = -1;
        for (const number of numbers) {
          const isGood = !seen.has(number) && number > highest - 512;
          assert.equal(window.take(number), isGood, `${number}`);
          seen.add(number);
          highest = Math.max(highest, number);
        }
      }),
    );
  });
});
