import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { CodedError } from '../errors.ts';
import type { Backing, Batch, Step } from './backing.ts';
import type { Versioned } from './crdt/record.ts';
import { NOTHING, type OriginSum, type SumsView } from './crdt/sums.ts';
import { Vector, type VectorView } from './crdt/vector.ts';
import { Named, prepareFile, protectFile } from './files.ts';
import { firstPage } from './look.ts';
import { loadSums, recount, sumColumns } from './recount.ts';
import { renameOrigin } from './rename.ts';
import { APPLICATION_ID, CLASSES, MIGRATIONS } from './schema.ts';

/** Primary result codes of SQLite (sqlite3.h). */
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

const PUT_BACK =
  'put the files back that were there, or stop the daemon: the next start begins with what is there then';

const COLUMNS = 'key, class, value, origin, sequence, rank, seal';

type Columns = [
  key: string,
  kind: number,
  text: string | null,
  origin: number,
  sequence: number,
  rank: number,
  seal: Uint8Array | null,
];

/**
 * Records in one SQLite file: write-ahead log, fsync at each write, and an exclusive lock that the kernel drops with
 * the process. The file is checked whole at each opening (PRAGMA quick_check, about 1 s for a million records), because a
 * damaged store may answer for years and then give an address twice.
 */
export class SqliteBacking implements Backing {
  readonly origin: string;
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #named: Named;
  readonly #statements = new Map<string, StatementSync>();
  /** Statements that nobody reads from at the moment, by their text: to compile one takes longer than to run it. */
  readonly #idle = new Map<string, StatementSync[]>();
  readonly #known = new Vector();
  readonly #sums: Map<string, OriginSum>;
  readonly #numbers = new Map<string, number>();
  readonly #names = new Map<number, string>();

  /**
   * `origin`: the id that the replica is to have from now on; its own by default, which was drawn when it was made.
   * @throws NR_STORE_FAILED, NR_STORE_LOCKED, NR_STORE_NEWER, NR_STORE_IDENTITY
   */
  constructor(file: string, origin?: string) {
    this.#file = file;
    let database: DatabaseSync | undefined;
    try {
      prepareFile(file);
      refuseForeign(file);
      protectFile(file);
      database = new DatabaseSync(file);
      prepareDatabase(database);
      migrate(database);
      if (origin !== undefined) renameOrigin(database, file, origin);
      for (const row of database.prepare('SELECT number, name, known FROM origin').all()) {
        this.#name(Number(row.number), String(row.name));
        this.#known.advance(String(row.name), Number(row.known));
      }
      this.#sums = loadSums(database);
      const own = this.#names.get(1);
      if (own === undefined) throw new Error('the table origin has no first row');
      this.origin = own;
    } catch (error) {
      database?.close();
      throw explain(file, error);
    }
    this.#database = database;
    this.#named = new Named(file, `${file}-wal`);
  }

  get vector(): VectorView {
    return this.#known.view;
  }

  get sums(): SumsView {
    return this.#sums;
  }

