import { rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { CodedError } from '../errors.ts';
import type { Backing, Write } from './backing.ts';
import { prepareFile, protectFile } from './files.ts';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';

/** Primary result codes of SQLite (sqlite3.h). */
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/**
 * Records in one SQLite file: write-ahead log, fsync at each write, and an exclusive lock that the kernel drops with
 * the process. The file is checked whole at each opening (PRAGMA quick_check, 10 ms for 30,000 records), because a
 * damaged store may answer for years and then give an address twice.
 */
export class SqliteBacking implements Backing {
  readonly origin: string;
  readonly sequence: number;
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #advance: StatementSync;

  /** @throws NR_STORE_FAILED, NR_STORE_LOCKED, NR_STORE_NEWER */
  constructor(file: string) {
    this.#file = file;
    let database: DatabaseSync | undefined;
    try {
      prepareFile(file);
      refuseForeign(file);
      protectFile(file);
      database = new DatabaseSync(file);
      prepareDatabase(database);
      migrate(database);
      rmSync(`${file}-shm`, { force: true }); // left by the look before: under the exclusive lock it is nobody's
      const meta = database.prepare(
        "SELECT value FROM meta WHERE name = 'origin' OR name = 'sequence' ORDER BY name",
      );
      const [origin, sequence] = meta.all().map((row) => row.value);
      if (typeof origin !== 'string' || typeof sequence !== 'number')
        throw new Error('the table meta is incomplete');
      this.origin = origin;
      this.sequence = sequence;
      this.#put = database.prepare(
        `INSERT INTO record (key, value, sequence) VALUES (?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, sequence = excluded.sequence`,
      );
      this.#remove = database.prepare('DELETE FROM record WHERE key = ?');
      this.#advance = database.prepare("UPDATE meta SET value = ? WHERE name = 'sequence'");
    } catch (error) {
      database?.close();
      throw explain(file, error);
    }
    this.#database = database;
  }

  *load(): Generator<{ key: string; text: string; sequence: number }> {
    const all = this.#database.prepare('SELECT key, value, sequence FROM record');
    all.setReturnArrays(true);
    try {
      // Typed as objects whatever setReturnArrays says.
      for (const [key, text, sequence] of all.iterate() as Iterable<unknown> as Iterable<
        [string, string, number]
      >) {
        yield { key, text, sequence };
      }
    } catch (error) {
      this.close();
      throw explain(this.#file, error);
    }
  }

  write(writes: readonly Write[]): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const { key, text, sequence } of writes) {
        if (text === undefined) this.#remove.run(key);
        else this.#put.run(key, text, sequence);
      }
      this.#advance.run(writes.at(-1)!.sequence);
      this.#database.exec('COMMIT');
    } catch (error) {
      // SQLite has rolled back by itself for some errors of the disk, and would refuse to do it again.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw explain(this.#file, error);
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/** Looks before anything is written: a file of another program or of a newer release stays as it is. */
function refuseForeign(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const id = pragma(database, 'application_id');
    const version = pragma(database, 'user_version');
    const empty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    if (id !== APPLICATION_ID && !(empty && id === 0 && version === 0)) {
      throw new CodedError(
        'NR_STORE_FAILED',
        `${file} belongs to another program; choose another state folder`,
      );
    }
    if (Number(version) > MIGRATIONS.length) {
      const what = `${file} has storage version ${version}, and this release knows ${MIGRATIONS.length}`;
      throw new CodedError('NR_STORE_NEWER', what);
    }
  } finally {
    database.close();
  }
}

function prepareDatabase(database: DatabaseSync): void {
  // Before the journal mode: so the log's index is in memory and no second process can ever take part.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  if (pragma(database, 'journal_mode = WAL') !== 'wal')
    throw new Error('the file system does not support its journal');
  database.exec('PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
  database.exec(`PRAGMA journal_size_limit = ${16 * 2 ** 20}`);
  const check = pragma(database, 'quick_check(1)');
  if (check !== 'ok')
    throw new CodedError('NR_STORE_FAILED', damaged(database.location() ?? '', String(check)));
}

function migrate(database: DatabaseSync): void {
  database.exec('BEGIN EXCLUSIVE');
  const version = Number(pragma(database, 'user_version'));
  for (const step of MIGRATIONS.slice(version)) database.exec(step);
  if (version < MIGRATIONS.length) {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`);
  }
  database.exec('COMMIT');
}

/** The first value that a pragma answers. */
function pragma(database: DatabaseSync, text: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${text}`).get() ?? {})[0];
}

/** The error in the operator's words. */
function explain(file: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = Number((error as { errcode?: unknown }).errcode) & 255;
  if (code === BUSY)
    return new CodedError('NR_STORE_LOCKED', `another process uses ${file}`, { cause: error });
  const broken = code === CORRUPT || code === NOT_A_DATABASE;
  return new CodedError('NR_STORE_FAILED', broken ? damaged(file, text) : `${file}: ${text}`, {
    cause: error,
  });
}

function damaged(file: string, text: string): string {
  return `${file} is damaged (${text}): restore it from a backup, or move it away to start with an empty store`;
}
