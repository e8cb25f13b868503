import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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

  for (const [what, name, away] of [
    ['removed or moved', 'store.db', () => renameSync(file, `${file}.away`)],
    ['removed or moved', 'store.db-wal', () => renameSync(`${file}-wal`, `${file}.away`)],
    [
      'replaced by another file',
      'store.db',
      () => {
        renameSync(file, `${file}.away`);
        writeFileSync(file, '');
      },
    ],
  ] as const)
    it(`is missed when ${name} was ${what}, until it is there again`, async () => {
      const store = new JournalStore({ file });
      await store.commit([{ key: 'policy/x', value: 1 }]);
      store.probe();
      assert.equal(store.refusal, undefined);
      away();
      // Nobody writes: it is seen all the same.
      store.probe();
      await store.commit([]).catch(() => {});
      const { code, what: said, remedy } = store.refusal!;
      assert.deepEqual(
        [code, said],
        ['NR_STORE_FAILED', `${join(folder, name)} was ${what} while it is in use`],
      );
      assert.match(remedy, /^put the files back/);
      await assert.rejects(store.commit([{ key: 'policy/x', value: 2 }]), { code: 'NR_STORE_FAILED' });
      assert.equal(store.get('policy/x')?.value, 1);
      renameSync(`${file}.away`, join(folder, name));
      store.probe();
      await store.commit([]);
      assert.equal(store.refusal, undefined);
      await store.commit([{ key: 'policy/x', value: 3 }]);
      await store.close();
      const again = new JournalStore({ file });
      assert.equal(again.get('policy/x')?.value, 3);
      await again.close();
    });
});
