import assert from 'node:assert/strict';
import fc from 'fast-check';
import { runs } from '../../../src/kernel/runs.ts';
import type { KernelResource } from '../../../src/ports/kernel.ts';
import type { Operation } from '../../../src/ports/target.ts';
import { address, inSandbox, put, remove, route, sysctlsOf, veth } from '../../contract/kernel.bench.ts';

const RESOURCES = [
  veth(1),
  veth(2),
  address(1, '169.254.7.7/32'),
  address(2, '169.254.7.7/32'),
  route('10.1.0.1/32'),
  route('10.1.0.2/32'),
  sysctlsOf(1)[0]!,
  inSandbox(1, '/x', '10.1.0.3/32'),
];

describe('runs of operations', () => {
  it('keep the order, hold one kind, and name no key twice', () => {
    const operation = fc
      .tuple(fc.constantFrom(...RESOURCES), fc.boolean())
      .map(([resource, isPut]) => (isPut ? put(resource) : remove(resource)));
    fc.assert(
      fc.property(fc.array(operation), (operations) => {
        const found = runs(operations);
        assert.deepEqual(
          found.flatMap((run): readonly Operation<KernelResource>[] => run.operations),
          operations,
        );
        for (const { kind, operations: own } of found) {
          assert.equal(new Set(own.map(({ resource }) => resource.kind)).size, 1);
          if (kind === 'routes') continue;
          assert.equal(new Set(own.map(({ key }) => key)).size, own.length);
          if (kind.endsWith('-links')) assert.equal(new Set(own.map((one) => one.do)).size, 1);
        }
      }),
    );
  });

  it('are as long as may be', () => {
    const all = RESOURCES.map((one) => put(one));
    assert.deepEqual(
      runs(all).map(({ operations }) => operations.length),
      [2, 2, 2, 1, 1],
    );
    assert.deepEqual(runs([]), []);
  });
});
