import assert from 'node:assert/strict';
import { patience, Suspicion } from '../../../../src/cluster/probes/suspicion.ts';

describe('suspicion', () => {
  it('lasts long by one word, and shorter with each other one', () => {
    for (const members of [4, 16, 50, 200]) {
      const [one, two, three, four] = [0, 1, 2, 3].map((count) => patience(members, count));
      assert.ok(one! > two! && two! > three!, `${members}`);
      assert.equal(three, four);
      assert.ok(Math.abs(one! - 6 * three!) < 1);
    }
    assert.equal(patience(3, 0), patience(3, 2), 'nobody could confirm it');
  });

  it('counts each host once', () => {
    const suspicion = new Suspicion({ start: 1, count: 0 }, 'a', 0);
    assert.deepEqual(
      ['a', 'b', 'b', 'c', 'd'].map((by) => suspicion.confirm(by)),
      [false, true, false, true, false],
    );
    assert.equal(suspicion.left(16, 0), patience(16, 2));
  });

  it('has an end whatever the clock is set to', () => {
    const suspicion = new Suspicion({ start: 1, count: 0 }, 'a', 1_000_000);
    assert.equal(suspicion.left(16, 0), patience(16, 0));
    assert.ok(Math.abs(suspicion.left(16, 1_010_000) - patience(16, 0) + 10_000) < 1);
    assert.equal(suspicion.left(16, 9_000_000), 0);
  });
});
