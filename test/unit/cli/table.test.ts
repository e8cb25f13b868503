import assert from 'node:assert/strict';
import { count, duration, facts, table } from '../../../src/cli/table.ts';

describe('table', () => {
  it('aligns columns, leaves empty ones out, and ends no line in spaces', () => {
    const text = table(
      ['A', 'EMPTY', 'LONGER', 'LAST'],
      [
        ['1', '', 'x', ''],
        ['22222', '', '', 'end'],
      ],
    );
    assert.equal(text, 'A      LONGER  LAST\n1      x       -\n22222  -       end');
  });

  it('of facts leaves out what is not known', () => {
    const text = facts([
      ['a', '1'],
      ['none', undefined],
      ['empty', ''],
      ['longer', '2'],
    ]);
    assert.equal(text, 'a       1\nlonger  2');
  });

  it('has durations in two units', () => {
    const written = [0, 0.4, 1, 59, 60, 61, 3600, 3661, 86_400, 90_061, 700_000].map(duration);
    assert.deepEqual(written, [
      '0 s',
      '0 s',
      '1 s',
      '59 s',
      '1 min',
      '1 min 1 s',
      '1 h',
      '1 h 1 min',
      '1 d',
      '1 d 1 h',
      '8 d 2 h',
    ]);
  });

  it('has counts that can be read', () => {
    const power = 2n ** 64n;
    assert.deepEqual(
      ['0', '65536', '999999999999', String(power), String(power - 1n), String(power / 2n + 5n)].map(count),
      ['0', '65536', '999999999999', '2^64', '2^64', '2^63'],
    );
    assert.equal(count(String((power * 3n) / 4n)), '~2^63');
  });
});
