import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Notifier } from '../../../src/cli/notify.ts';
import { Time } from '../reconcile/time.ts';

describe('notification of systemd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nr-notify-'));
  const program = join(folder, 'systemd-notify');
  const none = join(folder, 'none');
  const record = join(folder, 'record');
  writeFileSync(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${record}\n`, { mode: 0o755 });
  after(() => rmSync(folder, { recursive: true }));
  let time: Time;
  beforeEach(() => {
    rmSync(record, { force: true });
    time = new Time();
  });

  const errors: string[] = [];
  const log = { info: () => {}, error: (_: object, message: string) => void errors.push(message) };
  const told = () => (existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []);
  const until = async (done: () => boolean) => {
    for (let i = 0; i < 400 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(done(), `in time; told: ${told().join(', ')}`);
  };

  it('says nothing to nobody', async () => {
    errors.length = 0;
    const notifier = new Notifier({ WATCHDOG_USEC: '20000' }, log, time, none);
    notifier.ready(() => true);
    await time.pass(60);
    notifier.stopping();
    // The first to try to tell anything.
    new Notifier({ NOTIFY_SOCKET: '/run/x' }, log, time, none).stopping();
    await until(() => errors.length > 0);
    assert.deepEqual(errors, ['could not tell systemd']);
  });

  it('says when it serves, feeds the watchdog twice as often as it bites, and says when it ends', async () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '100000', PATH: process.env.PATH };
    const notifier = new Notifier(env, log, time, program);
    notifier.ready(() => true);
    await until(() => told().length === 1);
    assert.deepEqual(told(), ['/run/x READY=1 STATUS=serves Docker']);
    for (let meal = 1; meal <= 3; meal++) {
      assert.equal(time.next, 50);
      await time.pass(50);
      await until(() => told().filter((line) => line === '/run/x WATCHDOG=1').length === meal);
    }
    notifier.stopping();
    await until(() => told().at(-1) === '/run/x STOPPING=1');
    assert.equal(time.waiting, 0, 'and then no more');
  });

  it('lets the watchdog starve while the loop hangs', async () => {
    errors.length = 0;
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '40000', PATH: process.env.PATH };
    const notifier = new Notifier(env, log, time, program);
    let live = false;
    notifier.ready(() => live);
    await time.pass(40);
    assert.equal(errors.filter((message) => message.includes('hangs')).length, 2);
    live = true;
    await time.pass(20);
    await until(() => told().length === 2);
    assert.deepEqual(told().sort(), ['/run/x READY=1 STATUS=serves Docker', '/run/x WATCHDOG=1']);
    notifier.stopping();
  });

  it('does not feed a watchdog that waits for another process', () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '20000', PATH: process.env.PATH };
    new Notifier({ ...env, WATCHDOG_PID: '1' }, log, time, program).ready(() => true);
    assert.equal(time.waiting, 0);
    const notifier = new Notifier({ ...env, WATCHDOG_PID: String(process.pid) }, log, time, program);
    notifier.ready(() => true);
    assert.equal(time.waiting, 1);
    notifier.stopping();
  });

  it('goes on without the program', async () => {
    errors.length = 0;
    new Notifier({ NOTIFY_SOCKET: '/run/x' }, log, time, none).ready(() => true);
    await until(() => errors.includes('could not tell systemd'));
  });
});
