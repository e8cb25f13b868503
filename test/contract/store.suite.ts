import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Class, Entry, Json, Observation, Store } from '../../src/ports/store.ts';

/** The namespace that the stores of the suite know; all others they keep without knowing them. */
export const classes: ReadonlyMap<string, Class> = new Map([['known', 'shared']]);

/** One place for stores to be opened at, one after the other. */
export interface StorePlace {
  open(report?: (error: unknown, change: Observation) => void): Store;
  /** From now on the disk refuses what is written. Undefined answers: cannot be arranged here. */
  fill(): boolean;
  /** There is room again. */
  clear(): void;
  remove(): void;
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** What every store has to do. `place` makes a fresh one; `small` one whose disk can be filled. */
export function storeSuite(place: () => StorePlace, small: () => StorePlace = place): void {
  let at: StorePlace;
  let store: Store;

  beforeEach(() => {
    at = place();
    store = at.open();
  });
  afterEach(async () => {
    await store.close();
    at.remove();
  });

  async function reopen(): Promise<void> {
    await store.close();
    store = at.open();
  }

  describe('commit', () => {
    it('shows at once, and after reopening', async () => {
      const done = store.commit([{ key: 'a/1', value: { n: 1 } }]);
      assert.deepEqual(store.get('a/1')?.value, { n: 1 });
      assert.deepEqual(values(store, 'a'), ['a/1={"n":1}']);
      const [entry] = await done;
      assert.equal(entry?.key, 'a/1');
      assert.deepEqual(entry?.value, { n: 1 });
      assert.equal(entry?.version.origin, store.origin);
      const { version } = entry!;
      await reopen();
      assert.deepEqual(store.get('a/1')?.value, { n: 1 });
      assert.deepEqual(store.get('a/1')?.version, version);
    });

    it('writes all of its changes in order, and answers what was written', async () => {
      await store.commit([{ key: 'a/0', value: 0 }]);
      const entries = await store.commit([
        { key: 'a/1', value: 1 },
        { key: 'a/0' },
        { key: 'b/x', value: 'x' },
        { key: 'a/1', value: 2 },
        { key: 'a/never' },
      ]);
      assert.deepEqual(
        entries.map(({ key, value }) => [key, value]),
        [
          ['a/1', 1],
          ['b/x', 'x'],
          ['a/1', 2],
        ],
      );
      assert.deepEqual(
        entries.map(({ version }) => version.sequence),
        [2, 4, 5],
        'the removal is a write, too',
      );
      assert.deepEqual(values(store, 'a'), ['a/1=2']);
      await reopen();
      assert.deepEqual([...values(store, 'a'), ...values(store, 'b')], ['a/1=2', 'b/x="x"']);
    });

    it('of nothing resolves', async () => {
      assert.deepEqual(await store.commit([]), []);
      assert.deepEqual(await store.commit([{ key: 'a/none' }]), []);
    });

    it('keeps an entry of a namespace that it knows the same until it is written again', async () => {
      const [entry] = await store.commit([{ key: 'known/1', value: 1 }]);
      await store.commit([{ key: 'known/2', value: 1 }]);
      assert.equal(store.get('known/1'), entry);
      assert.equal([...store.list('known')][0], entry);
      await store.commit([{ key: 'known/1', value: 1 }]);
      assert.notEqual(store.get('known/1'), entry);
    });

    it('rejects when the store is closed, which makes durable what was staged before', async () => {
      const before = store.commit([{ key: 'a/1', value: 1 }]);
      await store.close();
      await store.close();
      await before;
      await assert.rejects(store.commit([{ key: 'a/2', value: 1 }]), { code: 'NR_STORE_FAILED' });
      store = at.open();
      assert.deepEqual(values(store, 'a'), ['a/1=1']);
    });
  });

  describe('expect', () => {
    it('null: only where there is none', async () => {
      await store.commit([{ key: 'a/1', value: 1, expect: null }]);
      await assert.rejects(store.commit([{ key: 'a/1', value: 2, expect: null }]), {
        code: 'NR_STORE_CONFLICT',
      });
      assert.equal(store.get('a/1')?.value, 1);
      await store.commit([{ key: 'a/1' }]);
      await store.commit([{ key: 'a/1', value: 3, expect: null }]);
    });

    it('a version: only over this one', async () => {
      const [first] = await store.commit([{ key: 'a/1', value: 1 }]);
      const [second] = await store.commit([{ key: 'a/1', value: 2, expect: first!.version }]);
      const wrong = [first!.version, { ...second!.version, origin: '0'.repeat(32) }];
      for (const expect of wrong) {
        await assert.rejects(store.commit([{ key: 'a/1', value: 3, expect }]), { code: 'NR_STORE_CONFLICT' });
        await assert.rejects(store.commit([{ key: 'a/1', expect }]), { code: 'NR_STORE_CONFLICT' });
        await assert.rejects(store.commit([{ key: 'a/9', value: 3, expect }]), { code: 'NR_STORE_CONFLICT' });
      }
      await store.commit([{ key: 'a/1', expect: second!.version }]);
      assert.equal(store.get('a/1'), undefined);
    });

    it('holds against commits of the same turn, and lets only one of two win', async () => {
      const [entry] = await store.commit([{ key: 'a/1', value: 0 }]);
      const expect = entry!.version;
      const results = await Promise.allSettled([
        store.commit([{ key: 'a/1', value: 'one', expect }]),
        store.commit([{ key: 'a/1', value: 'two', expect }]),
        store.commit([{ key: 'a/2', value: 'one', expect: null }]),
        store.commit([{ key: 'a/2', value: 'two', expect: null }]),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
      );
      await reopen();
      assert.deepEqual(values(store, 'a'), ['a/1="one"', 'a/2="one"']);
    });

    it('that fails leaves no trace of the whole commit', async () => {
      await store.commit([{ key: 'a/old', value: 1 }]);
      const seen: Observation[] = [];
      store.observe('a', (change) => seen.push(change));
      const failed = store.commit([
        { key: 'a/new', value: 1 },
        { key: 'a/old' },
        { key: 'a/old', value: 2 },
        { key: 'a/old', value: 3, expect: null },
      ]);
      assert.deepEqual(values(store, 'a'), ['a/old=1'], 'not even before the promise is settled');
      await assert.rejects(failed, {
        code: 'NR_STORE_CONFLICT',
        message: /"a\/old" is version \d+, not absent/,
      });
      await turn();
      assert.deepEqual(seen, []);
      await reopen();
      assert.deepEqual(values(store, 'a'), ['a/old=1']);
    });
  });

  describe('versions', () => {
    it('grow over all keys, over removals and over reopening', async () => {
      let last = 0;
      const grows = async (key: string): Promise<void> => {
        const [entry] = await store.commit([{ key, value: 1 }]);
        assert.ok(entry!.version.sequence > last, `${entry!.version.sequence} comes after ${last}`);
        last = entry!.version.sequence;
      };
      await grows('a/1');
      await grows('b/1');
      await store.commit([{ key: 'b/1' }]);
      await reopen(); // the highest sequence belongs to no record
      await grows('b/1');
      const [before] = [store.get('b/1')];
      await store.commit([{ key: 'b/1' }]);
      await grows('b/1');
      assert.notDeepEqual(store.get('b/1')?.version, before?.version);
    });

    it('name an origin of 128 bits, which stays', async () => {
      const { origin } = store;
      assert.match(origin, /^[0-9a-f]{32}$/);
      await reopen();
      assert.equal(store.origin, origin);
      const other = place();
      const second = other.open();
      assert.notEqual(second.origin, origin);
      await second.close();
      other.remove();
    });
  });

  describe('list', () => {
    it('is of one namespace only, ordered by key, as it was when it was asked for', async () => {
      const keys = ['a/b', 'a/a/z', 'ab/1', 'a/10', 'a/9', 'a-b/1', 'a/é', 'a/', 'a/Z'].filter(
        (key) => key !== 'a/',
      );
      await store.commit(keys.map((key) => ({ key, value: 0 })));
      const ours = keys.filter((key) => key.startsWith('a/')).sort();
      const list = store.list('a');
      await store.commit([{ key: 'a/a/z' }, { key: 'a/0', value: 0 }]);
      assert.deepEqual(
        [...list].map(({ key }) => key),
        ours,
      );
      const now = ['a/0', ...ours.filter((key) => key !== 'a/a/z')];
      assert.deepEqual(
        [...store.list('a')].map(({ key }) => key),
        now,
      );
      await store.commit([{ key: 'a/a/z', value: 1 }, { key: 'a/9' }, { key: 'a/9', value: 2 }]);
      const back = [...now, 'a/a/z'].sort();
      assert.deepEqual(
        [...store.list('a')].map(({ key }) => key),
        back,
      );
      await reopen();
      assert.deepEqual(
        [...store.list('a')].map(({ key }) => key),
        back,
      );
      assert.deepEqual([...store.list('none')], []);
      assert.throws(() => store.list('a/'), { code: 'NR_STORE_RECORD' });
      assert.throws(() => store.observe('a/', () => {}), { code: 'NR_STORE_RECORD' });
    });

    it('and get are those of a plain map, for any sequence of commits', async () => {
      const key = fc.constantFrom('a/1', 'a/2', 'a/10', 'b/1', 'ab/1', 'a/1/2');
      const change = fc.record({
        key,
        value: fc.option(fc.jsonValue() as fc.Arbitrary<Json>, { nil: undefined }),
      });
      const step = fc.oneof(
        {
          weight: 9,
          arbitrary: fc.record({
            changes: fc.array(change, { maxLength: 4, size: 'max' }),
            wait: fc.boolean(),
          }),
        },
        { weight: 1, arbitrary: fc.constant('reopen' as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
          const naive = new Map<string, Json>();
          await store.commit(
            ['a', 'b', 'ab'].flatMap((name) => [...store.list(name)].map((one) => ({ key: one.key }))),
          );
          for (const one of steps) {
            if (one === 'reopen') await reopen();
            else {
              const done = store.commit(one.changes);
              for (const { key, value } of one.changes) {
                if (value === undefined) naive.delete(key);
                else naive.set(key, JSON.parse(JSON.stringify(value)) as Json);
              }
              if (one.wait) await done;
            }
            for (const name of ['a', 'b', 'ab']) {
              const expected = [...naive]
                .filter(([key]) => key.startsWith(`${name}/`))
                .sort(([x], [y]) => (x < y ? -1 : 1));
              assert.deepEqual(
                [...store.list(name)].map((entry) => [entry.key, entry.value]),
                expected,
              );
            }
          }
        }),
        { numRuns: 40 },
      );
    });
  });

  describe('values', () => {
    it('are any JSON, and copies', async () => {
      const value: Json = {
        text: 'ü\u0000\u{1f600}\ud800',
        list: [1, -0.5, 1e300, null, true, []],
        '': {},
        ['__proto__']: 1,
      };
      const given = { inner: value };
      await store.commit([{ key: 'a/1', value: given }]);
      (given as { inner: Json }).inner = 'changed';
      assert.deepEqual(store.get('a/1')?.value, { inner: value });
      try {
        (store.get('a/1')!.value as { inner: Json }).inner = 'changed';
      } catch {
        // a store may freeze them as well
      }
      await reopen();
      assert.deepEqual(store.get('a/1')?.value, { inner: value });
    });

    it('that are no JSON are refused, and nothing of their commit is done', async () => {
      const itself: unknown[] = [];
      itself.push(itself);
      const bad: unknown[] = [
        { x: undefined },
        [undefined],
        new Array(1),
        Number.NaN,
        Number.POSITIVE_INFINITY,
        10n,
        () => 1,
        Symbol('x'),
        new Date(0),
        new Map(),
        { toJSON: () => 1 },
        { [Symbol('x')]: 1 },
        itself,
      ];
      for (const value of bad) {
        const changes = [
          { key: 'a/ok', value: 1 },
          { key: 'a/bad', value: { deep: [value as Json] } },
        ];
        await assert.rejects(store.commit(changes), { code: 'NR_STORE_RECORD' }, String(typeof value));
        assert.deepEqual([...store.list('a')], []);
      }
    });

    it('have up to 64 KiB', async () => {
      await store.commit([{ key: 'a/1', value: 'x'.repeat(65534) }]);
      for (const value of ['x'.repeat(65535), 'é'.repeat(40_000)]) {
        await assert.rejects(store.commit([{ key: 'a/2', value }]), { code: 'NR_STORE_TOO_LARGE' });
      }
      await reopen();
      assert.equal(store.get('a/1')?.value, 'x'.repeat(65534));
    });

    it('have keys of namespace and id', async () => {
      const bad = [
        '',
        'a',
        'a/',
        '/a',
        'A/1',
        'a b/1',
        'a/\n',
        'a/\u0000',
        'a/\ud800',
        `a/${'x'.repeat(1023)}`,
      ];
      for (const key of bad) {
        await assert.rejects(store.commit([{ key, value: 1 }]), { code: 'NR_STORE_RECORD' }, key);
        assert.equal(store.get(key), undefined);
      }
      const good = [`a/${'x'.repeat(1022)}`, 'a/default:10.1.0.0/16/10.1.0.2', 'a/é', 'a//'];
      await store.commit(good.map((key) => ({ key, value: 1 })));
      await reopen();
      for (const key of good) assert.equal(store.get(key)?.value, 1, key);
    });
  });

  describe('observe', () => {
    it('tells of durable changes of the namespace in order, before the commit resolves', async () => {
      const log: string[] = [];
      store.observe('a', ({ key, before, after }) => log.push(`${key} ${before?.value}>${after?.value}`));
      const done = [
        store.commit([
          { key: 'a/1', value: 1 },
          { key: 'b/1', value: 1 },
          { key: 'a/2', value: 1 },
        ]),
        store.commit([{ key: 'a/1', value: 2 }]),
        store.commit([{ key: 'a/2' }, { key: 'a/none' }]),
      ].map((promise, i) => promise.then(() => log.push(`resolved ${i}`)));
      assert.deepEqual(log, [], 'nothing is durable yet');
      await Promise.all(done);
      const told = ['a/1 undefined>1', 'a/2 undefined>1', 'a/1 1>2', 'a/2 1>undefined'];
      assert.deepEqual(log, [...told, 'resolved 0', 'resolved 1', 'resolved 2']);
    });

    it('goes on when an observer throws or rejects, and reports it', async () => {
      await store.close();
      const reported: string[] = [];
      store = at.open((error, { key }) => {
        reported.push(`${(error as Error).message} at ${key}`);
        throw new Error('the log is broken');
      });
      const seen: string[] = [];
      store.observe('a', () => {
        throw new Error('thrown');
      });
      store.observe('a', async () => {
        throw new Error('rejected');
      });
      store.observe('a', ({ key }) => seen.push(key));
      await store.commit([{ key: 'a/1', value: 1 }]);
      await store.commit([{ key: 'a/2', value: 1 }]);
      await turn();
      assert.deepEqual(seen, ['a/1', 'a/2']);
      const expected = ['rejected at a/1', 'rejected at a/2', 'thrown at a/1', 'thrown at a/2'];
      assert.deepEqual(reported.sort(), expected);
    });

    it('may be ended, also by and for another one, while changes are told', async () => {
      const seen: string[] = [];
      const first = store.observe('a', ({ key }) => {
        seen.push(`first ${key}`);
        stop();
        store.observe('a', (later) => seen.push(`late ${later.key}`));
      });
      const stop = store.observe('a', ({ key }) => seen.push(`second ${key}`));
      await store.commit([{ key: 'a/1', value: 1 }]);
      first();
      first();
      await store.commit([{ key: 'a/2', value: 1 }]);
      assert.deepEqual(seen, ['first a/1', 'late a/2']);
    });

    it('lets an observer commit', async () => {
      let echo: Promise<readonly Entry[]> | undefined;
      store.observe('a', ({ key }) => {
        echo = store.commit([{ key: key.replace('a/', 'b/'), value: 'echo' }]);
      });
      await store.commit([{ key: 'a/1', value: 1 }]);
      await echo;
      await reopen();
      assert.deepEqual(values(store, 'b'), ['b/1="echo"']);
    });
  });

  describe('a disk that refuses', () => {
    it('undoes all of the turn, and nothing else, and goes on when there is room', async function () {
      await store.close();
      at.remove();
      at = small();
      store = at.open();
      const big = 'x'.repeat(60_000);
      const [kept] = await store.commit([
        { key: 'a/kept', value: 1 },
        { key: 'a/gone', value: 1 },
      ]);
      const seen: string[] = [];
      store.observe('a', ({ key }) => seen.push(key));
      if (!at.fill()) return this.skip();
      const many = Array.from({ length: 40 }, (_, i) => ({ key: `a/big${i}`, value: big }));
      const attempts = [
        store.commit([{ key: 'a/kept', value: 2 }]),
        store.commit([{ key: 'a/gone' }, ...many]),
        store.commit([
          { key: 'a/kept', value: 3 },
          { key: 'b/new', value: 1 },
        ]),
      ];
      const undone = store.get('a/kept')!.version;
      for (const attempt of attempts)
        await assert.rejects(attempt, { code: 'NR_STORE_FAILED', message: /full/ });
      assert.deepEqual(values(store, 'a'), ['a/gone=1', 'a/kept=1']);
      assert.deepEqual(store.get('a/kept'), kept);
      assert.equal(store.get('b/new'), undefined);
      assert.deepEqual(seen, []);

      at.clear();
      const [after] = await store.commit([{ key: 'a/kept', value: 4, expect: kept!.version }]);
      assert.ok(after!.version.sequence > undone.sequence, 'no version has two meanings');
      assert.deepEqual(seen, ['a/kept']);
      await reopen();
      assert.deepEqual(values(store, 'a'), ['a/gone=1', 'a/kept=4']);
    });
  });

  it('is used by one at a time', async () => {
    await store.commit([{ key: 'a/1', value: 1 }]);
    assert.throws(() => at.open(), { code: 'NR_STORE_LOCKED' });
    await store.commit([{ key: 'a/2', value: 1 }]);
    assert.throws(() => at.open(), { code: 'NR_STORE_LOCKED' }, 'the attempt has not broken the lock');
    await reopen();
    assert.deepEqual(values(store, 'a'), ['a/1=1', 'a/2=1']);
  });

  it('has 10,000 records again after reopening', async () => {
    const all = Array.from({ length: 10_000 }, (_, i) => ({
      key: `a/${i}`,
      value: { i, text: `${i}`.repeat(9) },
    }));
    await Promise.all(all.map((change) => store.commit([change])));
    await reopen();
    assert.equal([...store.list('a')].length, 10_000);
    for (const { key, value } of all) assert.deepEqual(store.get(key)?.value, value);
  });
}

function values(store: Store, namespace: string): string[] {
  return [...store.list(namespace)].map(({ key, value }) => `${key}=${JSON.stringify(value)}`);
}
