import assert from 'node:assert/strict';
import { CodedError } from '../../../src/errors.ts';
import { Tracker } from '../../../src/plan/tracker.ts';
import type { Operation, Outcome } from '../../../src/ports/target.ts';
import { Lane } from '../../../src/reconcile/lane.ts';

interface Thing {
  readonly kind: 'thing';
  readonly name: string;
}
const thing = (name: string): Thing => ({ kind: 'thing', name });
const REFUSED = new CodedError('NR_KERNEL_REFUSED', 'as told');

describe('Lane', () => {
  let now: number;
  let refusing: boolean;
  let lane: Lane<Thing>;
  beforeEach(() => {
    [now, refusing] = [1_000_000, true];
    const apply = async (operations: readonly Operation<Thing>[]): Promise<Outcome[]> =>
      operations.map(({ key }) => (refusing ? { key, error: REFUSED } : { key }));
    const clock = { now: () => now, after: () => () => {} };
    lane = new Lane('test', new Tracker<Thing>(({ name }) => name), { apply }, clock);
    lane.tracker.want('a', [thing('x')]);
  });

  it('holds back what failed, for longer and longer', async () => {
    const pauses: (number | undefined)[] = [];
    for (let times = 0; times < 3; times++) {
      await lane.apply(lane.due());
      assert.deepEqual(lane.due(), []);
      const pause = lane.nextRetry();
      pauses.push(pause);
      now += pause ?? 0;
    }
    assert.deepEqual(pauses, [50, 100, 200]);
    refusing = false;
    await lane.apply(lane.due());
    assert.deepEqual([lane.nextRetry(), lane.errorOf('a')], [undefined, undefined]);
  });

  it('forgets the failure of what a read-back shows to be as wanted', async () => {
    await lane.apply(lane.due());
    lane.tracker.found(new Map([['x', thing('x')]]), lane.tracker.stamp());
    assert.equal(lane.nextRetry(), undefined);
    assert.equal(lane.failures.size, 0);
  });

  it('forgets the failure of what nobody wants any more', async () => {
    await lane.apply(lane.due());
    lane.tracker.want('a', []);
    assert.equal(lane.nextRetry(), undefined);
    assert.equal(lane.failures.size, 0);
  });
});
