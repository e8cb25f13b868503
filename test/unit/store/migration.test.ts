import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { NAMESPACES } from '../../../src/plan/namespaces.ts';
import { JournalStore } from '../../../src/store/journal.ts';
import { APPLICATION_ID, MIGRATIONS } from '../../../src/store/schema.ts';
import { countedSums, keptSums } from '../../contract/sums.suite.ts';

describe('journal of storage version 1', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'net-routed-store-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A file as the first release left it. */
  function early(
    records: readonly [key: string, value: unknown, sequence: number][],
    sequence: number,
  ): string {
    const file = join(folder, 'store.db');
    const database = new DatabaseSync(file);
    database.exec(MIGRATIONS[0]!);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1`);
    const put = database.prepare('INSERT INTO record VALUES (?, ?, ?)');
    for (const [key, value, at] of records) put.run(key, JSON.stringify(value), at);
    database.prepare("UPDATE meta SET value = ? WHERE name = 'sequence'").run(sequence);
    database.prepare("UPDATE meta SET value = ? WHERE name = 'origin'").run('a1'.repeat(16));
    database.close();
    return file;
  }

  it('gives each host what is its own, and keeps the rest', async () => {
    const file = early(
      [
        ['pool/default:10.1.0.0/16', { prefix: '10.1.0.0/16' }, 1],
        ['network/n1', { id: 'n1' }, 2],
        ['allocation/default:10.1.0.0/16/10.1.0.2', { address: '10.1.0.2' }, 7],
        ['endpoint/e1', { id: 'e1' }, 9],
      ],
      12,
    );
    const store = new JournalStore({ file, classes: NAMESPACES });
    const own = 'a1'.repeat(16);
    assert.equal(store.origin, own);
    const keys = ['allocation', 'endpoint', 'network', 'pool'].flatMap((namespace) =>
      [...store.list(namespace)].map(({ key, version }) => `${key} ${version.sequence}`),
    );
    assert.deepEqual(keys, [
      `allocation/${own}/default:10.1.0.0/16/10.1.0.2 7`,
      `endpoint/${own}/e1 9`,
      `network/${own}/n1 2`,
      'pool/default:10.1.0.0/16 1',
    ]);
    assert.deepEqual(store.get(`endpoint/${own}/e1`)?.value, { id: 'e1' });
    assert.deepEqual(keptSums(store), countedSums(store));
    assert.equal(keptSums(store).length, 1);
    const [entry] = await store.commit([{ key: 'pool/default:10.1.0.0/16', value: { prefix: 'later' } }]);
    assert.equal(entry?.version.sequence, 13, 'no sequence is used twice');
    await store.close();
    const again = new JournalStore({ file, classes: NAMESPACES });
    assert.deepEqual(again.get('pool/default:10.1.0.0/16')?.value, { prefix: 'later' });
    assert.deepEqual([...again.vector], [[own, 13]]);
    await again.close();
  });

  it('may be empty', async () => {
    const store = new JournalStore({ file: early([], 0), classes: NAMESPACES });
    assert.deepEqual([...store.list('endpoint')], []);
    await store.commit([{ key: `endpoint/${store.origin}/e1`, value: {} }]);
    assert.deepEqual([...store.vector], [[store.origin, 1]]);
    await store.close();
  });
});
