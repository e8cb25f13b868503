import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import type { Change } from '../../../src/ports/store.ts';
import { JournalStore } from '../../../src/store/journal.ts';
import { countedSums, keptSums } from '../../contract/sums.suite.ts';

const NEW = 'ab'.repeat(16);

describe("a store's id", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'net-routed-rename-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (origin?: string) =>
    new JournalStore({ file: join(folder, 'store.db'), classes: CLUSTER_CLASSES, origin });

  /** A store with these records, closed; its id. */
  async function made(changes: (origin: string) => readonly Change[]): Promise<string> {
    const store = open();
    await store.commit(changes(store.origin));
    await store.close();
    return store.origin;
  }

  /** All that there is, with the dots. */
  const contents = (store: JournalStore) =>
    store
      .page('', 100)
      .map(({ key, text, origin, sequence, class: kind }) => [key, text, origin, sequence, kind]);

  it('is given anew to one that nobody else knows, with all that is its own', async () => {
    const before = await made((id) => [
      { key: `host/${id}`, value: { boot: 'x' } },
      { key: `allocation/${id}/s/7`, value: { use: 'held' } },
      { key: `allocation/${id}/default:10.1.0.0/16/10.1.0.2`, value: { use: 'held' } },
      { key: 'chunk/s/1', value: { owner: id } },
      { key: `member/${id}`, value: { number: 1 } },
      { key: 'pool/default:10.1.0.0/16', value: { of: id } },
      { key: 'self/leaving', value: true },
    ]);
    const store = open(NEW);
    assert.equal(store.origin, NEW);
    assert.deepEqual(contents(store), [
      [`allocation/${NEW}/default:10.1.0.0/16/10.1.0.2`, '{"use":"held"}', NEW, 3, 'owned'],
      [`allocation/${NEW}/s/7`, '{"use":"held"}', NEW, 2, 'owned'],
      ['chunk/s/1', `{"owner":"${NEW}"}`, NEW, 4, 'ownership'],
      [`host/${NEW}`, '{"boot":"x"}', NEW, 1, 'owned'],
      ['pool/default:10.1.0.0/16', `{"of":"${before}"}`, NEW, 6, 'shared'],
    ]);
    assert.deepEqual(keptSums(store), countedSums(store));
    assert.deepEqual([...store.list('allocation')].length, 2, 'which it works with');
    assert.equal(store.get('self/leaving')?.value, true);
    const [entry] = await store.commit([{ key: 'policy/1', value: 1 }]);
    assert.equal(entry?.version.sequence, 8, 'it goes on counting');
    await store.close();
    const again = open(NEW);
    assert.equal(again.known(NEW), 8);
    assert.equal(again.known(before), 0);
    await again.close();
  });

  it('stays the id of a member among others, whose key is another one', async () => {
    const before = await made((id) =>
      [id, 'other'].map((one) => ({ key: `member/${one}`, value: { number: 1 } })),
    );
    assert.throws(() => open(NEW), { code: 'NR_STORE_IDENTITY' });
    const store = open(before);
    assert.equal([...store.list('member')].length, 2);
    await store.close();
  });

  it('stays the id of one that has heard of others', async () => {
    const before = await made(() => [{ key: 'policy/1', value: 1 }]);
    const store = open();
    const records = [{ key: 'policy/2', class: 'shared' as const, text: '2', rank: 9 }];
    const origin = 'cd'.repeat(16);
    store.merge([
      { origin, from: 0, to: 1, records: records.map((one) => ({ ...one, origin, sequence: 1 })) },
    ]);
    await store.close();
    assert.throws(
      () => open(NEW),
      new RegExp(`NR_STORE_IDENTITY: .* is the store of ${before}, and the key in its`),
    );
    await open(before).close();
  });
});
