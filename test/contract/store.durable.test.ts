import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { Random } from '../../sim/random.ts';
import { JournalStore } from '../../src/store/journal.ts';
import { Batches } from '../unit/store/batches.ts';
import { Disk } from './powerloss.ts';
import { type Called, straced } from './straced.ts';

const CHILD = fileURLToPath(new URL('../unit/store/kill.child.ts', import.meta.url));
/** Batches of three records: enough that the log is taken over into the database several times. */
const BATCHES = 1500;
/** Moments at which the power is lost. */
const LOSSES = Number(process.env.NET_ROUTED_LOSSES ?? 40);
/** SQLite's number for FULL. */
const FULL = 2;

describe('store in a journal, without power', function () {
  this.timeout(60_000 + LOSSES * 2000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'net-routed-durable-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has SQLite sync each commit, and share its file with nobody', async () => {
    const databases = new Set<DatabaseSync>();
    const { prepare } = DatabaseSync.prototype;
    DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...parameters) {
      databases.add(this);
      return prepare.apply(this, parameters);
    };
    const store = (() => {
      try {
        return new JournalStore({ file: join(folder, 'store.db') });
      } finally {
        DatabaseSync.prototype.prepare = prepare;
      }
    })();
    await store.commit([{ key: 'a/1', value: 1 }]);
    const open = [...databases].filter(({ isOpen }) => isOpen);
    assert.equal(open.length, 1);
    const says = (name: string) => Object.values(open[0]!.prepare(`PRAGMA ${name}`).get()!)[0];
    const names = [
      'synchronous',
      'journal_mode',
      'locking_mode',
      'trusted_schema',
      'cell_size_check',
      'mmap_size',
    ];
    assert.deepEqual(
      names.map((name) => says(name)),
      [FULL, 'wal', 'exclusive', 0, 1, 0],
    );
    await store.close();
  });

  it(`has all that it acknowledged on the disk, and opens it after ${LOSSES} losses`, async () => {
    const top = join(folder, 'disk');
    mkdirSync(top);
    const file = join(top, 'state', 'store.db');
    const calls = await straced([CHILD, file, '0', `${BATCHES}`], top, join(folder, 'strace'));
    check(calls, top, file);
    const seed = Date.now() % 100_000;
    try {
      await lose(calls, top, new Random(seed));
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  });

  /** At each acknowledgement, all that was written before it has been synced, and so have the names of the files. */
  function check(calls: readonly Called[], top: string, file: string): void {
    const disk = new Disk(top);
    let said = 0;
    let checkpoints = 0;
    for (const call of calls) {
      if (call.do === 'say') {
        said++;
        const text = call.text.trim();
        assert.ok(disk.isCertain(`${file}-wal`), `${text} is said before its log is synced`);
        assert.ok(disk.isCertain(file), `${text} is said before the database is synced`);
      }
      if (call.do === 'sync' && call.path === file) checkpoints++;
      disk.take(call);
    }
    assert.ok(said > BATCHES, `${said} acknowledgements: too few to mean anything`);
    assert.ok(checkpoints > 2, `${checkpoints} checkpoints: too few to mean anything`);
  }

  /** Opens, with the shipped code, what the disk may have at moments by chance. */
  async function lose(calls: readonly Called[], top: string, random: Random): Promise<void> {
    const moments = Array.from({ length: LOSSES }, () => random.below(calls.length)).sort(
      (one, other) => one - other,
    );
    const disk = new Disk(top);
    const said = new Batches();
    for (const [at, call] of calls.entries()) {
      while (moments[0] === at) {
        moments.shift();
        for (const least of [true, false]) {
          const image = mkdtempSync(join(folder, 'image-'));
          disk.write(image, random, least);
          await reopen(join(image, 'state', 'store.db'), said);
          rmSync(image, { recursive: true });
        }
      }
      disk.take(call);
      if (call.do === 'say') said.take(call.text.trim());
    }
    assert.equal(moments.length, 0);
  }
});

async function reopen(file: string, said: Batches): Promise<void> {
  // Its check of the whole file is part of opening it.
  const store = new JournalStore({ file });
  said.verify(store);
  const [entry] = await store.commit([{ key: 'other/1', value: 1 }]);
  assert.ok(entry!.version.sequence > said.highest, 'sequences go on after the last acknowledged');
  await store.close();
  const database = new DatabaseSync(file);
  assert.deepEqual(Object.values(database.prepare('PRAGMA integrity_check').get()!), ['ok']);
  database.close();
}
