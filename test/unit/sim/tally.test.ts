import assert from 'node:assert/strict';
import { again, Tally } from '../../../sim/tally.ts';

describe('a tally', () => {
  it('adds up, and sorts failures by their first violation', () => {
    const tally = new Tally();
    tally.add(3, { allocations: 2, crashes: 1, held: 7 }, [
      { seed: 1, violations: ['DUPLICATE p/1', 'LOST p/2'] },
      { seed: 2, violations: ['LOST p/1'] },
    ]);
    tally.add(2, { allocations: 3, replicas: 4 }, [
      { seed: 4, violations: ['DIVERGED h1 and h2'] },
      { seed: 5, violations: ['FAULT Error'] },
    ]);
    assert.match(tally.text, /^5 operations: 5 allocations, 0 claims, .*; 7 acknowledged$/m);
    assert.match(tally.text, /^1 crashes, /m);
    assert.match(tally.text, /^4 replicas compared/m);
    assert.match(tally.text, /^5 seeds: 1 with duplicates, 1 with losses, 1 diverged, 1 with other faults$/m);
  });

  it('knows whether a story has shown something', () => {
    const tally = new Tally();
    tally.add(1, {}, [{ seed: 1, violations: ['FAULT Error', 'LOST p/1'] }]);
    assert.deepEqual([tally.shows(/^LOST/), tally.shows(/^DUPLICATE|p\/2/)], [true, false]);
  });

  it('knows what has not happened', () => {
    const tally = new Tally();
    tally.add(1, { allocations: 1, crashes: 1, lost: 0 }, []);
    assert.ok(!tally.missing.includes('allocations'));
    assert.ok(!tally.missing.includes('crashes'));
    assert.ok(tally.missing.includes('lost'));
    assert.ok(tally.missing.includes('rollbacks'));
  });

  it('counts the hosts that were switched off so that a story could end', () => {
    const tally = new Tally();
    tally.add(1, { givenUp: 1, leaves: 3 }, []);
    tally.add(1, { passedOver: 1, begunAnew: 2 }, []);
    assert.equal(tally.waysOut, 4);
    assert.match(tally.text, /^hosts 1 passed over .*, 2 begun anew, .*, 1 given up, /m);
  });

  it('tells how to see a failure again', () => {
    const failure = { seed: 12, violations: ['one', 'two', 'three', 'four'] };
    assert.equal(
      again(failure, { nodes: 5, mutant: 'twins' }),
      'seed 12: one\n  two\n  three\n  again: npm run sim -- --first 12 --nodes 5 --mutant twins --trace',
    );
  });
});
