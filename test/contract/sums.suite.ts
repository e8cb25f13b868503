import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Versioned } from '../../src/store/crdt/record.ts';
import { changedSums, type OriginSum, sumsHash, sumText } from '../../src/store/crdt/sums.ts';
import type { Replica } from '../../src/store/replica.ts';
import { REPLICA_CLASSES, type ReplicaPlace } from './replica.suite.ts';

const OTHERS = ['b', 'c'].map((one) => one.repeat(32));

/** The sums of what a replica has on disk, counted from nothing: those that are not empty. */
export function countedSums(replica: Replica): string[] {
  const steps = replica
    .page('', 10_000)
    .map((version) => ({ key: version.key, before: undefined, after: version }));
  return listed(changedSums(new Map(), steps));
}

/** Those that a replica keeps. */
export function keptSums(replica: Replica): string[] {
  return listed(replica.sums);
}

function listed(sums: Iterable<readonly [string, OriginSum]>): string[] {
  return [...sums].flatMap(([origin, sum]) => (sumText(sum) ? [`${origin} ${sumText(sum)}`] : [])).sort();
}

/** Whatever happens to a replica, it knows what the hashes of its records come to. */
export function sumsSuite(place: () => ReplicaPlace, numRuns: number): void {
  const key = fc.constantFrom(
    'shared/x',
    'shared/y',
    'unknown/x',
    'deed/x',
    'own/x',
    'owned/ME/x',
    'owned/ME/y',
  );
  const own = fc.record({
    do: fc.constant('write' as const),
    changes: fc.array(fc.record({ key, value: fc.option(fc.nat(3), { nil: undefined }) }), {
      minLength: 1,
      maxLength: 4,
    }),
  });
  const told = fc.record({
    do: fc.constant('merge' as const),
    origin: fc.constantFrom(...OTHERS),
    records: fc.array(
      fc.record({
        key: fc.constantFrom('shared/x', 'shared/y', 'unknown/x', 'deed/x', 'owned/THEM/x', 'owned/THEM/y'),
        value: fc.option(fc.nat(3), { nil: undefined }),
        rank: fc.nat(20),
        isLost: fc.boolean(),
      }),
      { maxLength: 4 },
    ),
  });
  const step = fc.oneof(
    own,
    told,
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('drop owner' as const), origin: fc.constantFrom(...OTHERS) }),
    },
    ...(['collect', 'flush', 'fail', 'reopen', 'mend'] as const).map((name) => fc.constant({ do: name })),
  );

  it('are those of its records, whatever has happened', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const at = place();
        const options = { classes: REPLICA_CLASSES, schedule: () => {}, wallMs: () => 1_800_000_000_000 };
        let replica = at.open(options);
        /** What was told with something left out: as another one has it. */
        const left: Versioned[] = [];
        try {
          for (const one of steps) {
            if (one.do === 'write') {
              const changes = one.changes.map((change) => ({
                ...change,
                key: change.key.replace('ME', replica.origin),
              }));
              replica.write(changes, () => {});
            } else if (one.do === 'merge') {
              const from = replica.known(one.origin);
              const records = one.records.map(({ key: name, value, rank }, index): Versioned => {
                const sequence = from + index + 1;
                const kind = name.startsWith('owned')
                  ? 'owned'
                  : name.startsWith('deed')
                    ? 'ownership'
                    : 'shared';
                return {
                  key: name.replace('THEM', one.origin),
                  class: kind,
                  text: value === undefined ? undefined : `${value}`,
                  origin: one.origin,
                  sequence,
                  rank: kind === 'owned' ? sequence : rank + 1,
                };
              });
              const standing = records.filter(({ key: name }, index) => {
                if (!one.records[index]!.isLost) return true;
                left.push(records[index]!);
                return !name;
              });
              replica.merge([{ origin: one.origin, from, to: from + records.length, records: standing }]);
            } else if (one.do === 'drop owner') replica.dropOwner(one.origin);
            else if (one.do === 'collect') replica.drop([...replica.tombstones()]);
            else if (one.do === 'mend')
              for (const { origin, sequence, ...rest } of left.splice(0))
                replica.mend([
                  { origin, from: sequence - 1, to: sequence, records: [{ origin, sequence, ...rest }] },
                ]);
            else if (one.do === 'fail') {
              at.failNext();
              replica.flush();
            } else if (one.do === 'flush') replica.flush();
            else {
              await replica.close();
              replica = at.open(options);
            }
            assert.deepEqual(keptSums(replica), countedSums(replica), one.do);
          }
          replica.flush();
          assert.deepEqual(keptSums(replica), countedSums(replica));
        } finally {
          await replica.close();
          at.remove();
        }
      }),
      { numRuns },
    );
  });

  it('are alike on two that have the same, in whatever order it came', () => {
    const [one, other] = [place(), place()];
    const options = { classes: REPLICA_CLASSES, schedule: () => {} };
    const [left, right] = [one.open(options), other.open(options)];
    const [b, c] = OTHERS.map((origin, index) => {
      const version: Versioned = {
        key: `shared/${index}`,
        class: 'shared',
        text: '1',
        origin,
        sequence: 1,
        rank: 1,
      };
      return { origin, from: 0, to: 1, records: [version] };
    });
    const tell = (replica: Replica, ...ranges: (typeof b)[]) => {
      for (const range of ranges) replica.merge([range!]);
      replica.flush();
    };
    tell(left, b, c);
    tell(right, c);
    assert.notEqual(sumsHash(left.sums), sumsHash(right.sums));
    tell(right, b);
    assert.equal(sumsHash(left.sums), sumsHash(right.sums));
  });
}
