import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../../../src/speaker/gobgp/child.ts';
import { ended, isAlive, processOf, signal } from '../../../src/speaker/gobgp/process.ts';

/** A program that says it is gobgpd, writes down how it was started, and stays. */
const PROGRAM = (help: string, status: number) => `#!/bin/sh
case "$1" in
  --version) echo 'gobgpd version 3.10.0';;
  --help) echo '${help}'; exit ${status};;
  *) echo "started $*"; exec sleep 60;;
esac
`;

describe('speaker/gobgp/child', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nr-child-'));
  const program = join(folder, 'gobgpd');
  const run = join(folder, 'run');
  const child = new Child({ folder: run, program });

  const install = (help: string, status: number) => {
    writeFileSync(program, PROGRAM(help, status));
    chmodSync(program, 0o755);
  };

  before(() => install('no such option', 1));
  afterEach(() => child.stop('by force'));
  after(() => rmSync(folder, { recursive: true }));

  const said = async (what: RegExp) => {
    for (const until = Date.now() + 5_000; Date.now() < until; ) {
      if (existsSync(child.log) && what.test(readFileSync(child.log, 'utf8'))) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.fail(`never said ${what}`);
  };

  it('knows its version', async () => assert.equal(await child.version(), '3.10.0'));

  it('says so when the program is missing', async () => {
    const none = new Child({ folder: run, program: join(folder, 'none') });
    await assert.rejects(() => none.version(), { code: 'NR_SPEAKER_UNAVAILABLE' });
    await assert.rejects(() => none.spawn(), { code: 'NR_SPEAKER_UNAVAILABLE' });
  });

  it('starts it on a socket in a folder for us alone, and another one finds it', async () => {
    const id = await child.spawn();
    await said(/--api-hosts unix:\/\/\S+gobgp\.sock/);
    assert.doesNotMatch(readFileSync(child.log, 'utf8'), /--metrics-path/);
    assert.equal(statSync(run).mode & 0o777, 0o700);
    assert.deepEqual(new Child({ folder: run, program }).running(), id);
  });

  it('closes the port for metrics where there is one', async () => {
    install('--metrics-path', 0);
    await child.spawn();
    await said(/--metrics-path=/);
    install('no such option', 1);
  });

  it('takes no other process for it that got the same number', async () => {
    const id = await child.spawn();
    const file = join(run, 'gobgpd.pid');
    writeFileSync(file, JSON.stringify({ ...id, start: '1' }));
    assert.equal(child.running(), undefined);
    await child.stop('by force');
    assert.ok(isAlive(id), 'left alone');
    signal({ ...id, start: '1' }, 'SIGKILL');
    assert.ok(isAlive(id), 'left alone');
    writeFileSync(file, 'broken');
    assert.equal(child.running(), undefined);
    writeFileSync(file, JSON.stringify(id));
  });

  it('ends it, and is content when it has ended', async () => {
    const id = await child.spawn();
    await child.stop('graceful');
    assert.ok(await ended(id, 1_000));
    assert.equal(child.running(), undefined);
    await child.stop('graceful');
    assert.equal(processOf(2 ** 22 + 1), undefined);
  });

  it('keeps the log within bounds', async () => {
    await child.spawn();
    await said(/started/);
    child.trim();
    assert.notEqual(statSync(child.log).size, 0);
    truncateSync(child.log, (4 << 20) + 1);
    child.trim();
    assert.equal(statSync(child.log).size, 0);
    await child.stop('by force');
    truncateSync(child.log, (1 << 20) + 1);
    await child.spawn();
    await said(/started/);
    assert.ok(existsSync(`${child.log}.1`));
    assert.ok(statSync(child.log).size < 1_000);
    assert.match(child.lastWords(), /started/);
  });
});
