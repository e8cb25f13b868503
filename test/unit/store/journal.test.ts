import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CodedError, type ErrorCode } from '../../../src/errors.ts';
import { JournalStore } from '../../../src/store/journal.ts';

describe('journal file', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'net-routed-store-'));
    file = join(folder, 'state', 'store.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A store of so many records, closed. */
  async function make(records = 1): Promise<void> {
    const store = new JournalStore({ file });
    const changes = Array.from({ length: records }, (_, i) => ({
      key: `a/${i}`,
      value: { text: 'x'.repeat(100), i },
    }));
    await store.commit(changes);
    await store.close();
  }

  function sql(text: string): void {
    const database = new DatabaseSync(file);
    database.exec(text);
    database.close();
  }

  /** A program writes that and is killed: it is in the log only. */
  function crash(text: string): void {
    const database = new DatabaseSync(file);
    database.exec(text);
    const left = ['', '-wal'].map((end) => [`${file}${end}`, readFileSync(`${file}${end}`)] as const);
    database.close();
    for (const [name, bytes] of left) writeFileSync(name, bytes);
  }

  /** Opening fails, and leaves every byte of the folder as it is. */
  function refuses(code: ErrorCode, message: RegExp): void {
    const before = contents(folder);
    assert.throws(
      () => new JournalStore({ file }),
      (error) => error instanceof CodedError && error.code === code && message.test(error.message),
    );
    assert.deepEqual(contents(folder), before);
  }

  it('is for its owner only, with its folder, its journal and whatever umask there is', async () => {
    const umask = process.umask(0);
    try {
      const store = new JournalStore({ file });
      await store.commit([{ key: 'a/1', value: 1 }]);
      assert.deepEqual(modes(file), { folder: 0o700, 'store.db': 0o600, 'store.db-wal': 0o600 });
      await store.close();
      assert.deepEqual(readdirSync(join(file, '..')), ['store.db']);
      chmodSync(file, 0o644);
      await new JournalStore({ file }).close();
      assert.deepEqual(modes(file), { folder: 0o700, 'store.db': 0o600 });
    } finally {
      process.umask(umask);
    }
  });

  it('leaves an existing folder its mode, and starts from an empty file', async () => {
    mkdirSync(join(folder, 'state'), { mode: 0o755 });
    chmodSync(join(folder, 'state'), 0o755);
    writeFileSync(file, ''); // as a power failure during the first start leaves it
    await make();
    assert.deepEqual(modes(file), { folder: 0o755, 'store.db': 0o600 });
  });

  it('of a newer release is refused and left alone, its journal included', async () => {
    await make();
    sql('PRAGMA user_version = 99');
    refuses('NR_STORE_NEWER', /storage version 99/);

    rmSync(file);
    await make();
    crash('PRAGMA user_version = 98');
    refuses('NR_STORE_NEWER', /storage version 98/);
  });

  it('of another program is refused and left alone', () => {
    mkdirSync(join(folder, 'state'));
    sql('CREATE TABLE theirs (x)');
    refuses('NR_STORE_FAILED', /belongs to another program/);
    sql('DROP TABLE theirs; PRAGMA application_id = 7');
    refuses('NR_STORE_FAILED', /belongs to another program/);
    for (const text of ['CREATE TABLE theirs (x)', 'PRAGMA application_id = 7']) {
      rmSync(file);
      sql('PRAGMA journal_mode = WAL');
      crash(text);
      refuses('NR_STORE_FAILED', /belongs to another program/);
      rmSync(`${file}-wal`);
    }
    rmSync(file);
    writeFileSync(file, 'root:x:0:0:root:/root:/bin/sh\n'.repeat(100));
    refuses('NR_STORE_FAILED', /is damaged \(file is not a database\): restore it/);
    rmSync(file);
    mkdirSync(file);
    refuses('NR_STORE_FAILED', /is not a file/);
  });

  it('that is damaged is refused, not made anew', async () => {
    await make(5000);
    const whole = readFileSync(file);
    const pages = whole.length / 4096;
    for (const [name, damage] of [
      ['a page of zeros', (bytes: Buffer) => bytes.fill(0, 4096 * 40, 4096 * 41)],
      ['a page of noise', (bytes: Buffer) => bytes.fill(0xa5, 4096 * (pages - 2), 4096 * (pages - 1))],
      ['a value that is no JSON', (bytes: Buffer) => replaceAll(bytes, '"i":77}', '"i":77]')],
      ['the schema', (bytes: Buffer) => bytes.fill(0, 100, 4096)],
    ] as const) {
      const bytes = Buffer.from(whole);
      damage(bytes);
      writeFileSync(file, bytes);
      assert.throws(
        () => new JournalStore({ file }),
        { code: 'NR_STORE_FAILED', message: /is damaged/ },
        name,
      );
      assert.equal(statSync(file).size, whole.length, name);
    }
    writeFileSync(file, whole);
    truncateSync(file, 4096 * 10);
    assert.throws(
      () => new JournalStore({ file }),
      { code: 'NR_STORE_FAILED', message: /is damaged/ },
      'half of it',
    );
    writeFileSync(file, whole);
    const store = new JournalStore({ file });
    assert.equal([...store.list('a')].length, 5000);
    await store.close();
  });

  it('goes on after a statement that failed in the middle of a write', async () => {
    await make();
    sql(
      "CREATE TRIGGER no BEFORE INSERT ON record WHEN new.key = 'a/no' BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    const store = new JournalStore({ file });
    const changes = ['a/before', 'a/no', 'a/after'].map((key) => ({ key, value: 1 }));
    await assert.rejects(store.commit(changes), { code: 'NR_STORE_FAILED', message: /store\.db: no;/ });
    await store.commit([{ key: 'a/next', value: 1 }]);
    await store.close();
    const again = new JournalStore({ file });
    assert.deepEqual(
      [...again.list('a')].map(({ key }) => key),
      ['a/0', 'a/next'],
    );
    await again.close();
  });

  it('without its identity is refused', async () => {
    await make();
    sql('DELETE FROM record; DELETE FROM origin');
    assert.throws(() => new JournalStore({ file }), {
      code: 'NR_STORE_FAILED',
      message: /has no first row/,
    });
  });

  it('is refused to a second process, with words that name it', async () => {
    const store = new JournalStore({ file });
    const script = `
      import { JournalStore } from ${JSON.stringify(new URL('../../../src/store/journal.ts', import.meta.url).href)};
      try { new JournalStore({ file: ${JSON.stringify(file)} }); } catch (error) { console.log(error.message); }`;
    const run = () =>
      execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    assert.match(run(), /^NR_STORE_LOCKED: another process uses .*store\.db; stop the other daemon/);
    await store.commit([{ key: 'a/1', value: 1 }]);
    assert.match(run(), /^NR_STORE_LOCKED/);
    await store.close();
    assert.equal(run(), '');
  });

  it('of the state folder where none can be made says so', () => {
    file = join(folder, 'plain', 'store.db');
    writeFileSync(join(folder, 'plain'), '');
    refuses('NR_STORE_FAILED', /plain/);
  });
});

function replaceAll(bytes: Buffer, from: string, to: string): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at)) bytes.write(to, at);
}

/** Digests of all files. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const names = files.map((one) => join(one.parentPath, one.name));
  return Object.fromEntries(
    names.map((name) => [name, createHash('sha256').update(readFileSync(name)).digest('hex')]),
  );
}

function modes(file: string): Record<string, number> {
  const folder = join(file, '..');
  const files = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777] as const);
  return { folder: statSync(folder).mode & 0o777, ...Object.fromEntries(files) };
}
