import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { MUTANTS } from '../../../sim/mutants/all.ts';
import { mutated } from '../../../sim/mutants/apply.ts';

const ROOT = join(import.meta.dirname, '../../..');

describe('mutants', () => {
  it('have names of their own', () => {
    const names = MUTANTS.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
  });

  for (const { name, changes, seeds, tests } of MUTANTS)
    it(`${name} is about code that there is, and has something that notices it`, () => {
      for (const file of new Set(changes.map((change) => change.file))) {
        const source = readFileSync(join(ROOT, file), 'utf8');
        const wrong = mutated(name, file, source)!;
        assert.notEqual(wrong, source);
        stripTypeScriptTypes(wrong); // it can be read
      }
      assert.ok(seeds || tests);
      for (const file of tests?.files ?? []) assert.ok(existsSync(join(ROOT, file)), file);
    });

  it('leave other files alone', () => {
    assert.equal(mutated(MUTANTS[0]!.name, 'package.json', '{}'), undefined);
  });

  it('are refused where their text is not, or twice', () => {
    const { name, changes } = MUTANTS[0]!;
    const { file, find } = changes[0]!;
    assert.throws(() => mutated(name, file, 'nothing'), /does not find/);
    assert.throws(() => mutated(name, file, `${find}\n${find}`), /does not find/);
    assert.throws(() => mutated('no such', file, ''), /there is no mutant/);
  });
});
