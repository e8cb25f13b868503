import assert from 'node:assert/strict';
import { join } from 'node:path';
import { run } from '../../lab/run.ts';

const DEMO = join(import.meta.dirname, '../../lab/demo.ts');

describe('the demonstration', function () {
  this.timeout(300_000);

  it('shows the main job, cleans up and says so', async () => {
    const env = { ...process.env, CI: 'true' };
    const { status, stdout, stderr } = await run([process.execPath, DEMO], { timeoutMs: 280_000, env });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.equal(stdout.trimEnd().split('\n').at(-1), 'demo: ok');
    assert.match(stdout, /B>\* 10\.1\.0\.2\/32 .* via 192\.168\.1\.2/, 'the route by vtysh');
  });
});
