import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeStore } from '../../../src/store/files.ts';
import { JournalStore } from '../../../src/store/journal.ts';

describe("a store's file", () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'net-routed-files-'));
    file = join(folder, 'store.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('can be removed with all that is in it, also when that is interrupted', async () => {
    const first = new JournalStore({ file });
    await first.commit([{ key: 'policy/x', value: 1 }]);
    const journal = `${file}-wal`;
    cpSync(journal, `${journal}.kept`);
    await first.close();
    removeStore(file);
    assert.deepEqual(readdirSync(folder), ['store.db-wal.kept']);
    cpSync(`${journal}.kept`, journal);
    const again = new JournalStore({ file });
    assert.equal(again.get('policy/x'), undefined);
    assert.deepEqual([...again.vector], []);
    await again.close();
  });
});
