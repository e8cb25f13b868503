import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, relative } from 'node:path';

/** Set in the process that runs in a namespace of its own. */
const INSIDE = 'NET_ROUTED_TEST_INSIDE';
const ROOT = join(import.meta.dirname, '../..');

interface Report {
  readonly stats: { readonly passes: number; readonly failures: number; readonly pending: number };
  readonly failures: readonly { readonly fullTitle: string; readonly err: { readonly message?: string } }[];
}

/**
 * Runs the tests of a file in a network namespace of its own, which ends with the process however that ends: mocha
 * is started again inside, and this test fails with what failed there.
 */
export function insideNamespace(file: string, title: string, tests: () => void): void {
  if (process.env[INSIDE] === relative(ROOT, file)) {
    before(() => {
      ip('link set lo up');
    });
    describe(title, tests);
    return;
  }
  describe(title, () => {
    it('in a network namespace of its own', async function () {
      this.timeout(180_000);
      const report = await rerun(file);
      const { passes, failures } = report.stats;
      if (failures > 0 || passes === 0) {
        const list = report.failures.map(({ fullTitle, err }) => `${fullTitle}\n    ${err.message ?? ''}`);
        throw new Error(`${failures} failed inside, ${passes} passed\n${list.join('\n')}`);
      }
      this.test!.title += ` (${passes} tests)`;
    });
  });
}

async function rerun(file: string): Promise<Report> {
  if (process.getuid?.() !== 0) throw new Error('these tests change network namespaces and need root');
  const mocha = join(ROOT, 'node_modules/mocha/bin/mocha.js');
  const words = [process.execPath, mocha, '--reporter', 'json', file];
  const child = spawn('unshare', ['--net', '--mount', '--', ...words], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, [INSIDE]: relative(ROOT, file) },
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const [status] = await once(child, 'close');
  try {
    return JSON.parse(text.slice(text.indexOf('{'))) as Report;
  } catch (error) {
    throw new Error(`mocha ended with status ${status} and no report: ${text.slice(-2000)}`, {
      cause: error,
    });
  }
}

/** Runs one `ip` command, and returns what it prints. */
export function ip(command: string): string {
  return execFileSync('ip', command.split(' '), { encoding: 'utf8' });
}

/** Runs several, each on a line, none of which may fail. */
export function ipBatch(commands: readonly string[]): void {
  execFileSync('ip', ['-batch', '-'], {
    input: `${commands.join('\n')}\n`,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
}
