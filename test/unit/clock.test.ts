import assert from 'node:assert/strict';
import { steadyClock, systemClock } from '../../src/clock.ts';
import { wallOf } from '../../src/ports/clock.ts';

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

describe('steady clock', () => {
  it("tells milliseconds since 1970, and goes on when somebody sets the computer's", () => {
    const { now } = Date;
    try {
      for (const ms of [0, 3_600_000, -3_600_000]) {
        Date.now = () => now() + ms;
        assert.ok(Math.abs(systemClock.now() - now() - ms) < 1000);
        assert.ok(Math.abs(steadyClock.now() - now()) < 1000);
        assert.equal(wallOf(steadyClock), wallOf(systemClock));
        assert.ok(Number.isSafeInteger(steadyClock.now()));
      }
    } finally {
      Date.now = now;
    }
  });
});
