import assert from 'node:assert/strict';
import fc from 'fast-check';
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
      ['0', '65536', '999999999999', String(power), String(power - 3n), String(power / 2n + 5n)].map(count),
      ['0', '65536', '999999999999', '2^64', '2^64-3', '2^63+5'],
    );
    assert.equal(count(String(2n ** 120n)), '2^120');
    assert.equal(count(String((power * 3n) / 4n)), '13835058055282163712', 'near no power');
  });

  it('has counts that are exact', () => {
    const texts = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 128n }),
      fc
        .tuple(fc.nat(128), fc.integer({ min: -(2 ** 31), max: 2 ** 31 }))
        .map(([power, off]) => 2n ** BigInt(power) + BigInt(off))
        .filter((value) => value >= 0n),
    );
    fc.assert(
      fc.property(texts, (value) => {
        const [, power, off = '0'] = /^2\^(\d+)([+-]\d+)?$/.exec(count(String(value))) ?? [];
        if (power === undefined) assert.equal(count(String(value)), String(value));
        else assert.equal(2n ** BigInt(power) + BigInt(off), value);
        assert.ok(count(String(value)).length <= String(value).length);
      }),
    );
  });
});
