import assert from 'node:assert/strict';
import { Current } from '../../../src/driver/current.ts';
import type { Driver } from '../../../src/driver/driver.ts';
import { StandIn } from '../../../src/driver/standin.ts';

const LONG_MS = 60_000;

describe('what is replaced while it is used', () => {
  it('is waited for, and used by all who wait', async () => {
    const current = new Current<string>();
    const all = ['a', 'b'].map((name) => current.use(LONG_MS, async (value) => `${name} ${value}`));
    current.set('first');
    assert.deepEqual(await Promise.all(all), ['a first', 'b first']);
    assert.equal(await current.use(0, async (value) => value), 'first', 'at once, as it is there');
  });

  it('is waited for no longer than so long', async () => {
    const current = new Current<string>();
    await assert.rejects(
      current.use(1, async () => 'never'),
      { code: 'NR_RESTARTING' },
    );
    current.set('late');
    assert.equal(await current.use(1, async (value) => value), 'late');
  });

  it('is given to nobody new from its end on, which waits for those who use it', async () => {
    const current = new Current<string>();
    current.set('first');
    const held = Promise.withResolvers<void>();
    const using = current.use(LONG_MS, async (value) => {
      await held.promise;
      return value;
    });
    let isOver = false;
    const clearing = current.clear(LONG_MS).then(() => {
      isOver = true;
    });
    const next = current.use(LONG_MS, async (value) => value);
    await new Promise(setImmediate);
    assert.equal(isOver, false);
    held.resolve();
    await clearing;
    assert.equal(await using, 'first');
    current.set('second');
    assert.equal(await next, 'second');
  });

  it('is not waited for where somebody uses it for too long', async () => {
    const current = new Current<string>();
    current.set('first');
    const held = Promise.withResolvers<void>();
    const using = current.use(LONG_MS, () => held.promise);
    await current.clear(1);
    held.resolve();
    await using;
    await current.clear(LONG_MS);
  });

  it('lets calls of Docker through, each with its words', async () => {
    const current = new Current<{ driver: Driver }>();
    const calls: unknown[] = [];
    const driver = new Proxy({} as Driver, {
      get:
        (_, name) =>
        async (...words: unknown[]) => {
          calls.push([name, ...words]);
          return name;
        },
    });
    const standin = new StandIn(current);
    const names = Object.getOwnPropertyNames(StandIn.prototype).filter((name) => name !== 'constructor');
    const answers = Promise.all(
      names.map((name) => (standin[name as keyof StandIn] as (...words: string[]) => unknown)('a', 'b', 'c')),
    );
    assert.deepEqual(calls, []);
    current.set({ driver });
    assert.deepEqual(await answers, names);
    assert.equal(names.length, 13);
    for (const [at, name] of names.entries()) {
      const taken = standin[name as keyof StandIn].length;
      assert.deepEqual(calls[at], [name, ...['a', 'b', 'c'].slice(0, taken)]);
    }
  });
});
