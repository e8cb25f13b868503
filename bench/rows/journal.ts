/** Durable commits of the store against the same bytes appended and synced. */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { JournalStore } from '../../src/store/journal.ts';
import { inFlight, timed } from '../flight.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';

const VALUE = { pool: 'default 10.1.0.0/16', address: '10.1.0.2', use: 'held', since: 1_700_000_000_000 };
const GROUP = 32;

interface Samples {
  readonly rates: number[];
  readonly ms: number[];
}

async function run({ count }: Bench): Promise<Finding> {
  const out = join(import.meta.dirname, '../out');
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(out, 'journal-'));
  const store = new JournalStore({ file: join(folder, 'store.db') });
  const raw = openSync(join(folder, 'raw'), 'a');
  const number = count(2000, 100);
  const one: Samples = { rates: [], ms: [] };
  const many: Samples = { rates: [], ms: [] };
  const rawOne: Samples = { rates: [], ms: [] };
  const rawMany: Samples = { rates: [], ms: [] };
  for (let round = 0; round < count(5, 1); round++) {
    await commits(store, 1, number, one);
    await appends(raw, 1, number, rawOne);
    await commits(store, GROUP, number * 4, many);
    await appends(raw, GROUP, number * 4, rawMany);
  }
  await store.close();
  closeSync(raw);
  rmSync(folder, { recursive: true });
  return {
    figures: [
      ...figures('commits, 1 in flight', one, rawOne),
      ...figures('append + fdatasync', rawOne),
      ...figures(`commits, ${GROUP} in flight`, many, rawMany),
      ...figures(`${GROUP} appends + 1 fdatasync`, rawMany),
    ],
    notes: [
      `records of ${JSON.stringify(VALUE).length} bytes; SQLite, write-ahead log, synchronous FULL; on the disk of this ` +
        'checkout; with a ratio of rates more is better',
    ],
  };
}

async function commits(
  store: JournalStore,
  parallel: number,
  count: number,
  { rates, ms }: Samples,
): Promise<void> {
  const all = await inFlight(parallel, count, async (at) => {
    const key = `allocation/10.1.0.0/16/${at}`;
    ms.push(await timed(() => store.commit([{ key, value: VALUE }])));
  });
  rates.push((count / all) * 1000);
}

async function appends(fd: number, group: number, count: number, { rates, ms }: Samples): Promise<void> {
  const line = Buffer.from(`${JSON.stringify(VALUE)}\n`);
  const all = await timed(async () => {
    for (let done = 0; done < count; done += group) {
      const started = performance.now();
      for (let at = 0; at < group; at++) writeSync(fd, line);
      fdatasyncSync(fd);
      ms.push(performance.now() - started);
    }
  });
  rates.push((count / all) * 1000);
}

function figures(what: string, samples: Samples, against?: Samples): Figure[] {
  return [
    figure(`${what}, a second`, '1/s', samples.rates, { ...(against && { against: against.rates }) }),
    figure(`${what}, each`, 'ms', samples.ms, { ...(against && { against: against.ms }) }),
  ];
}

export const journalRow: Row = { name: 'journal', lab: 'none', run };
