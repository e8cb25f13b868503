import assert from 'node:assert/strict';
import { mutantOf } from '../../../sim/mutants/apply.ts';
import { catchMutant, isMistake } from '../../../sim/mutants/catch.ts';

describe('a mutant', () => {
  it('is noticed by a seed that shows what it has to, and by no other', async function () {
    this.timeout(30_000);
    const mutant = mutantOf('no-ownership');
    const { seed } = await catchMutant(mutant);
    assert.equal(seed?.what, 'DUPLICATE');
    const other = { ...mutant, seeds: { within: 1, shows: /^CAUSALITY/ } };
    await assert.rejects(
      catchMutant(other),
      /none of 1 seeds shows .*CAUSALITY.*, and seed 1 has: DUPLICATE/,
    );
    assert.equal(
      (await catchMutant({ ...mutant, seeds: { ...other.seeds, shows: /DUPLICATE/ } })).seed?.number,
      1,
    );
  });

  it('is noticed by the test that it is for, and by no other', async function () {
    this.timeout(30_000);
    const mutant = mutantOf('blind-to-sharing');
    assert.equal((await catchMutant(mutant)).tests?.length, 1);
    const { files } = mutant.tests!;
    const other = { ...mutant, tests: { files, title: /sees that two hosts have one value/ } };
    await assert.rejects(catchMutant(other), /none of \d+ tests fails as .*; ".*share a value.*" does/);
  });

  it('is not noticed because the interpreter finds a mistake', () => {
    assert.ok(isMistake("TypeError: Cannot read properties of undefined (reading 'x')\n    at y"));
    assert.ok(isMistake('ReferenceError: x is not defined'));
    for (const stack of ['AssertionError [ERR_ASSERTION]: TypeError', 'Error: Timeout of 2000ms', undefined])
      assert.ok(!isMistake(stack));
  });
});
