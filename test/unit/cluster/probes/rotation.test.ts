import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Rotation, sample } from '../../../../src/cluster/probes/rotation.ts';

describe('rotation', () => {
  it('gives everybody a turn in each round', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 20 }), fc.nat(), (ids, seed) => {
        let state = seed;
        const random = () => {
          state = (state * 48_271 + 11) % 2_147_483_647;
          return state / 2_147_483_647;
        };
        const rotation = new Rotation(random);
        rotation.set(ids);
        rotation.next(() => true);
        for (let turn = 1; turn < ids.length; turn++) rotation.next(() => true);
        const round = ids.map(() => rotation.next(() => true));
        assert.deepEqual(new Set(round), new Set(ids));
        // Who comes and goes changes nobody's turn.
        const [first, ...others] = ids;
        rotation.set([...others, 'new one that nobody else is']);
        const seen = new Set(Array.from({ length: 2 * ids.length }, () => rotation.next(() => true)));
        assert.deepEqual(seen, new Set([...others, 'new one that nobody else is']));
        assert.equal(seen.has(first!), false);
        assert.equal(
          rotation.next(() => false),
          undefined,
        );
      }),
    );
  });

  it('is empty without members', () => {
    assert.equal(
      new Rotation(() => 0).next(() => true),
      undefined,
    );
    assert.deepEqual(
      sample([1, 2, 3], 5, () => 0),
      [1, 2, 3],
    );
  });
});
