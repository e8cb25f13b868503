import assert from 'node:assert/strict';
import { Changes } from '../../../../src/cluster/membership/change.ts';
import { ManualClock } from '../../store/manualclock.ts';

const WHO = { id: 'a'.repeat(32), cluster: 'c' };

describe('what is done to a membership', () => {
  let clock: ManualClock;
  let isReady: boolean;
  let logged: object[];
  let changes: Changes;
  beforeEach(() => {
    clock = new ManualClock(5000);
    isReady = true;
    logged = [];
    const note = (what: object) => void logged.push(what);
    const log = { debug: assert.fail, info: note, warn: note, error: assert.fail };
    changes = new Changes({ clock, log, isReady: () => isReady, whoIs: () => WHO });
  });

  it('shows, with its steps, as long as it goes on', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const run = changes.run('join', 'asks', () => promise);
    clock.pass(10);
    assert.deepEqual(changes.current, { what: 'join', step: 'asks', since: 5000 });
    changes.step('waits');
    assert.deepEqual(changes.current, { what: 'join', step: 'waits', since: 5000 });
    resolve('done');
    assert.equal(await run, 'done');
    assert.equal(changes.current, undefined);
    changes.step('late');
    assert.equal(changes.current, undefined);
    assert.deepEqual(logged, [{ what: 'join', ...WHO }]);
  });

  it('is one thing at a time', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = changes.run('leave', 'hands over', () => promise);
    const second = changes.run('init', 'makes', () => assert.fail('it was begun'));
    await assert.rejects(second, { code: 'NR_CLUSTER_BUSY', what: 'leave goes on: hands over' });
    assert.equal(changes.current?.what, 'leave', 'that was refused, and has ended nothing');
    resolve();
    await first;
    assert.equal(await changes.run('init', 'makes', async () => 7), 7);
  });

  it('waits for the host to have started', async () => {
    isReady = false;
    const run = changes.run('form', 'makes', () => assert.fail('it was begun'));
    await assert.rejects(run, { code: 'NR_CLUSTER_BUSY', what: 'this host is just starting' });
    assert.equal(changes.current, undefined);
  });

  it('may fail, which is told and logged, and is over then', async () => {
    const failure = new Error('no');
    const run = changes.run('return', 'asks', async () => {
      throw failure;
    });
    await assert.rejects(run, failure);
    assert.deepEqual(logged, [{ what: 'return', err: failure }]);
    assert.equal(changes.current, undefined);
  });
});
