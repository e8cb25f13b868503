import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
});
