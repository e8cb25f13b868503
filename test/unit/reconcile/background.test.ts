import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { CodedError } from '../../../src/errors.ts';
import { Tracker } from '../../../src/plan/tracker.ts';
import type { Operation, Outcome } from '../../../src/ports/target.ts';
import { BackgroundLane } from '../../../src/reconcile/background.ts';
import { Time } from './time.ts';

interface Thing {
  readonly kind: 'thing';
  readonly group: string;
  readonly name: string;
}
const thing = (group: string, name = group): Thing => ({ kind: 'thing', group, name });
const REFUSED = new CodedError('NR_KERNEL_REFUSED', 'as told');

describe('BackgroundLane', () => {
  let time: Time;
  let lane: BackgroundLane<Thing>;
  /** Calls under way, by group; each ends as the test says. */
  let calls: Map<string, { readonly keys: string[]; readonly end: (failing?: boolean) => Promise<void> }>;
  let unready: Set<string>;
  let told: string[];
  const groups = () => [...calls.keys()].sort();
  const quiet = async () => void (await setImmediate());
  /** One of each group, by an owner for each. */
  const want = (...names: string[]) => {
    for (const name of names) lane.tracker.want(name, [thing(name)]);
    lane.kick();
  };

  beforeEach(() => {
    [time, calls, unready, told] = [new Time(), new Map(), new Set(), []];
    const apply = (operations: readonly Operation<Thing>[]): Promise<Outcome[]> =>
      new Promise((resolve) => {
        const { group } = operations[0]!.resource;
        assert.ok(!calls.has(group), `${group} is worked on twice at once`);
        const end = async (failing = false) => {
          calls.delete(group);
          resolve(operations.map(({ key }) => (failing ? { key, error: REFUSED } : { key })));
          await setImmediate();
        };
        calls.set(group, { keys: operations.map(({ key }) => key), end });
      });
    lane = new BackgroundLane('test', new Tracker<Thing>(({ name }) => name), { apply }, time, {
      groupOf: ({ group }) => group,
      atOnce: 4,
      ready: ({ resource }) => !unready.has(resource.group),
      changed: (keys) => void told.push(...keys),
    });
  });
  afterEach(() => lane.close());

  it('works on several groups at once, on each by one call, and tells', async () => {
    lane.tracker.want('a', [thing('a', 'a1'), thing('a', 'a2')]);
    want('b');
    assert.deepEqual(calls.get('a')?.keys, ['a1', 'a2']);
    assert.deepEqual(groups(), ['a', 'b']);
    lane.kick();
    await calls.get('a')?.end();
    assert.deepEqual(told, ['a1', 'a2']);
    assert.deepEqual(groups(), ['b']);
    assert.ok(lane.tracker.settled('a'));
  });

  it('has no more than its number under way, and goes on when one ends', async () => {
    want('a', 'b', 'c', 'd', 'e');
    assert.deepEqual(groups(), ['a', 'b', 'c', 'd']);
    await calls.get('b')?.end();
    assert.deepEqual(groups(), ['a', 'c', 'd', 'e']);
  });

  it('tries again by itself what failed', async () => {
    want('a');
    await calls.get('a')?.end(true);
    assert.deepEqual(groups(), []);
    await time.pass(49, quiet);
    assert.deepEqual(groups(), []);
    await time.pass(1, quiet);
    assert.deepEqual(groups(), ['a']);
  });

  it('keeps room for what is new, whatever has failed', async () => {
    want('a', 'b', 'c', 'd');
    for (const name of ['a', 'b', 'c', 'd']) await calls.get(name)?.end(true);
    await time.pass(50, quiet);
    assert.deepEqual(groups(), ['a', 'b'], 'half of the room');
    want('e', 'f', 'g');
    assert.deepEqual(groups(), ['a', 'b', 'e', 'f']);
    await calls.get('e')?.end();
    assert.deepEqual(groups(), ['a', 'b', 'f', 'g'], 'new before failed');
    for (const name of ['a', 'b', 'f', 'g']) await calls.get(name)?.end();
    assert.deepEqual(groups(), ['c', 'd']);
  });

  it('waits for what an operation stands on', async () => {
    unready.add('a');
    want('a');
    assert.deepEqual(groups(), []);
    unready.clear();
    lane.kick();
    assert.deepEqual(groups(), ['a']);
  });

  it('tries at once what was heard of meanwhile', async () => {
    want('a', 'b');
    lane.hurry((key) => key === 'a');
    await calls.get('a')?.end(true);
    await calls.get('b')?.end(true);
    assert.deepEqual(groups(), ['a']);
    await calls.get('a')?.end(true);
    assert.deepEqual(groups(), [], 'once');
  });

  it('does what was wanted meanwhile', async () => {
    want('a');
    lane.tracker.want('a', []);
    lane.kick();
    await calls.get('a')?.end();
    assert.deepEqual(groups(), ['a'], 'to remove it');
    await calls.get('a')?.end();
    assert.deepEqual([groups(), [...lane.tracker.there()]], [[], []]);
  });

  it('starts nothing once it is closed', async () => {
    want('a');
    lane.close();
    await calls.get('a')?.end(true);
    want('b');
    await time.pass(60_000, quiet);
    assert.deepEqual([groups(), told], [[], []]);
  });
});
