import assert from 'node:assert/strict';
import { stampTime } from '../../../../src/cluster/membership/walltime.ts';

describe('the time for stamps', () => {
  it('is the own one alone, among others that are near, and behind others', () => {
    assert.equal(stampTime(1_000_000, []), 1_000_000);
    assert.equal(stampTime(1_000_000, [-59_000, -500_000]), 1_000_000);
    assert.equal(stampTime(1_000_000, [500_000]), 1_000_000);
    assert.equal(stampTime(1_000_000, [-900_000, 10]), 1_000_000);
  });

  it('is that of the latest of the others where the own one is ahead of all by more than a minute', () => {
    assert.equal(stampTime(1_000_000, [-61_000, -500_000]), 939_000);
  });
});
