import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { MUTANTS } from '../../sim/mutants/all.ts';
import { type Caught, catchMutant } from '../../sim/mutants/catch.ts';

describe('a known mistake is noticed:', () => {
  const results = new Map(MUTANTS.map(({ name }) => [name, Promise.withResolvers<Caught>()]));
  const queue = MUTANTS.values();

  /** Takes one after the other. */
  async function work(): Promise<void> {
    for (const mutant of queue) {
      const { resolve, reject } = results.get(mutant.name)!;
      await catchMutant(mutant).then(resolve, reject);
    }
  }

  before(() => {
    for (const { promise } of results.values()) promise.catch(() => {}); // its test says so
    for (let worker = 0; worker < availableParallelism(); worker++) void work();
  });

  for (const { name, what, seeds, tests } of MUTANTS)
    it(`${name}: ${what}`, async function () {
      this.timeout(0); // the group has a limit
      const caught = await results.get(name)!.promise;
      assert.equal(caught.seed !== undefined, seeds !== undefined);
      assert.equal(caught.tests !== undefined, tests !== undefined);
    });
});
