import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('live.child.ts', import.meta.url));

const children: ChildProcess[] = [];

function begin(how: string) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CHILD, how], {
    stdio: 'pipe',
  });
  children.push(child);
  const said: string[] = [];
  child.stdout.on('data', (part: Buffer) => said.push(...part.toString().trim().split('\n')));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const until = async (text: string) => {
    while (!said.includes(text)) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { child: child as ChildProcess, said, ended, until };
}

describe('life of the daemon', () => {
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends in order at ${signal}`, async () => {
      const { child, said, ended, until } = begin('well');
      await until('up');
      child.kill(signal);
      assert.equal(await ended, 0);
      assert.deepEqual(said, ['up', 'daemon ends; routes and interfaces stay', 'down', 'stopped']);
    });
  }

  it('reloads at SIGHUP, as often as that comes', async () => {
    const { child, said, ended, until } = begin('well');
    await until('up');
    for (let times = 1; times <= 2; times++) {
      child.kill('SIGHUP');
      while (said.filter((one) => one === 'reloaded').length < times)
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  });

  it('ends at once at a second SIGINT', async () => {
    const { child, ended, until } = begin('hangs');
    await until('up');
    child.kill('SIGINT');
    await until('stopped');
    child.kill('SIGINT');
    assert.equal(await ended, 130);
  });

  it('that cannot begin ends what had begun, and tells why', async () => {
    const { said, ended } = begin('refuses');
    assert.equal(await ended, 1);
    assert.deepEqual(said, ['stopped', 'failed: no']);
  });

  it('goes on after a rejection that nobody handled, which is logged and counted', async () => {
    const { child, said, ended, until } = begin('rejects');
    await until('counted');
    assert.ok(said.includes('a promise was rejected and nobody listened'));
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  });

  it('does not go on after an exception that nobody caught', async () => {
    const { said, ended } = begin('throws');
    assert.equal(await ended, 1);
    assert.ok(said.includes('uncaught exception, the process ends'));
  });
});
