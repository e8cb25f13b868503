import assert from 'node:assert/strict';
import { Spread, timesOf } from '../../../../src/cluster/probes/spread.ts';
import type { Statement } from '../../../../src/cluster/probes/statements.ts';

const said = (id: string, verdict: Statement['verdict'] = 'suspect'): Statement => ({
  id,
  verdict,
  incarnation: { start: 1, count: 0 },
  by: 'x',
});

describe('spread', () => {
  it('tells each thing so many times and no more, the fresh ones first', () => {
    const spread = new Spread();
    spread.size = 9;
    spread.put(said('a'));
    assert.deepEqual(
      spread.take(1).map(({ id }) => id),
      ['a'],
    );
    spread.put(said('b'));
    assert.deepEqual(
      spread.take(1).map(({ id }) => id),
      ['b'],
    );
    let told = 2;
    while (!spread.isEmpty) told += spread.take(2).length;
    assert.equal(told, 2 * timesOf(9));
    assert.deepEqual(spread.take(5), []);
  });

  it('tells the last word of a member only', () => {
    const spread = new Spread();
    spread.put(said('a'));
    spread.put(said('a', 'alive'));
    assert.deepEqual(
      spread.take(5).map(({ verdict }) => verdict),
      ['alive'],
    );
    spread.drop('a');
    assert.ok(spread.isEmpty);
  });

  it('needs more times in larger clusters', () => {
    assert.deepEqual([2, 9, 16, 50, 200].map(timesOf), [4, 4, 8, 8, 12]);
  });
});
