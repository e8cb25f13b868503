import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { firstPage } from '../../../src/store/look.ts';

/** What a program may do to its database; each is a transaction, or the end of a log. */
const WRITES = [
  'PRAGMA user_version = 1',
  'PRAGMA user_version = -2',
  'PRAGMA application_id = 7',
  'CREATE TABLE IF NOT EXISTS t (x)',
  'CREATE TABLE IF NOT EXISTS u (x); INSERT INTO u VALUES (zeroblob(20000))',
  'DROP TABLE IF EXISTS t',
  'PRAGMA wal_checkpoint(PASSIVE)',
  'PRAGMA wal_checkpoint(RESTART)',
  'BEGIN; PRAGMA user_version = 9; PRAGMA cache_size = 1; CREATE TABLE v (x); INSERT INTO v VALUES (zeroblob(90000))',
] as const;

describe('the first page of a database', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'net-routed #?%-'));
    file = join(folder, 'store.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What a program that was killed leaves, which had done all that. */
  function left(writes: readonly string[], size: number): readonly [data: Buffer, log: Buffer] {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    const database = new DatabaseSync(file);
    database.exec(
      `PRAGMA synchronous = OFF; PRAGMA page_size = ${size}; PRAGMA journal_mode = WAL; SELECT 1 FROM sqlite_schema`,
    );
    for (const text of writes) if (!database.isTransaction) database.exec(text);
    const files = [readFileSync(file), readFileSync(`${file}-wal`)] as const;
    database.close();
    return files;
  }

  function put(data: Buffer, log: Buffer): void {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    writeFileSync(file, data);
    writeFileSync(`${file}-wal`, log);
  }

  /** What SQLite reads when it opens the file for good. */
  function bySqlite() {
    const database = new DatabaseSync(file);
    database.exec('PRAGMA synchronous = OFF');
    const number = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
    const [application, version] = [number('application_id'), number('user_version')];
    const isBare = database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
    database.close();
    return { application, version, isEmpty: isBare && application === 0 && version === 0 };
  }

  it('is read as SQLite reads it, whatever the log ends with, and nothing is written', () => {
    const writes = fc.array(fc.constantFrom(...WRITES), { maxLength: 8 });
    const size = fc.constantFrom(512, 4096, 65536);
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const damage = fc.option(fc.record({ at: share, cut: fc.boolean() }), { nil: undefined, freq: 2 });
    let logged = 0;
    const check = fc.property(writes, size, damage, (texts, bytes, hurt) => {
      const [data, log] = left(texts, bytes);
      const place = Math.floor((hurt?.at ?? 1) * log.length);
      if (hurt && !hurt.cut && place < log.length) log.writeUInt8(log.readUInt8(place) ^ 1, place);
      put(data, hurt?.cut ? log.subarray(0, place) : log);
      const said = firstPage(file);
      assert.deepEqual(readdirSync(folder), ['store.db', 'store.db-wal']);
      assert.deepEqual(readFileSync(file), data);
      rmSync(`${file}-wal`);
      if (!equal(said, firstPage(file))) logged++;
      put(data, hurt?.cut ? log.subarray(0, place) : log);
      assert.deepEqual(said, bySqlite());
    });
    fc.assert(check, { numRuns: 150 });
    assert.ok(logged > 10, `the log decided ${logged} times`);
  }).timeout(20_000);

  it('of an empty file is nobody’s, and of no database an error', () => {
    writeFileSync(file, '');
    assert.deepEqual(firstPage(file), { application: 0, version: 0, isEmpty: true });
    writeFileSync(file, 'root:x:0:0:root:/root:/bin/sh\n'.repeat(100));
    assert.throws(() => firstPage(file), /not a database/);
  });
});

function equal(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
