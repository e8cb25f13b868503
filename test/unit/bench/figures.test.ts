import assert from 'node:assert/strict';
import { inFlight } from '../../../bench/flight.ts';
import { parseRollup } from '../../../bench/memory.ts';
import { milliseconds } from '../../../bench/monitor.ts';
import { readOptions } from '../../../bench/options.ts';
import { figure, missing } from '../../../bench/row.ts';
import { percentile, summarize } from '../../../bench/stats.ts';
import { notes, short, table } from '../../../bench/table.ts';

describe('figures of the bench', () => {
  it('are the nearest rank, whatever the order of the samples', () => {
    const samples = Array.from({ length: 200 }, (_, at) => 200 - at);
    assert.deepEqual(summarize(samples), { n: 200, median: 100, p99: 198 });
    assert.deepEqual(summarize([3, 1, 2]), { n: 3, median: 2, p99: 3 });
    assert.ok(Number.isNaN(percentile([], 0.5)));
  });

  it('compare medians, and have no ratio to nothing', () => {
    assert.equal(figure('x', 'ms', [2, 4, 6], { against: [8, 8, 8] }).ratio, 0.5);
    assert.equal(figure('x', 'ms', [2], { against: [0] }).ratio, undefined);
    assert.equal(figure('x', 'ms', [2]).ratio, undefined);
  });

  it('that could not be measured stand there all the same', () => {
    const figures = [missing('the last of 200', 'ms', 'p99 <= 300')];
    const [, line] = table([{ row: 'visible', notes: [], figures }]).split('\n');
    assert.match(line!, /^visible +the last of 200 +0 +\? +- +ms +- +p99 <= 300: MISSING$/);
  });

  it('stand below each other in the table', () => {
    const measured = [
      {
        row: 'run',
        notes: ['as seen'],
        figures: [figure('with ours', 'ms', [412.4, 413]), figure('a', 's', [0])],
      },
      {
        row: 'stream',
        notes: [],
        figures: [figure('bits', 'Gbit/s', [8.123], { against: [9], goal: 'much' })],
      },
    ];
    assert.equal(
      table(measured),
      [
        'ROW     WHAT       N  MEDIAN  P99  UNIT    RATIO  GOAL',
        'run     with ours  2     412  413  ms          -  -',
        '        a          1       0    -  s           -  -',
        'stream  bits       1    8.12    -  Gbit/s   0.90  much',
      ].join('\n'),
    );
    assert.equal(notes(measured), 'run: as seen');
  });

  it('are short', () => {
    assert.deepEqual([0.12345, 1.2345, 12.345, 123.45, Number.NaN].map(short), [
      '0.123',
      '1.23',
      '12.3',
      '123',
      '?',
    ]);
  });
});

describe('what the bench reads', () => {
  it('are its options', () => {
    const known = ['run', 'join'];
    assert.deepEqual(readOptions(['--only', 'run,join', '--quick', '--json', 'x'], known), {
      only: ['run', 'join'],
      quick: true,
      long: false,
      json: 'x',
      help: false,
    });
    assert.throws(() => readOptions(['--only', 'walk'], known), /no row walk; rows are run, join/);
    assert.throws(() => readOptions(['run'], known));
  });

  it('are time stamps of ip monitor, to the microsecond', () => {
    assert.ok(Math.abs(milliseconds('1970-01-01T00:00:01.234567') - 1234.567) < 1e-6);
  });

  it('is the memory of a process, in bytes', () => {
    assert.deepEqual(parseRollup('00-ff ---p [rollup]\nRss:    10 kB\nPss:     4 kB\nPss_Anon: 3 kB\n'), {
      rss: 10_240,
      pss: 4096,
    });
  });
});

describe('work in flight', () => {
  it('is never more than asked for, and all of it is done', async () => {
    let now = 0;
    let most = 0;
    const done: number[] = [];
    await inFlight(3, 10, async (at) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      done.push(at);
    });
    assert.equal(most, 3);
    assert.deepEqual(
      done.sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
  });
});
