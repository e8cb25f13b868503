import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { FOCI, type FocusName } from '../../sim/focus.ts';
import { mutantOf } from '../../sim/mutants/apply.ts';
import { catchMutant } from '../../sim/mutants/catch.ts';
import { tell } from '../../sim/story.ts';

const RUN = join(import.meta.dirname, '../../sim/run.ts');

/** Everything that happens in a story, as a hash. */
function traceOf(seed: number, focus?: FocusName): string {
  const hash = createHash('sha256');
  const { violations } = tell(seed, { focus, print: (line) => void hash.update(`${line}\n`) });
  assert.deepEqual(violations, []);
  return hash.digest('hex');
}

describe('a story', () => {
  const foci = Object.keys(FOCI) as FocusName[];

  it('is the same each time that it is told, whatever was told before', function () {
    this.timeout(120_000);
    const stories = foci.map((focus, index) => ({ seed: 100 + index, focus }));
    const once = stories.map(({ seed, focus }) => traceOf(seed, focus));
    const again = stories.toReversed().map(({ seed, focus }) => traceOf(seed, focus));
    assert.deepEqual(again.toReversed(), once);
    assert.equal(new Set(once).size, stories.length, 'and different for each seed');
  });

  it('is the same in another process', function () {
    this.timeout(60_000);
    const output = execFileSync(process.execPath, [RUN, '--first', '7', '--trace'], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    const lines = output.split('\n');
    assert.equal(lines.at(-2), 'all is well');
    const told = `${lines.slice(0, -2).join('\n')}\n`;
    assert.equal(createHash('sha256').update(told).digest('hex'), traceOf(7));
  });

  it('can be seen again as its failure says', async function () {
    this.timeout(120_000);
    const name = 'no-ownership';
    const { seed } = await catchMutant(mutantOf(name));
    const args = ['--first', `${seed!.number}`, '--mutant', name, '--trace'];
    const run = () =>
      execFileSync(process.execPath, [RUN, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
    assert.throws(run, ({ status, stdout }: { status: number; stdout: string }) => {
      assert.equal(status, 1);
      assert.ok(stdout.includes(`! ${seed!.what} `));
      assert.ok(stdout.endsWith(`again: npm run sim -- ${args.join(' ')}\n`), stdout.slice(-200));
      return true;
    });
  });
});
