import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JournalStore } from '../../../src/store/journal.ts';
import { Batches } from './batches.ts';

const KILLS = Number(process.env.NET_ROUTED_KILLS ?? 30);
const CHILD = fileURLToPath(new URL('kill.child.ts', import.meta.url));

describe('journal, killed', () => {
  it(`keeps what it acknowledged and tears nothing, ${KILLS} times`, async function () {
    this.timeout(10_000 + KILLS * 2000);
    const folder = mkdtempSync(join(tmpdir(), 'net-routed-kill-'));
    const file = join(folder, 'store.db');
    const batches = new Batches();
    let next = 0;
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        for (const line of await killed(file, next, Math.random() * 60)) batches.take(line);
        next = Math.max(next, batches.next) + 100; // beyond what it began and did not acknowledge
        const store = new JournalStore({ file });
        batches.verify(store);
        const [entry] = await store.commit([{ key: 'other/1', value: kill }]);
        assert.ok(entry!.version.sequence > batches.highest, 'sequences go on after the last acknowledged');
        await store.close();
      }
      assert.ok(batches.size > KILLS, `${batches.size} batches were acknowledged: too few to mean anything`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** The complete lines that a child said before it was killed, `ms` after its first word. */
async function killed(file: string, start: number, ms: number): Promise<string[]> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', CHILD, file, String(start)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  assert.equal(child.exitCode, null, 'the child has ended by itself');
  await new Promise((resolve) => void setTimeout(resolve, ms));
  child.kill('SIGKILL');
  await closed;
  return said.split('\n').slice(0, -1);
}
