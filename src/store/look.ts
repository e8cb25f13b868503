import { closeSync, openSync, readSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/** What tells whose a file is. */
export interface FirstPage {
  /** PRAGMA application_id. */
  readonly application: number;
  /** PRAGMA user_version. */
  readonly version: number;
  /** Whether nobody has put anything into the file: neither a number nor a table, nor anything else of a schema. */
  readonly isEmpty: boolean;
}

// Places in a database's first page, in a log's header and in that of each frame of a log
// (sqlite.org/fileformat2.html, 1.3, 1.6 and 4.1). Numbers are big-endian.
const VERSION = 60;
const APPLICATION = 68;
const ROOT = 100;
const LEAF = 0x0d;
const LOG_HEADER = 32;
const MAGIC = 0x377f0682;
const FRAME_HEADER = 24;

/**
 * What a database says of itself, without writing to it, to its log or beside it, as any other way to open a file with
 * a log does: that is another program's, or a newer release's. What the log has of the first page goes before what the
 * file has, as far as it was committed, for a program may have been killed before it took it over.
 * @throws what SQLite throws for what is no database, or a damaged one
 */
export function firstPage(file: string): FirstPage {
  const logged = lastInLog(`${file}-wal`);
  if (logged) {
    const [application, version] = [logged.readInt32BE(APPLICATION), logged.readInt32BE(VERSION)];
    const isBare = logged[ROOT] === LEAF && logged.readUInt16BE(ROOT + 3) === 0;
    return { application, version, isEmpty: application === 0 && version === 0 && isBare };
  }
  // By SQLite all the same: to close a descriptor of our own would end the locks that this process may have on the file.
  const address = pathToFileURL(file);
  address.searchParams.set('immutable', '1'); // neither locks nor log
  const database = new DatabaseSync(address.href, { readOnly: true });
  try {
    const number = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
    const [application, version] = [number('application_id'), number('user_version')];
    // Not asked of what has a number: a page that is half written, and whole in the log, would count as damaged.
    const isEmpty =
      application === 0 &&
      version === 0 &&
      database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    return { application, version, isEmpty };
  } finally {
    database.close();
  }
}

/** The first page of the database as the log has it, if it does: the last one that was committed. */
function lastInLog(log: string): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(log, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return lastCommitted(descriptor);
  } finally {
    closeSync(descriptor); // SQLite's locks are on other files
  }
}

function lastCommitted(descriptor: number): Buffer | undefined {
  const header = Buffer.alloc(LOG_HEADER);
  if (readSync(descriptor, header, 0, LOG_HEADER, 0) < LOG_HEADER) return undefined;
  const magic = header.readUInt32BE(0);
  const size = header.readUInt32BE(8);
  const isPower = size >= 512 && size <= 65536 && (size & (size - 1)) === 0;
  if ((magic & ~1) !== MAGIC || !isPower) return undefined; // SQLite begins such a log anew
  const sum = new Checksum(magic !== MAGIC);
  sum.add(header, 0, 24);
  if (!sum.isAt(header, 24)) return undefined;
  const salts = header.subarray(16, 24);
  const frame = Buffer.alloc(FRAME_HEADER + size);
  let written: Buffer | undefined;
  let committed: Buffer | undefined;
  // To the first frame that is not whole, or of the time before the log was last begun anew.
  for (let at = LOG_HEADER; readSync(descriptor, frame, 0, frame.length, at) === frame.length; ) {
    sum.add(frame, 0, 8);
    sum.add(frame, FRAME_HEADER, frame.length);
    if (!frame.subarray(8, 16).equals(salts) || !sum.isAt(frame, 16)) break;
    if (frame.readUInt32BE(0) === 1) written = Buffer.from(frame.subarray(FRAME_HEADER));
    if (frame.readUInt32BE(4) !== 0) committed = written;
    at += frame.length;
  }
  return committed;
}

/** Of a log, over all that comes before. */
class Checksum {
  readonly #isBig: boolean;
  #first = 0;
  #second = 0;

  constructor(isBig: boolean) {
    this.#isBig = isBig;
  }

  add(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; at += 8) {
      this.#first = (this.#first + this.#word(bytes, at) + this.#second) >>> 0;
      this.#second = (this.#second + this.#word(bytes, at + 4) + this.#first) >>> 0;
    }
  }

  isAt(bytes: Buffer, place: number): boolean {
    return bytes.readUInt32BE(place) === this.#first && bytes.readUInt32BE(place + 4) === this.#second;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}
