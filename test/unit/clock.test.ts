import assert from 'node:assert/strict';
import { systemClock } from '../../src/clock.ts';

describe('system clock', () => {
  it('tells milliseconds since 1970', () => {
    assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000);
  });

  it('calls back once, later, and not when cancelled', async () => {
    const calls: string[] = [];
    const cancel = systemClock.after(1, () => calls.push('cancelled'));
    cancel();
    const done = new Promise<void>((resolve) => {
      systemClock.after(5, () => {
        calls.push('called');
        resolve();
      });
    });
    assert.deepEqual(calls, []);
    await done;
    await new Promise((resolve) => void setTimeout(resolve, 10));
    assert.deepEqual(calls, ['called']);
  });

  it('waits for what is longer than a timer of Node', async () => {
    let called = false;
    const cancel = systemClock.after(2 ** 31, () => {
      called = true;
    });
    await new Promise((resolve) => void setTimeout(resolve, 10));
    cancel();
    assert.equal(called, false);
  });
});
