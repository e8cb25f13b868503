import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JournalStore } from '../../src/store/journal.ts';
import { classes, type StorePlace, storeSuite } from './store.suite.ts';

function onDisk(): StorePlace {
  const folder = mkdtempSync(join(tmpdir(), 'net-routed-store-'));
  return {
    open: (report) => new JournalStore({ file: join(folder, 'state', 'store.db'), report, classes }),
    fill: () => false,
    clear() {},
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** A file system of 1 MiB, if this process may mount one. */
function onSmallDisk(): StorePlace {
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
  return {
    open: (report) => new JournalStore({ file: join(folder, 'state', 'store.db'), report, classes }),
    fill() {
      const descriptor = openSync(filler, 'w');
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

describe('store in a journal', () => storeSuite(onDisk, onSmallDisk));
