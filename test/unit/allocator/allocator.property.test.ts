import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Allocator } from '../../../src/allocator/allocator.ts';
import { NaiveAllocator } from './model.ts';

type Step =
  | { do: 'take' | 'free' | 'own' | 'disown'; at: number }
  | { do: 'reserve'; at: number; length: number }
  | { do: 'next'; from: number | undefined; length: number; odd: boolean; strict: boolean }
  | { do: 'wait'; ms: number };

const at = fc.integer({ min: -2, max: 90 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take'), at }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('free'), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('own', 'disown'), at }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('reserve'), at, length: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('next'),
      from: fc.option(at, { nil: undefined }),
      length: fc.integer({ min: 1, max: 40 }),
      odd: fc.boolean(),
      strict: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 0, max: 80 }) }) },
) as fc.Arbitrary<Step>;

const space = fc.record({
  first: fc.constantFrom(0n, 1n, 0x0a010000n, (0xfd00n << 112n) + (1n << 63n)),
  size: fc.integer({ min: 1, max: 80 }),
  chunkSize: fc.constantFrom(1, 3, 8, 32, 33, 64, 100),
  restMs: fc.constantFrom(0, 50),
  remember: fc.constantFrom(0, 2, 100),
});

/** Offset and length of a part of it that is counted by itself; it may reach beyond, or lie outside. */
const part = fc.tuple(at, fc.integer({ min: 0, max: 40 }));

describe('allocator, against a naive one', () => {
  it('answers the same for any sequence of calls, and rebuilds the same from records', () => {
    fc.assert(
      fc.property(
        space,
        part,
        fc.array(step, { maxLength: 150, size: 'max' }),
        (shape, [from, length], steps) => {
          const options = { ...shape, last: shape.first + BigInt(shape.size) - 1n };
          const within = { first: shape.first + BigInt(from), last: shape.first + BigInt(from + length) };
          const real = new Allocator(options);
          const naive = new NaiveAllocator(options);
          let now = 1_000_000;
          for (const one of steps) {
            if (one.do === 'wait') now += one.ms;
            else
              assert.deepEqual(
                run(real, one, options, now),
                run(naive, one, options, now),
                JSON.stringify(one),
              );
            assert.deepEqual(real.counts(now), naive.counts(now), JSON.stringify(one));
            const counts = naive.counts(now, within);
            assert.deepEqual(real.counts(now, within), counts, JSON.stringify(one));
            for (const limit of [0, 3, 100])
              assert.equal(real.spare(limit, now, within), Math.min(limit, Number(counts.free)));
          }
          for (let value = options.first - 1n; value <= options.last + 1n; value++) {
            assert.equal(real.held(value), naive.held(value));
          }
          const { held, resting } = naive.records(now);
          const again = new Allocator(options);
          assert.deepEqual(again.load(held, resting), []);
          assert.equal(again.counts(now).held, real.counts(now).held);
          for (const { value } of resting) assert.ok(!again.held(value));
        },
      ),
      { numRuns: 800 },
    );
  });

  it('never gives a value to two holders', () => {
    const query = fc.record({ free: fc.boolean(), pick: fc.nat(), explicit: fc.boolean() });
    fc.assert(
      fc.property(fc.array(query, { maxLength: 300, size: 'max' }), (calls) => {
        const allocator = new Allocator({ first: 100n, last: 131n, chunkSize: 8, remember: 4, restMs: 10 });
        const holders = new Set<bigint>();
        calls.forEach(({ free, pick, explicit }, now) => {
          const victim = [...holders][pick % Math.max(1, holders.size)];
          if (free && victim !== undefined) {
            assert.ok(allocator.free(victim, now));
            holders.delete(victim);
            return;
          }
          const wanted = 100n + BigInt(pick % 32);
          const given = explicit
            ? allocator.take(wanted) === 'taken'
              ? wanted
              : undefined
            : allocator.next({ now });
          if (given === undefined) assert.ok(explicit ? holders.has(wanted) : holders.size === 32);
          else assert.ok(!holders.has(given), `${given} has two holders`);
          if (given !== undefined) holders.add(given);
        });
      }),
      { numRuns: 300 },
    );
  });
});

function run(
  target: Allocator | NaiveAllocator,
  step: Exclude<Step, { do: 'wait' }>,
  { first, last }: { first: bigint; last: bigint },
  now: number,
): unknown {
  if (step.do === 'next') {
    const from = step.from === undefined ? undefined : first + BigInt(step.from);
    const range = from === undefined ? undefined : { first: from, last: from + BigInt(step.length) };
    const skip = step.odd ? (value: bigint) => value % 2n === 1n : undefined;
    return target.next({ now, range, skip, strict: step.strict });
  }
  const value = first + BigInt(step.at);
  const inside = value < first ? first : value > last ? last : value;
  switch (step.do) {
    case 'take':
      return target.take(value);
    case 'free':
      return target.free(value, now);
    case 'own':
      return target.own(target.chunkOf(inside));
    case 'disown':
      return target.disown(target.chunkOf(inside), now);
    case 'reserve': {
      const end = value + BigInt(step.length);
      return target instanceof Allocator
        ? target.reserve({ first: value, last: end })
        : target.reserve(value, end);
    }
  }
}
