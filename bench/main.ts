/** Measures what the design promises, against something else in the same run: `npm run bench`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../lab/lab.ts';
import { machine, versions } from './machine.ts';
import { readOptions, usage } from './options.ts';
import type { Bench, Row } from './row.ts';
import { rows } from './rows.ts';
import { type Measured, notes, table } from './table.ts';

const LAB = 'bench';
const OUT = join(import.meta.dirname, 'out');

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const names = rows.map(({ name }) => name);
const options = readOptions(process.argv.slice(2), names);

/** The lab of this kind; another one is taken down first. */
async function labFor(kind: Row['lab']): Promise<void> {
  const up = Lab.find(LAB);
  if (kind === 'none' || (up && up.plan.docker === (kind === 'docker'))) return;
  if (up) await up.down();
  await Lab.up({ name: LAB, hosts: 2, cluster: false, docker: kind === 'docker', say });
}

function bench(): Bench {
  return {
    get lab() {
      const lab = Lab.find(LAB);
      if (!lab) throw new Error('this row asked for no lab');
      return lab;
    },
    quick: options.quick,
    long: options.long,
    say: (line) => say(`   ${line}`),
    count: (full, quick) => (options.quick ? quick : full),
  };
}

async function measure(): Promise<{ measured: Measured[]; failed: string[] }> {
  const measured: Measured[] = [];
  const failed: string[] = [];
  for (const row of rows) {
    if (options.only.length > 0 && !options.only.includes(row.name)) continue;
    say(`== ${row.name}`);
    const started = performance.now();
    try {
      await labFor(row.lab);
      measured.push({ row: row.name, ...(await row.run(bench())) });
    } catch (error) {
      failed.push(row.name);
      say(`   ${row.name} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
      // What a failed row left behind is not the next one's affair.
      await Lab.down(LAB);
    }
    say(`   (${((performance.now() - started) / 1000).toFixed(0)} s)`);
  }
  return { measured, failed };
}

async function main(): Promise<number> {
  if (options.help) {
    process.stdout.write(`${usage(names)}\n`);
    return 0;
  }
  const date = new Date().toISOString();
  const about = {
    date,
    quick: options.quick,
    long: options.long,
    machine: await machine(),
    versions: await versions(),
  };
  // What an interrupted run left would be measured along.
  await Lab.down(LAB);
  const { measured, failed } = await measure().finally(() => Lab.down(LAB));
  process.stdout.write(`\n${table(measured)}\n\n${notes(measured)}\n`);
  mkdirSync(OUT, { recursive: true });
  const text = `${JSON.stringify({ ...about, rows: measured, failed }, undefined, 2)}\n`;
  const files = [join(OUT, `${date.replaceAll(':', '-')}.json`), join(OUT, 'latest.json'), options.json];
  for (const file of files) if (file !== undefined) writeFileSync(file, text);
  if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void Lab.down(LAB).finally(() => process.exit(130)));

process.exitCode = await main();
