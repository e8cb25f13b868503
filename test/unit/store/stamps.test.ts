import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CodedError } from '../../../src/errors.ts';
import { FOLLOWED_MAX, STAMP_MAX, stampOf } from '../../../src/store/crdt/clock.ts';
import { MemoryDisk, MemoryStore } from '../../../src/store/memory.ts';

const CLASSES = new Map([['policy', 'shared' as const]]);
const FORGER = 'f'.repeat(32);

/** A host with a clock that anybody may set to anything. */
class Clocked {
  wallMs = Date.UTC(2027, 0);
  store: MemoryStore;
  /** Writes that were refused here, by code. */
  readonly refusals: string[] = [];

  constructor(id: string) {
    this.store = new MemoryStore({
      disk: new MemoryDisk(id),
      classes: CLASSES,
      wallMs: () => this.wallMs,
      durability: 'manual',
    });
  }

  /** @returns the stamp; undefined if it was refused */
  write(key: string, value?: string): number | undefined {
    let failure: CodedError | undefined;
    this.store.write([{ key, value }], (error) => {
      failure = error;
    });
    this.store.sync();
    if (failure) this.refusals.push(failure.code);
    return failure ? undefined : this.store.version(key)?.rank;
  }

  /** A version that no host of this program has written comes from a member. */
  forge(key: string, rank: number): void {
    const from = this.store.known(FORGER);
    const sequence = from + 1;
    const version = { key, class: 'shared' as const, text: '"forged"', origin: FORGER, sequence, rank };
    this.store.merge([{ origin: FORGER, from, to: sequence, records: [version] }]);
    this.store.sync();
  }

  hear({ store }: Clocked): void {
    this.store.merge([...store.vector.keys()].map((origin) => store.range(origin, this.store.known(origin))));
    this.store.sync();
  }
}

function hosts(): [Clocked, Clocked, Clocked] {
  return [new Clocked('a'.repeat(32)), new Clocked('b'.repeat(32)), new Clocked('c'.repeat(32))];
}

describe('stamps of shared records', () => {
  it('leave room after a host whose clock says 2106', () => {
    const [a, b] = hosts();
    a.wallMs = Date.UTC(2106, 0);
    assert.ok(a.write('policy/1', 'ahead')! <= stampOf(Date.UTC(2070, 0)));
    b.hear(a);
    a.write('policy/1', 'again');
    b.write('policy/2', 'by a host whose clock is right');
    b.hear(a);
    a.hear(b);
    for (const { store } of [a, b]) {
      assert.equal(store.get('policy/1')?.value, 'again');
      assert.equal(store.get('policy/2')?.value, 'by a host whose clock is right');
      assert.equal(store.counts.refused, 0);
    }
  });

  it('take up no more than one record with a false stamp, whatever that is', () => {
    for (const rank of [STAMP_MAX, STAMP_MAX - 1, FOLLOWED_MAX + 1, FOLLOWED_MAX, FOLLOWED_MAX - 1]) {
      const [a, b] = hosts();
      a.forge('policy/x', rank);
      b.hear(a);
      for (const one of [a, b]) for (let i = 0; i < 3; i++) assert.ok(one.write('policy/y', `${i}`));
      const stamp = a.write('policy/x', 'replaced');
      assert.equal(a.refusals[0], rank === STAMP_MAX ? 'NR_STORE_STAMP' : undefined);
      b.hear(a);
      a.hear(b);
      for (const { store } of [a, b]) {
        assert.equal(store.get('policy/x')?.value, stamp === undefined ? 'forged' : 'replaced');
        assert.equal(store.counts.refused, 0);
      }
    }
  });

  it('refuse all of the changes, if one of them cannot be stamped', () => {
    const [a] = hosts();
    a.forge('policy/x', STAMP_MAX);
    let code: string | undefined;
    a.store.write([{ key: 'policy/y', value: 1 }, { key: 'policy/x' }], (error) => {
      code = error?.code;
    });
    a.store.sync();
    assert.equal(code, 'NR_STORE_STAMP');
    assert.equal(a.store.get('policy/y'), undefined);
  });

  it('are never refused elsewhere, whatever the clocks say and whatever a member has forged', () => {
    const who = fc.nat(2);
    const key = fc.constantFrom('policy/1', 'policy/2');
    const clock = fc.oneof(
      fc.integer({ min: 0, max: Date.UTC(2300, 0) }),
      fc.constantFrom(Date.UTC(2070, 0), Date.UTC(2075, 0), Date.UTC(2080, 0), 2 ** 53 - 1),
    );
    const stamp = fc.oneof(
      fc.integer({ min: 0, max: 3 }).map((less) => STAMP_MAX - less),
      fc.integer({ min: -2, max: 2 }).map((more) => FOLLOWED_MAX + more),
      fc.nat(STAMP_MAX),
      fc.constant(STAMP_MAX + 1),
    );
    const step = fc.oneof(
      fc.record({ do: fc.constant('write' as const), who, key, isRemoval: fc.boolean() }),
      fc.record({ do: fc.constant('hear' as const), who, from: who }),
      fc.record({ do: fc.constant('set' as const), who, clock }),
      fc.record({ do: fc.constant('restart' as const), who }),
      fc.record({ do: fc.constant('forge' as const), key, stamp }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const all = hosts();
        let beyond = 0;
        for (const [at, one] of steps.entries()) {
          if (one.do === 'forge') {
            if (one.stamp > STAMP_MAX) beyond++;
            all[0].forge(one.key, one.stamp); // by way of one host, so that it has one order
            continue;
          }
          const host = all[one.who]!;
          if (one.do === 'set') host.wallMs = one.clock;
          else if (one.do === 'restart') host.store = host.store.crash();
          else if (one.do === 'hear') host.hear(all[one.from]!);
          else {
            const before = host.store.version(one.key)?.rank ?? 0;
            const isThere = host.store.get(one.key) !== undefined;
            const rank = host.write(one.key, one.isRemoval ? undefined : `${at}`);
            if (rank === undefined) assert.ok(!isThere || before === STAMP_MAX);
            else if (!one.isRemoval || isThere) assert.ok(rank > before && rank <= STAMP_MAX);
          }
        }
        for (let round = 0; round < 2; round++)
          for (const one of all) for (const other of all) if (one !== other) one.hear(other);
        const contents = all.map(({ store }) => [[...store.vector].sort(), store.page('', 100)]);
        assert.deepEqual(contents[1], contents[0]);
        assert.deepEqual(contents[2], contents[0]);
        for (const { store } of all) assert.ok(store.counts.refused <= beyond);
      }),
      { numRuns: 500 },
    );
  });
});
