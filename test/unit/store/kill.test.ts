import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JournalStore } from '../../../src/store/journal.ts';

const KILLS = Number(process.env.NET_ROUTED_KILLS ?? 30);
const CHILD = fileURLToPath(new URL('kill.child.ts', import.meta.url));

describe('journal, killed', () => {
  it(`keeps what it acknowledged and tears nothing, ${KILLS} times`, async function () {
    this.timeout(10_000 + KILLS * 2000);
    const folder = mkdtempSync(join(tmpdir(), 'net-routed-kill-'));
    const file = join(folder, 'store.db');
    /** What has to be there: batch by number; `maybe` while its removal was under way. */
    const batches = new Map<number, 'there' | 'maybe' | 'gone'>();
    let next = 0;
    let highest = 0;
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        for (const line of await killed(file, next, Math.random() * 60)) {
          const n = Number.parseInt(line.slice(1), 10);
          next = Math.max(next, n + 1);
          batches.set(n, ({ '+': 'there', '~': 'maybe', '-': 'gone' } as const)[line[0] as '+']);
          if (line[0] === '+') highest = Math.max(highest, Number(line.split(' ')[1]));
        }
        next += 100; // beyond what it began and did not acknowledge
        const store = new JournalStore({ file });
        verify(store, batches);
        const [entry] = await store.commit([{ key: 'other/1', value: kill }]);
        assert.ok(entry!.version.sequence > highest, 'sequences go on after the last acknowledged');
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

function verify(store: JournalStore, batches: ReadonlyMap<number, 'there' | 'maybe' | 'gone'>): void {
  const found = new Map<number, string[]>();
  for (const { key, value } of store.list('part')) {
    const n = Number(key.split('/')[1]);
    found.set(n, [...(found.get(n) ?? []), (value as { stamp: string }).stamp]);
  }
  for (const [n, stamps] of found) assert.deepEqual(stamps, Array(3).fill(`${n}`), `batch ${n} is torn`);
  for (const [n, state] of batches) {
    if (state === 'there') assert.ok(found.has(n), `batch ${n} was acknowledged and is lost`);
    if (state === 'gone') assert.ok(!found.has(n), `batch ${n} was removed and is back`);
  }
}
