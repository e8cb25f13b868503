import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type Ended, runProgram } from '../program.ts';

/** Leaves a program behind that holds the output, and does not hear when it is told to end. */
const LEAVES = `trap '' TERM; (sleep 600) & echo $!`;

describe('a program of the tests', () => {
  const said: string[] = [];
  const run = (script: string, ms: number): Promise<Ended> =>
    runProgram('sh', ['-c', script], {
      cwd: tmpdir(),
      env: process.env,
      ms,
      restMs: 200,
      say: (text) => void said.push(text),
    });
  /** What has ended may wait for its parent to take note of it: its command line is empty then. */
  const isThere = (pid: number) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`).length > 0;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
      return false;
    }
  };
  beforeEach(() => void said.splice(0));

  it('tells how it ended, and what it printed', async () => {
    assert.deepEqual(await run('echo text; exit 3', 60_000), { status: 3, output: 'text\n' });
    assert.deepEqual(said, ['text\n']);
  });

  it('is ended with all that it has started when it takes too long', async () => {
    const { status, output } = await run(`${LEAVES}; wait`, 300);
    assert.equal(status, null);
    assert.ok(!isThere(Number(output)));
    assert.match(said.join(''), /not done after/);
  });

  it('has failed when it ends and leaves something that holds its output', async () => {
    const { status, output } = await run(`${LEAVES}; exit 0`, 60_000);
    assert.equal(status, null);
    assert.ok(!isThere(Number(output)));
    assert.match(said.join(''), /left behind/);
  });
});
