import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch } from '../../src/store/backing.ts';
import { MemoryDisk, MemoryStore } from '../../src/store/memory.ts';
import { Replica } from '../../src/store/replica.ts';
import { SqliteBacking } from '../../src/store/sqlite.ts';
import { type ReplicaPlace, replicaSuite } from './replica.suite.ts';
import { sumsSuite } from './sums.suite.ts';

/** A file whose next write fails in its middle. */
class FailingFile extends SqliteBacking {
  fails = false;

  override write(batch: Batch): void {
    if (!this.fails) return super.write(batch);
    this.fails = false;
    // The last step is one that SQLite refuses, so that it has to take back the others.
    const record = {
      ...batch.steps.flatMap((step) => (step.do === 'put' ? [step.record] : []))[0]!,
      key: 'none',
    };
    super.write({ ...batch, steps: [...batch.steps, { do: 'put', record }] });
  }
}

function memory(): ReplicaPlace {
  const disk = new MemoryDisk();
  return {
    open: (options) => new MemoryStore({ ...options, disk }),
    failNext() {
      disk.failure = new Error('injected');
      return true;
    },
    remove() {},
  };
}

function file(): ReplicaPlace {
  const folder = mkdtempSync(join(tmpdir(), 'net-routed-replica-'));
  let backing: FailingFile;
  return {
    open(options) {
      backing = new FailingFile(join(folder, 'store.db'));
      return new Replica(backing, options);
    },
    failNext() {
      backing.fails = true;
      return true;
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

describe('a replica in memory', () => {
  replicaSuite(memory);
  describe('its sums', () => sumsSuite(memory, 1000));
});

describe('a replica in a file', () => {
  replicaSuite(file);
  describe('its sums', () => sumsSuite(file, 30));
});
