import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { JournalStore } from '../../src/store/journal.ts';
import { classes, type StorePlace, storeSuite } from './store.suite.ts';

interface FilePlace extends StorePlace {
  readonly file: string;
  /** Whether its disk can be filled. */
  readonly isSmall: boolean;
}

function onDisk(): FilePlace {
  const folder = mkdtempSync(join(tmpdir(), 'net-routed-store-'));
  const file = join(folder, 'state', 'store.db');
  return {
    file,
    isSmall: false,
    open: (report) => new JournalStore({ file, report, classes }),
    fill: () => false,
    clear() {},
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** A file system of 1 MiB, if this process may mount one. */
function onSmallDisk(): FilePlace {
  const place = onDisk();
  const folder = mkdtempSync(join(tmpdir(), 'net-routed-store-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'net-routed-test', folder], {
      stdio: 'pipe',
    });
  } catch {
    rmSync(folder, { recursive: true });
    return place;
  }
  place.remove();
  const filler = join(folder, 'filler');
  const file = join(folder, 'state', 'store.db');
  return {
    file,
    isSmall: true,
    open: (report) => new JournalStore({ file, report, classes }),
    fill() {
      const descriptor = openSync(filler, 'a');
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(4096));
      } catch {
        return true; // ENOSPC
      } finally {
        closeSync(descriptor);
      }
    },
    clear: () => rmSync(filler),
    remove() {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

describe('store in a journal', () => {
  storeSuite(onDisk, onSmallDisk);

  it('opens what a crash has left on a full disk, and writes when there is room', async function () {
    const [small, large] = [onSmallDisk(), onDisk()];
    try {
      const crashed = large.open();
      await crashed.commit([{ key: 'a/1', value: 1 }]);
      if (!small.isSmall) return this.skip();
      const { file } = small;
      mkdirSync(dirname(file));
      // As a process that was killed leaves them.
      for (const end of ['', '-wal']) cpSync(`${large.file}${end}`, `${file}${end}`);
      await crashed.close();
      small.fill();
      const store = small.open();
      assert.equal(store.get('a/1')?.value, 1);
      small.fill();
      await assert.rejects(store.commit([{ key: 'a/2', value: 'x'.repeat(9000) }]), {
        code: 'NR_STORE_FAILED',
        message: /full/,
      });
      small.clear();
      await store.commit([{ key: 'a/2', value: 2 }]);
      await store.close();
      const again = small.open();
      assert.deepEqual([again.get('a/1')?.value, again.get('a/2')?.value], [1, 2]);
      await again.close();
    } finally {
      small.remove();
      large.remove();
    }
  });

  for (const [whose, made, left, code] of [
    ['of a newer release', '', 'PRAGMA user_version = 99', 'NR_STORE_NEWER'],
    ['of another program', 'PRAGMA application_id = 7', 'CREATE TABLE theirs (x)', 'NR_STORE_FAILED'],
    [
      'that another program has begun',
      'PRAGMA journal_mode = WAL',
      'CREATE TABLE theirs (x)',
      'NR_STORE_FAILED',
    ],
  ] as const) {
    it(`leaves a file ${whose} as a crash has left it, on a full disk too`, async function () {
      const [small, large] = [onSmallDisk(), onDisk()];
      try {
        if (!small.isSmall) return this.skip();
        mkdirSync(dirname(small.file));
        mkdirSync(dirname(large.file));
        if (made === '') await large.open().close();
        const theirs = new DatabaseSync(large.file);
        theirs.exec(`PRAGMA journal_mode = WAL; ${made}`);
        theirs.exec(`PRAGMA wal_checkpoint(TRUNCATE); ${left}`);
        for (const end of ['', '-wal']) cpSync(`${large.file}${end}`, `${small.file}${end}`);
        theirs.close();
        small.fill();
        const before = files(small.file);
        assert.throws(() => small.open(), { code });
        assert.deepEqual(files(small.file), before);
      } finally {
        small.remove();
        large.remove();
      }
    });
  }
});

/** Digests of all files beside one, and of that. */
function files(beside: string): readonly [name: string, digest: string][] {
  const folder = dirname(beside);
  return readdirSync(folder)
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]);
}
