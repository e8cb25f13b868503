import { writeSync } from 'node:fs';
import { JournalStore } from '../../../src/store/journal.ts';

/*
 * Commits until it is killed, or up to the batch LIMIT, and closes the store then. Each batch is three records with one stamp; some are removed again. It says on its
 * output, by lines: `+N S` batch N is acknowledged, with sequence S; `~N` its removal has begun; `-N` it is removed.
 */
const [file = '', start = '0', limit = 'Infinity'] = process.argv.slice(2);
const store = new JournalStore({ file });
let batch = Number(start);

async function work(): Promise<void> {
  while (batch < Number(limit)) {
    const n = batch++;
    const keys = [`part/${n}/0`, `part/${n}/1`, `part/${n}/2`];
    const value = { stamp: `${n}`, fill: 'x'.repeat((n * 37) % 400) };
    const entries = await store.commit(keys.map((key) => ({ key, value })));
    say(`+${n} ${entries[2]!.version.sequence}`);
    if (n % 3 !== 0) continue;
    say(`~${n}`);
    await store.commit(keys.map((key) => ({ key })));
    say(`-${n}`);
  }
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

await Promise.all(Array.from({ length: 8 }, work));
await store.close();
