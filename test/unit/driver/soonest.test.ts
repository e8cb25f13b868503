import assert from 'node:assert/strict';
import { Soonest } from '../../../src/driver/soonest.ts';
import { ManualClock } from '../store/manualclock.ts';

describe('the soonest of what was asked for', () => {
  const calling = () => {
    const clock = new ManualClock(0);
    const at: number[] = [];
    const soonest = new Soonest(clock, () => void at.push(clock.now()));
    return { clock, at, soonest };
  };

  it('is called for once', () => {
    const { clock, at, soonest } = calling();
    for (const ms of [500, 200, 300]) soonest.within(ms);
    clock.pass(1000);
    assert.deepEqual(at, [200]);
    soonest.within(100);
    clock.pass(1000);
    assert.deepEqual(at, [200, 1100]);
  });

  it('is not called for any more after the end', () => {
    const { clock, at, soonest } = calling();
    soonest.within(100);
    soonest.close();
    soonest.within(100);
    clock.pass(1000);
    assert.deepEqual(at, []);
  });
});
