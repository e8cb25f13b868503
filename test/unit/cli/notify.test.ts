import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Notifier } from '../../../src/cli/notify.ts';

describe('notification of systemd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nr-notify-'));
  const program = join(folder, 'systemd-notify');
  const record = join(folder, 'record');
  writeFileSync(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${record}\n`, { mode: 0o755 });
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(() => rmSync(record, { force: true }));

  const errors: string[] = [];
  const log = { info: () => {}, error: (_: object, message: string) => void errors.push(message) };
  const told = () => (existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []);
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const until = async (done: () => boolean) => {
    for (let i = 0; i < 400 && !done(); i++) await pause(10);
    assert.ok(done(), `in time; told: ${told().join(', ')}`);
  };

  it('says nothing to nobody', async () => {
    const notifier = new Notifier({ WATCHDOG_USEC: '20000' }, log, program);
    notifier.ready(() => true);
    await pause(60);
    notifier.stopping();
    await pause(60);
    assert.deepEqual(told(), []);
  });

  it('says when it serves, feeds the watchdog twice as often as it bites, and says when it ends', async () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '100000', PATH: process.env.PATH };
    const notifier = new Notifier(env, log, program);
    const started = Date.now();
    notifier.ready(() => true);
    await until(() => told().filter((line) => line === '/run/x WATCHDOG=1').length >= 3);
    assert.ok(Date.now() - started >= 150, 'not oftener than that');
    notifier.stopping();
    await until(() => told().includes('/run/x STOPPING=1'));
    assert.equal(told()[0], '/run/x READY=1 STATUS=serves Docker');
    const count = told().length;
    await pause(150);
    assert.equal(told().length, count, 'and then no more');
  });

  it('lets the watchdog starve while the loop hangs', async () => {
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '40000', PATH: process.env.PATH };
    const notifier = new Notifier(env, log, program);
    notifier.ready(() => false);
    await pause(150);
    notifier.stopping();
    await until(() => told().includes('/run/x STOPPING=1'));
    assert.deepEqual(
      told().filter((line) => line.includes('WATCHDOG')),
      [],
    );
    assert.ok(errors.some((message) => message.includes('hangs')));
  });

  it('does not feed a watchdog that waits for another process', async () => {
    const env = {
      NOTIFY_SOCKET: '/run/x',
      WATCHDOG_USEC: '20000',
      WATCHDOG_PID: '1',
      PATH: process.env.PATH,
    };
    const notifier = new Notifier(env, log, program);
    notifier.ready(() => true);
    await until(() => told().length === 1);
    await pause(80);
    notifier.stopping();
    assert.deepEqual(
      told().filter((line) => line.includes('WATCHDOG')),
      [],
    );
  });

  it('goes on without the program', async () => {
    errors.length = 0;
    new Notifier({ NOTIFY_SOCKET: '/run/x' }, log, join(folder, 'none')).ready(() => true);
    await until(() => errors.includes('could not tell systemd'));
  });
});
