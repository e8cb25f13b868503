import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
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

  const waitFor = async (done: () => boolean, what = 'happened') => {
    for (const until = Date.now() + 5_000; Date.now() < until; ) {
      if (done()) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.fail(`never ${what}`);
  };
  const said = (what: RegExp) =>
    waitFor(() => existsSync(child.log) && what.test(readFileSync(child.log, 'utf8')), `said ${what}`);

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

  describe('whose number was not written down', () => {
    const fifo = join(folder, 'fifo');
    const file = join(run, 'gobgpd.pid');
    before(() => {
      // Unlike the other one it keeps the arguments that it was run with.
      const wait = `mkfifo ${fifo}.$$ && read -r _ < ${fifo}.$$`;
      writeFileSync(program, `#!/bin/sh\ncase "$1" in --api-hosts) ${wait};; *) echo no;; esac\n`);
    });
    after(() => install('no such option', 1));

    /** The program as something else runs it. */
    const other = (folder: string): ChildProcess =>
      spawn(program, ['--api-hosts', `unix://${join(folder, 'gobgp.sock')}`], { stdio: 'ignore' });

    for (const [what, lose] of [
      ['is missing', () => rmSync(file)],
      ['is half written', () => writeFileSync(file, '{"pi')],
      ['is of one that has ended', () => writeFileSync(file, '{"pid":1,"start":"1"}')],
    ] as const) {
      it(`is found by its arguments when the file ${what}, which is then written anew`, async () => {
        const id = await child.spawn();
        // Until then the shell may just have forked, and the other half has the same arguments for a moment.
        await waitFor(() => existsSync(`${fifo}.${id.pid}`), 'waited');
        lose();
        assert.deepEqual(child.running(), id);
        assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), id);
        lose();
        await child.stop('by force');
        assert.ok(await ended(id, 1_000));
      });
    }

    it('is not taken for that of another folder, nor for the same path in another tree', async () => {
      const elsewhere = other(join(folder, 'elsewhere'));
      // As in a container: the path is the same, the folder is not.
      const hidden = spawn('unshare', [
        ...['--mount', 'sh', '-c', `mount -t tmpfs none ${run} && exec "$@"`, 'sh', program],
        ...['--api-hosts', `unix://${child.socket}`],
      ]);
      try {
        await waitFor(() => readFileSync(`/proc/${hidden.pid}/cmdline`, 'utf8').startsWith('/bin/sh'));
        rmSync(file, { force: true });
        assert.equal(child.running(), undefined);
        await child.stop('by force');
        assert.ok(processOf(elsewhere.pid!) && processOf(hidden.pid!), 'left alone');
      } finally {
        elsewhere.kill('SIGKILL');
        hidden.kill('SIGKILL');
      }
    });

    it('is ended together with a second one that was started beside it', async () => {
      const first = await child.spawn();
      rmSync(file);
      const second = other(run);
      const id = processOf(second.pid!)!;
      await child.stop('by force');
      assert.ok((await ended(first, 1_000)) && (await ended(id, 1_000)));
    });
  });

  it('has its number in the file as a whole or not at all', async () => {
    const file = join(run, 'gobgpd.pid');
    const copy = join(folder, 'copy');
    const first = await child.spawn();
    linkSync(file, copy);
    await child.stop('by force');
    await child.spawn();
    // Written in place, both names would show the new one.
    assert.deepEqual(JSON.parse(readFileSync(copy, 'utf8')), first);
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
