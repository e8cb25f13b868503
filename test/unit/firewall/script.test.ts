import assert from 'node:assert/strict';
import type { Step } from '../../../src/firewall/change.ts';
import { blamed, compact, linewise } from '../../../src/firewall/script.ts';

const step = (
  action: 'add' | 'delete',
  set: 'guarded' | 'publish4any',
  key: string,
  value?: string,
): Step => ({
  do: action,
  element: { set, key, ...(value !== undefined && { value }) },
  wantedBy: [key],
});
const STEPS = [
  step('delete', 'publish4any', '6 . 80', '10.1.0.2 . 80'),
  step('delete', 'guarded', '"nr1"'),
  step('add', 'guarded', '"nr2"'),
  step('add', 'publish4any', '6 . 80', '10.1.0.3 . 80'),
  step('add', 'guarded', '"nr3"'),
];

describe('script for nft', () => {
  it('names elements of one set at once, in the order of their first', () => {
    assert.deepEqual(compact(STEPS), [
      'delete element inet net_routed publish4any { 6 . 80 }',
      'delete element inet net_routed guarded { "nr1" }',
      'add element inet net_routed guarded { "nr2", "nr3" }',
      'add element inet net_routed publish4any { 6 . 80 : 10.1.0.3 . 80 }',
    ]);
  });

  it('gives each element its line', () => {
    const lines = linewise(STEPS);
    assert.equal(lines.length, STEPS.length);
    assert.equal(lines[4], 'add element inet net_routed guarded { "nr3" }');
  });

  it('finds whom nft complains of', () => {
    const stderr = [
      '/run/x:12:39-45: Error: Could not process rule: No such file or directory',
      'delete element inet net_routed guarded { "nr1" }',
      '                                         ^^^^^',
      '/run/x:14:39-45: Error: Could not process rule: File exists',
      'add element',
      '^^^',
      '/run/x:999:1-2: Error: Could not process rule: File exists',
      '/run/x:3:1-2: Error: syntax error',
      'nft: 13:1-2: Warning: nothing',
    ].join('\n');
    assert.deepEqual(
      [...blamed(stderr, STEPS, 10)],
      [
        [STEPS[1], 'Could not process rule: No such file or directory'],
        [STEPS[3], 'Could not process rule: File exists'],
      ],
    );
  });
});
