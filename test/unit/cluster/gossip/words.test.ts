import assert from 'node:assert/strict';
import { Words } from '../../../../src/cluster/gossip/words.ts';

function words() {
  const known = new Map<string, number>();
  return { known, words: new Words<string>((origin) => known.get(origin) ?? 0) };
}

describe('words of what is new', () => {
  it('are asked for when they have not come true in time, all of a link together', () => {
    const { words: all } = words();
    all.take('one', new Map([['a', 3]]), 100);
    all.take('one', new Map([['b', 1]]), 150);
    assert.equal(all.oldest, 100);
    assert.equal(all.overdue(99), undefined);
    assert.deepEqual(all.overdue(100), { link: 'one', origins: ['a', 'b'] });
    assert.equal(all.overdue(1000), undefined, 'once');
    assert.equal(all.oldest, undefined);
  });

  it('are forgotten when they have come true, or were old news', () => {
    const { known, words: all } = words();
    known.set('a', 3);
    all.take('one', new Map([['a', 3]]), 100);
    assert.equal(all.oldest, undefined);
    all.take('one', new Map([['a', 4]]), 100);
    known.set('a', 5);
    assert.equal(all.overdue(1000), undefined);
    assert.equal(all.oldest, undefined);
  });

  it('of a steady stream are overdue when the oldest that has not come true is', () => {
    const { known, words: all } = words();
    for (let at = 1; at <= 100; at++) {
      all.take('one', new Map([['a', at]]), at * 10);
      known.set('a', at - 1);
      assert.equal(all.overdue(at * 10 - 30), undefined, 'each comes a little later');
    }
    for (let at = 101; at <= 110; at++) all.take('one', new Map([['a', at]]), at * 10);
    assert.deepEqual(all.overdue(1000), { link: 'one', origins: ['a'] });
  });

  it('of several links leave another one to ask, unless that has ended', () => {
    const { words: all } = words();
    for (const link of ['one', 'two', 'three']) all.take(link, new Map([['a', 1]]), 100);
    all.forget('two');
    assert.deepEqual(
      [all.overdue(200)?.link, all.overdue(200)?.link, all.overdue(200)],
      ['one', 'three', undefined],
    );
  });
});
