import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from '../../bench/row.ts';

const MAIN = join(import.meta.dirname, '../../bench/main.ts');
/** Rows with both kinds of labs and with none, and with nodes of a cluster. */
const ROWS = ['journal', 'acks', 'run', 'address', 'propagate'];

interface Written {
  readonly quick: boolean;
  readonly machine: { readonly cpus: number };
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly { readonly row: string; readonly figures: readonly Figure[] }[];
  readonly failed: readonly string[];
}

/** Runs the bench; its exit status and what it printed. */
function bench(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (part: string) => {
      said[name] += part;
    });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...said }));
  });
}

describe('the bench', function () {
  this.timeout(180_000);
  const folder = mkdtempSync(join(tmpdir(), 'nr-bench-'));
  after(() => rmSync(folder, { recursive: true }));

  it('measures, prints a table and writes the same as JSON', async () => {
    const file = join(folder, 'figures.json');
    const { status, stdout, stderr } = await bench('--quick', '--only', ROWS.join(), '--json', file);
    assert.equal(status, 0, stderr);
    const { quick, machine, versions, rows, failed } = JSON.parse(readFileSync(file, 'utf8')) as Written;
    assert.equal(quick, true);
    assert.ok(machine.cpus > 0 && versions.node && versions.docker && versions.gobgpd);
    assert.deepEqual([rows.map(({ row }) => row), failed], [ROWS, []]);
    for (const { row, figures } of rows) {
      assert.match(stdout, new RegExp(`^${row}  `, 'm'));
      for (const { what, n, median, p99 } of figures) {
        assert.ok(n > 0 && p99 >= median, `${row}: ${what}`);
        assert.ok(stdout.includes(what), what);
        // The route may be there before the answer to Join is.
        if (!what.startsWith('Join answered')) assert.ok(median > 0, `${row}: ${what}: ${median}`);
      }
    }
    const [run] = rows.filter(({ row }) => row === 'run');
    assert.ok(run?.figures[0]?.ratio, 'compared with something else');
  });

  it('refuses a row that it does not have', async () => {
    const { status, stderr } = await bench('--only', 'walk');
    assert.notEqual(status, 0);
    assert.match(stderr, /no row walk/);
  });
});
