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
    assert.match(stdout, /^ +h3 +\w{12} +present +192\.168\.3\.2:15800/m, 'a member by net-routed hosts');
    assert.match(stdout, /NR_ADDRESS_IN_USE: 10\.1\.0\.2 is in use on host h1/, 'an address of another host');
    assert.match(stdout, /^ +10\.1\.0\.0\/16 +h3 +\d+ +[-\d]+ +\d+$/m, 'what a host has of the pool');
  });
});
