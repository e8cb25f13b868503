import assert from 'node:assert/strict';
import { Pulse } from '../../../src/api/pulse.ts';
import { CodedError } from '../../../src/errors.ts';

/** A loop and a clock that do as they are told. */
function beating() {
  const time = { now: 0 };
  const timers: { at: number; call: () => void }[] = [];
  const loop = { passes: 0, rests: true, failures: [] as string[] };
  const pulse = new Pulse({
    clock: {
      now: () => time.now,
      after(ms, call) {
        const timer = { at: time.now + ms, call };
        timers.push(timer);
        return () => void timers.splice(timers.indexOf(timer), 1);
      },
    },
    reconciler: {
      get stats() {
        return { passes: loop.passes, resyncs: 0, errors: 0, lastPassMs: 0 };
      },
      idle: () => (loop.rests ? Promise.resolve() : new Promise(() => {})),
      failures: () =>
        loop.failures.map((key) => ({
          lane: 'kernel',
          key,
          error: new CodedError('NR_KERNEL_REFUSED', 'no'),
          count: 1,
        })),
    } as unknown as ConstructorParameters<typeof Pulse>[0]['reconciler'],
  });
  const pass = async (ms: number) => {
    const until = time.now + ms;
    for (let due = timers.find(({ at }) => at <= until); due; due = timers.find(({ at }) => at <= until)) {
      timers.splice(timers.indexOf(due), 1);
      time.now = due.at;
      due.call();
      await Promise.resolve();
    }
    time.now = until;
  };
  return { pulse, loop, pass, timers };
}

describe('pulse of the reconcile loop', () => {
  it('is felt while the loop rests, however long', async () => {
    const { pulse, pass } = beating();
    await pass(600_000);
    assert.equal(pulse.live(), true);
  });

  it('is felt while passes go on, though it never rests', async () => {
    const { pulse, loop, pass } = beating();
    loop.rests = false;
    for (let i = 0; i < 20; i++) {
      await pass(20_000);
      loop.passes++;
      assert.equal(pulse.live(), true);
    }
  });

  it('is lost when one pass takes half a minute, and found again after it', async () => {
    const { pulse, loop, pass } = beating();
    loop.rests = false;
    await pass(29_000);
    assert.equal(pulse.live(), true);
    await pass(10_000);
    assert.equal(pulse.live(), false);
    loop.passes++;
    assert.equal(pulse.live(), true);
  });

  it('knows for how long each key fails, and forgets those that work', async () => {
    const { pulse, loop, pass } = beating();
    loop.failures = ['a'];
    await pass(60_000);
    loop.failures = ['a', 'b'];
    assert.deepEqual(
      pulse.failures().map(({ key, seconds }) => [key, seconds]),
      [
        ['a', 55],
        ['b', 0],
      ],
    );
    loop.failures = ['b'];
    await pass(10_000);
    loop.failures = ['a', 'b'];
    assert.deepEqual(
      pulse.failures().map(({ key, seconds }) => [key, seconds]),
      [
        ['a', 0],
        ['b', 10],
      ],
    );
  });

  it('ends', () => {
    const { pulse, timers } = beating();
    pulse.stop();
    assert.equal(timers.length, 0);
  });
});
