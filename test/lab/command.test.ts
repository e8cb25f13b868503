import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseExec } from '../../lab/exec.ts';
import { Lab } from '../../lab/lab.ts';
import { type Result, run } from '../../lab/run.ts';
import { until } from '../../lab/wait.ts';
import { remains } from './remains.ts';

const name = `t-cmd-${process.pid}`;
const command = join(import.meta.dirname, '..', '..', 'lab', 'lab');
const lab = (...words: string[]): Promise<Result> => run([command, '--name', name, ...words]);
const up = ['up', '--hosts', '1', '--no-daemon', '--no-docker'];

describe('lab command', function () {
  this.timeout(120_000);

  before(async () => {
    const result = await lab(...up);
    assert.equal(result.status, 0, result.stderr);
  });

  after(async () => {
    await Lab.down(name);
  });

  it('is no error when the lab is up already', async () => {
    const result = await lab(...up);
    assert.deepEqual([result.status, result.stderr], [0, '']);
  });

  it('passes input, output, errors and status through untouched', async () => {
    const input = randomBytes(300_000).toString('latin1');
    const words = ['exec', 'h1', '--', 'sh', '-c', 'cat; printf "%s|" "$@" >&2; exit 42', 'sh'];
    const odd = ['a b', '', '--', '-x', '--name', "it's", '$HOME', '"'];
    const result = await run([command, '--name', name, ...words, ...odd], { input });
    assert.equal(result.status, 42);
    assert.equal(result.stdout, input);
    assert.equal(result.stderr, `${odd.join('|')}|`);
  });

  it('adds nothing of its own to an empty output', async () => {
    assert.deepEqual(await lab('exec', 'tor', '--', 'true'), { status: 0, stdout: '', stderr: '' });
  });

  it('passes signals on to the command', async () => {
    const argv = [
      '--name',
      name,
      'exec',
      'h1',
      '--',
      'sh',
      '-c',
      'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done',
    ];
    const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    assert.equal(await ended(child), 9);
  });

  it('reads an exec to the last word', () => {
    assert.deepEqual(parseExec(['--name', 'x', 'exec', 'h1', '--', 'ls', '--', '-l']), {
      name: 'x',
      host: 'h1',
      argv: ['ls', '--', '-l'],
    });
    assert.deepEqual(parseExec(['--name=x', 'exec', 'h1', 'ls'])?.argv, ['ls']);
    assert.deepEqual(parseExec(['exec', 'h1'])?.argv, ['bash']);
    assert.equal(parseExec(['up', 'exec']), undefined);
    assert.equal(parseExec(['exec', '--help']), undefined);
  });

  it('shows the hosts to people and to programs', async () => {
    assert.match((await lab('status')).stdout, /^HOST +UP +ADDRESS[\s\S]*^h1 +yes +192\.168\.1\.2/m);
    const { up, hosts } = JSON.parse((await lab('status', '--json')).stdout);
    assert.equal(up, true);
    assert.deepEqual(
      hosts.map((one: { host: string }) => one.host),
      ['h1', 'tor', 'out'],
    );
  });

  it('says in one line what is wrong', async () => {
    const unknown = await lab('exec', 'h7', '--', 'true');
    assert.deepEqual([unknown.status, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, /^lab: lab \S+ has no host "h7"; it has h1, tor, out\n$/);
    const absent = await run([command, '--name', 'nobody', 'exec', 'h1', '--', 'true']);
    assert.equal(absent.status, 1);
    assert.match(absent.stderr, /nobody is not up/);
    assert.notEqual((await lab('up', '--release', 'potato')).status, 0);
  });

  it('takes the lab down, and again', async () => {
    assert.equal((await lab('down')).status, 0);
    assert.deepEqual(remains(name), []);
    const again = await lab('down');
    assert.equal(again.status, 0);
    assert.match(again.stdout, /was not up/);
  });
});

describe('lab killed while it is being made', function () {
  this.timeout(300_000);
  const killed = `t-kill-${process.pid}`;

  afterEach(async () => {
    await Lab.down(killed);
  });

  // Moments spread over the second that it takes, from before the first process to after the last.
  for (const moment of [60, 120, 150, 180, 210, 250, 300, 350, 400, 500, 650, 800, 1000])
    it(`leaves nothing once it is taken down (killed after ${moment} ms)`, async () => {
      await killedAfter(moment);
      await Lab.down(killed);
      await until('the last of it to end', () => remains(killed).length === 0, { timeoutMs: 3000 }).catch(
        () => assert.deepEqual(remains(killed), []),
      );
    });

  it('is made afresh by the next up', async () => {
    await killedAfter(350);
    const made = await Lab.up({ name: killed, hosts: 2, daemon: false });
    await made.host('h2').must(['docker', 'run', '--rm', 'busybox:local', 'ping', '-c1', '192.168.1.2']);
    await made.down();
    assert.deepEqual(remains(killed), []);
  });

  async function killedAfter(moment: number): Promise<void> {
    const main = join(import.meta.dirname, '..', '..', 'lab', 'main.ts');
    const words = ['--name', killed, 'up', '--hosts', '2', '--no-daemon'];
    const child = spawn(process.execPath, [main, ...words], { stdio: 'ignore', detached: true });
    await new Promise((resolve) => setTimeout(resolve, moment));
    child.kill('SIGKILL');
    await ended(child);
  }
});

/** Exit status of a child; undefined when a signal ended it. */
async function ended(child: ChildProcess): Promise<number | undefined> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? undefined;
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? undefined)));
}