  get size(): number {
    return Number(this.#prepared('SELECT count(*) AS count FROM record').get()?.count);
  }

  *resident(): Generator<Versioned> {
    try {
      // Two questions, each with an index of its own: with an OR all records are read.
      yield* this.#query(`SELECT ${COLUMNS} FROM record WHERE class <> 0`);
      yield* this.#query(`SELECT ${COLUMNS} FROM record WHERE origin = 1 AND class = 0`);
    } catch (error) {
      this.close();
      throw explain(this.#file, error);
    }
  }

  get(key: string): Versioned | undefined {
    for (const version of this.#query(`SELECT ${COLUMNS} FROM record WHERE key = ?`, key)) return version;
    return undefined;
  }

  list(namespace: string): Iterable<Versioned> {
    // '0' is the character after '/'.
    const text = `SELECT ${COLUMNS} FROM record WHERE key > ? AND key < ? AND value IS NOT NULL ORDER BY key`;
    return this.#query(text, `${namespace}/`, `${namespace}0`);
  }

  range(origin: string, from: number, to: number): Iterable<Versioned> {
    const number = this.#numbers.get(origin);
    if (number === undefined) return [];
    const text = `SELECT ${COLUMNS} FROM record WHERE origin = ? AND sequence > ? AND sequence <= ? AND class <> 3
                  ORDER BY sequence`;
    return this.#query(text, number, from, to);
  }

  page(after: string, limit: number): readonly Versioned[] {
    const text = `SELECT ${COLUMNS} FROM record WHERE key > ? AND class <> 3 ORDER BY key LIMIT ?`;
    return [...this.#query(text, after, limit)];
  }

  tombstones(): Iterable<Versioned> {
    return this.#query(`SELECT ${COLUMNS} FROM record WHERE value IS NULL`);
  }

  get trouble(): CodedError | undefined {
    const what = this.#named.trouble;
    return what === undefined ? undefined : new CodedError('NR_STORE_FAILED', what, { remedy: PUT_BACK });
  }

  write({ steps, known, sums = new Map() }: Batch): void {
    const { trouble } = this;
    if (trouble) throw trouble;
    this.#database.exec('BEGIN IMMEDIATE');
    const fresh: string[] = [];
    try {
      for (const step of steps) this.#do(step, fresh);
      const grown = new Map(known);
      for (const origin of new Set([...grown.keys(), ...sums.keys()])) {
        const sum = sums.get(origin) ?? this.#sums.get(origin) ?? NOTHING;
        const sequence = grown.get(origin) ?? this.#known.of(origin);
        this.#prepared(
          'UPDATE origin SET known = ?, owned = ?, owned_hash = ?, common = ?, common_hash = ? WHERE number = ?',
        ).run(sequence, ...sumColumns(sum), this.#number(origin, fresh));
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      // SQLite has rolled back by itself for some errors of the disk, and would refuse to do it again.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      for (const name of fresh) this.#forget(name);
      throw explain(this.#file, error);
    }
    for (const [origin, sequence] of known) this.#known.advance(origin, sequence);
    for (const [origin, sum] of sums) this.#sums.set(origin, sum);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #do(step: Step, fresh: string[]): void {
    if (step.do === 'put') {
      const { key, class: kind, text, origin, sequence, rank, seal } = step.record;
      this.#prepared(
        `INSERT INTO record (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET class = excluded.class, value = excluded.value, origin = excluded.origin,
           sequence = excluded.sequence, rank = excluded.rank, seal = excluded.seal`,
      ).run(
        key,
        CLASSES.indexOf(kind),
        text ?? null,
        this.#number(origin, fresh),
        sequence,
        rank,
        seal ?? null,
      );
    } else if (step.do === 'drop') {
      this.#prepared('DELETE FROM record WHERE key = ?').run(step.key);
    } else {
      const number = this.#numbers.get(step.origin);
      if (number !== undefined)
        this.#prepared('DELETE FROM record WHERE origin = ? AND class = 0').run(number);
    }
  }

  *#query(text: string, ...values: (string | number)[]): Generator<Versioned> {
    // A statement of its own while it is read: another reading may begin in between.
    const idle = this.#idle.get(text) ?? [];
    this.#idle.set(text, idle);
    const statement = idle.pop() ?? this.#database.prepare(text);
    statement.setReturnArrays(true);
    try {
      // Typed as objects whatever setReturnArrays says.
      for (const columns of statement.iterate(...values) as Iterable<unknown> as Iterable<Columns>)
        yield this.#version(columns);
    } finally {
      idle.push(statement);
    }
  }

  #version([key, kind, value, origin, sequence, rank, seal]: Columns): Versioned {
    const name = this.#names.get(origin);
    const known = CLASSES[kind];
    if (name === undefined || known === undefined) throw new Error(`record ${key} has no proper origin`);
    const version = { key, class: known, text: value ?? undefined, origin: name, sequence, rank };
    return seal === null ? version : { ...version, seal };
  }

  #prepared(text: string): StatementSync {
    const statement = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  #number(origin: string, fresh: string[]): number {
    const standing = this.#numbers.get(origin);
    if (standing !== undefined) return standing;
    const { lastInsertRowid } = this.#prepared('INSERT INTO origin (name, known) VALUES (?, 0)').run(origin);
    this.#name(Number(lastInsertRowid), origin);
    fresh.push(origin);
    return Number(lastInsertRowid);
  }

  #name(number: number, name: string): void {
    this.#numbers.set(name, number);
    this.#names.set(number, name);
  }

  #forget(name: string): void {
    this.#names.delete(this.#numbers.get(name) ?? 0);
    this.#numbers.delete(name);
  }
}

/** Looks before anything is written: a file of another program or of a newer release stays as it is. */
function refuseForeign(file: string): void {
  const { application, version, isEmpty } = firstPage(file);
  if (application !== APPLICATION_ID && !isEmpty) {
    throw new CodedError(
      'NR_STORE_FAILED',
      `${file} belongs to another program; choose another state folder`,
    );
  }
  if (version > MIGRATIONS.length) {
    const what = `${file} has storage version ${version}, and this release knows ${MIGRATIONS.length}`;
    throw new CodedError('NR_STORE_NEWER', what);
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
    recount(database);
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
  const code = codeOf(error);
  if (code === BUSY)
    return new CodedError('NR_STORE_LOCKED', `another process uses ${file}`, { cause: error });
  const broken = code === CORRUPT || code === NOT_A_DATABASE;
  return new CodedError('NR_STORE_FAILED', broken ? damaged(file, text) : `${file}: ${text}`, {
    cause: error,
  });
}

/** The primary result code. */
function codeOf(error: unknown): number {
  return Number((error as { errcode?: unknown }).errcode) & 255;
}

function damaged(file: string, text: string): string {
  return `${file} is damaged (${text}): restore it from a backup, or move it away to start with an empty store`;
}
