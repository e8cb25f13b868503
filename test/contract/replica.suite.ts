import assert from 'node:assert/strict';
import type { Class, Observation } from '../../src/ports/store.ts';
import type { Versioned } from '../../src/store/crdt/record.ts';
import { digest } from '../../src/store/digest.ts';
import type { Range } from '../../src/store/gossip/messages.ts';
import type { Replica, ReplicaOptions } from '../../src/store/replica.ts';
import { Sealer, type Signer } from '../../src/store/seal.ts';

const [A, B, C] = ['a', 'b', 'c'].map((one) => one.repeat(32)) as [string, string, string];

export const REPLICA_CLASSES: ReadonlyMap<string, Class> = new Map([
  ['owned', 'owned'],
  ['deed', 'ownership'],
  ['shared', 'shared'],
  ['own', 'local'],
]);

/** A place for replicas to be opened at, one after the other. */
export interface ReplicaPlace {
  open(options: ReplicaOptions): Replica;
  /** The next write fails. Undefined: cannot be arranged here. */
  failNext(): boolean;
  remove(): void;
}

/** What a replica does on every disk. */
export function replicaSuite(place: () => ReplicaPlace): void {
  let at: ReplicaPlace;
  let replica: Replica;
  let seen: string[];

  function open(): void {
    replica = at.open({ classes: REPLICA_CLASSES, schedule: () => {}, wallMs: () => 1_800_000_000_000 });
    seen = [];
    for (const name of REPLICA_CLASSES.keys()) replica.observe(name, (change) => seen.push(told(change)));
  }
  beforeEach(() => {
    at = place();
    open();
  });
  afterEach(async () => {
    await replica.close();
    at.remove();
  });
  async function reopen(): Promise<void> {
    await replica.close();
    open();
  }
  const put = (key: string, value: string | undefined) => {
    replica.write([{ key, value }], (error) => assert.equal(error, undefined));
    replica.flush();
  };
  const merge = (...ranges: Range[]): boolean => {
    const isWhole = replica.merge(ranges);
    replica.flush();
    return isWhole;
  };
  const stored = (namespace: string) => replica.all(namespace).map(({ key, value }) => `${key}=${value}`);

  it('is alike by its digest where the same stands, in whatever order it came', async () => {
    const other = place();
    const twin = other.open({
      classes: REPLICA_CLASSES,
      schedule: () => {},
      wallMs: () => 1_800_000_000_000,
    });
    try {
      const [first, second] = [
        range(B, 0, 1, [shared(B, 1, 'x', 'one')]),
        range(C, 0, 1, [shared(C, 1, 'y', 'two')]),
      ];
      merge(first, second);
      replica.write([{ key: 'own/z', value: 'nobody else has it' }], () => {});
      replica.flush();
      twin.merge([second]);
      twin.flush();
      assert.notDeepEqual(await digest(replica), await digest(twin));
      twin.merge([first]);
      twin.flush();
      const those = (await digest(replica)).filter(({ records }) => records > 0);
      assert.deepEqual(
        those.map(({ origin, known, records }) => [origin, known, records]),
        [
          [B, 1, 1],
          [C, 1, 1],
        ],
      );
      assert.deepEqual(those, await digest(twin));
      twin.merge([range(B, 1, 2, [shared(B, 2, 'x', 'another')])]);
      twin.flush();
      const [changed] = await digest(twin);
      assert.equal(changed?.records, 1);
      assert.notEqual(changed?.hash, those[0]?.hash);
    } finally {
      await twin.close();
      other.remove();
    }
  });

  describe('merge', () => {
    it('takes over what others tell, and shows it at once, on disk and after reopening', async () => {
      replica.merge([range(B, 0, 2, [owned(B, 1, 'x'), shared(B, 2, 'y', 'two')])]);
      assert.equal(replica.get(`owned/${B}/x`)?.value, 'v1', 'before it is durable');
      assert.equal(replica.vector.get(B), undefined, 'and is not told yet');
      assert.equal(replica.known(B), 2);
      replica.flush();
      assert.deepEqual(seen, [`owned/${B}/x: nothing > v1`, 'shared/y: nothing > two']);
      await reopen();
      assert.deepEqual(stored('owned'), [`owned/${B}/x=v1`]);
      assert.deepEqual([...replica.list('owned')], [], 'list is of this host only');
      assert.deepEqual(
        [...replica.list('shared')].map(({ value }) => value),
        ['two'],
      );
      assert.deepEqual([...replica.vector], [[B, 2]]);
    });

    it('leaves out what comes after a gap, and takes it when the gap is filled', () => {
      const [first, second] = [
        range(B, 0, 1, [shared(B, 1, 'x', 'one')]),
        range(B, 1, 2, [shared(B, 2, 'y', 'two')]),
      ];
      assert.equal(merge(second), false);
      assert.deepEqual([replica.known(B), stored('shared')], [0, []]);
      assert.equal(merge(first), true);
      assert.equal(merge(second), true);
      assert.deepEqual(stored('shared'), ['shared/x=one', 'shared/y=two']);
    });

    it('takes ranges that overlap, and passes over what it knows', () => {
      merge(range(B, 0, 2, [shared(B, 1, 'x', 'one'), shared(B, 2, 'y', 'two')]));
      // Ours replaces y and x; that y was is told again.
      put('shared/y', undefined);
      assert.equal(merge(range(B, 0, 3, [shared(B, 2, 'y', 'two'), shared(B, 3, 'z', 'three')])), true);
      assert.deepEqual(stored('shared'), ['shared/x=one', 'shared/z=three']);
      assert.equal(replica.counts.stale, 1);
    });

    it('does not take again what it has seen replaced, and forgotten', () => {
      merge(range(B, 0, 2, [shared(B, 1, 'x', 'one'), shared(B, 2, 'y', 'two')]));
      put('shared/y', undefined);
      replica.drop([...replica.tombstones()]);
      merge(range(B, 0, 3, [shared(B, 1, 'x', 'one'), shared(B, 2, 'y', 'two'), shared(B, 3, 'z', 'three')]));
      assert.deepEqual(stored('shared'), ['shared/x=one', 'shared/z=three']);
    });

    it('believes nobody about its own writes', () => {
      put('shared/x', 'mine');
      const forged = { ...shared(replica.origin, 9, 'x', 'theirs'), rank: Number.MAX_SAFE_INTEGER };
      assert.equal(merge(range(replica.origin, 0, 9, [forged])), true);
      assert.deepEqual([replica.known(replica.origin), stored('shared')], [1, ['shared/x=mine']]);
    });

    it('keeps the higher rank, and of equal ones the higher origin, in any order', () => {
      const versions = [deed(A, 1, 'k', 3), deed(B, 1, 'k', 4), deed(C, 1, 'k', 4)];
      for (const one of versions) merge(range(one.origin, 0, 1, [one]));
      assert.equal(replica.version('deed/k')?.origin, C);
    });

    it('counts as known, and does not store, what is no record', () => {
      const poison: Versioned[] = [
        { ...owned(B, 1, 'x'), key: `owned/${C}/x` },
        { ...owned(B, 2, 'x'), rank: 99 },
        { ...shared(B, 3, 'x', 'v'), class: 'owned' },
        { ...shared(B, 4, 'x', 'v'), class: 'local' },
        { ...shared(B, 5, 'x', 'v'), text: '{' },
        { ...shared(B, 6, 'x', 'v'), text: '['.repeat(1000) + ']'.repeat(1000) },
        { ...shared(B, 7, 'x', 'v'), text: JSON.stringify('x'.repeat(70_000)) },
        { ...shared(B, 8, 'x', 'v'), rank: Number.MAX_SAFE_INTEGER },
        { ...shared(B, 9, 'x', 'v'), key: 'no-namespace' },
        { ...shared(B, 10, 'x', 'v'), key: `shared/${'x'.repeat(2000)}` },
        { ...shared(B, 11, 'x', 'v'), key: 'shared/\u0000' },
        { ...shared(B, 12, 'x', 'v'), key: 'later/x', class: 'local' },
      ];
      assert.equal(merge(range(B, 0, 13, [...poison, shared(B, 13, 'good', 'v')])), true);
      assert.deepEqual(stored('shared'), ['shared/good=v']);
      assert.deepEqual(stored('owned'), []);
      assert.equal(replica.counts.refused, poison.length);
      assert.deepEqual(
        replica.range(B, 0).records.map(({ key }) => key),
        ['shared/good'],
      );
      assert.equal(replica.vector.get(B), 13);
    });

    it('keeps records of namespaces that it does not know, and passes them on', async () => {
      const foreign = { ...shared(B, 1, 'x', 'v'), key: 'later/x', class: 'ownership' as const };
      merge(range(B, 0, 1, [foreign]));
      await reopen();
      assert.deepEqual(
        replica.range(B, 0).records.map(({ key, class: kind }) => [key, kind]),
        [['later/x', 'ownership']],
      );
    });

    it('goes on when an observer cannot bear a record', () => {
      replica.observe('shared', () => {
        throw new Error('unbearable');
      });
      merge(range(B, 0, 2, [shared(B, 1, 'x', 'one'), shared(B, 2, 'y', 'two')]));
      assert.equal(seen.length, 2);
      assert.equal(replica.counts.observerFailures, 2);
    });
  });

  describe('mend', () => {
    const mend = (...ranges: Range[]): number => {
      const { taken } = replica.mend(ranges);
      replica.flush();
      return taken;
    };

    it('takes what should be here, and is not', async () => {
      merge(range(B, 0, 3, [shared(B, 3, 'z', 'three')]));
      assert.equal(mend(range(B, 0, 3, [shared(B, 1, 'x', 'one'), shared(B, 3, 'z', 'three')])), 1);
      await reopen();
      assert.deepEqual(stored('shared'), ['shared/x=one', 'shared/z=three']);
      assert.deepEqual([...replica.vector], [[B, 3]]);
    });

    it('takes what stands against what is here, a tombstone too, and nothing else', () => {
      merge(range(B, 0, 9, [shared(B, 1, 'x', 'one'), shared(B, 6, 'y', 'six')]), range(C, 0, 9, []));
      const dead = { ...shared(C, 5, 'x', ''), text: undefined };
      assert.equal(mend(range(C, 0, 9, [dead, shared(C, 4, 'y', 'four')])), 1);
      assert.deepEqual(stored('shared'), ['shared/y=six']);
      const forgotten = { ...shared(C, 7, 'z', ''), text: undefined };
      assert.equal(mend(range(C, 6, 9, [forgotten])), 0);
      assert.equal(replica.version('shared/z'), undefined, 'everybody has seen it');
    });

    it('believes nobody about its own writes, nor what may be on its way', () => {
      put('shared/x', 'mine');
      put('shared/x', undefined);
      replica.drop([...replica.tombstones()]);
      replica.flush();
      const mine = { ...shared(replica.origin, 1, 'x', 'mine') };
      assert.equal(mend(range(replica.origin, 0, 1, [mine])), 0);
      merge(range(B, 0, 1, []));
      assert.equal(mend(range(B, 0, 2, [shared(B, 2, 'y', 'two')])), 0);
      assert.deepEqual(stored('shared'), []);
    });

    it('takes nothing that would not be taken over otherwise', () => {
      merge(range(B, 0, 9, []));
      replica.admission = { limit: () => 5, admits: ({ key }) => key !== 'shared/no' };
      assert.equal(mend(range(B, 0, 9, [shared(B, 1, 'x', 'one')])), 0, 'beyond the limit');
      const records = [shared(B, 1, 'no', 'one'), owned(C, 2, 'x'), shared(B, 3, 'x', 'three')];
      assert.equal(mend(range(B, 0, 5, [records[0]!, { ...records[1]!, origin: B }, records[2]!])), 1);
      assert.deepEqual([stored('shared'), stored('owned')], [['shared/x=three'], []]);
    });

    it('asks whether what has to be proven is so', () => {
      merge(range(B, 0, 9, []));
      const asked: string[] = [];
      replica.sealer = new Sealer({} as Signer, 'none');
      replica.admission = {
        ...replica.admission,
        doubt: ({ origin }, versions) => {
          asked.push(`${origin} ${versions.map(({ key }) => key)}`);
          return { isForged: true, what: 'nobody let it in' };
        },
      };
      const member: Versioned = { ...shared(B, 1, '', '1'), key: 'member/x' };
      const { taken, doubt } = replica.mend([range(B, 0, 9, [member, shared(B, 2, 'x', 'two')])]);
      assert.deepEqual([taken, doubt?.what, asked], [0, 'nobody let it in', [`${B} member/x`]]);
    });
  });

  describe('a limit', () => {
    const limited = (limit: number) => {
      replica.admission = {
        limit: (origin) => (origin === B ? limit : Number.POSITIVE_INFINITY),
        admits: () => true,
      };
    };

    it('leaves out whole what goes beyond it: what counts may be replaced by what does not', () => {
      limited(2);
      // B wrote x as its first, and again as its third.
      assert.equal(
        merge(range(B, 0, 3, [shared(B, 3, 'x', 'three')])),
        true,
        'nothing is missing that could come',
      );
      assert.deepEqual([replica.known(B), stored('shared')], [0, []]);
      merge(range(B, 0, 2, [shared(B, 1, 'x', 'one')]));
      assert.deepEqual([replica.known(B), stored('shared')], [2, ['shared/x=one']]);
    });

    it('that is lifted lets in the rest', () => {
      limited(1);
      merge(range(B, 0, 1, [shared(B, 1, 'x', 'one')]), range(B, 1, 2, [shared(B, 2, 'y', 'two')]));
      limited(Number.POSITIVE_INFINITY);
      merge(range(B, 1, 2, [shared(B, 2, 'y', 'two')]));
      assert.deepEqual(stored('shared'), ['shared/x=one', 'shared/y=two']);
    });

    it('of what may stand counts the refused as known', () => {
      replica.admission = {
        limit: () => Number.POSITIVE_INFINITY,
        admits: ({ class: kind }) => kind !== 'owned',
      };
      merge(range(B, 0, 2, [owned(B, 1, 'x'), shared(B, 2, 'y', 'two')]));
      assert.deepEqual([replica.known(B), stored('owned'), stored('shared')], [2, [], ['shared/y=two']]);
    });
  });

  describe('range', () => {
    it('has what still stands, in order, tombstones too, and nothing that is local', () => {
      put('shared/x', 'one');
      put('shared/y', 'two');
      put('own/z', 'three');
      put('shared/x', 'four');
      put('shared/y', undefined);
      const { from, to, records } = replica.range(replica.origin, 0);
      assert.deepEqual([from, to], [0, 5]);
      assert.deepEqual(
        records.map(({ key, text, sequence }) => [key, text, sequence]),
        [
          ['shared/x', '"four"', 4],
          ['shared/y', undefined, 5],
        ],
      );
      assert.deepEqual(replica.range(replica.origin, 4).records.length, 1);
      assert.deepEqual(replica.range(replica.origin, 5), {
        origin: replica.origin,
        from: 5,
        to: 5,
        records: [],
      });
    });

    it('ends with the last of so many records, or where it is told to', () => {
      for (let i = 1; i <= 4; i++) put(`shared/${i}`, `${i}`);
      assert.deepEqual(
        [replica.range(replica.origin, 0, 3).to, replica.range(replica.origin, 0, 3).records.length],
        [3, 3],
      );
      assert.deepEqual(
        [replica.range(replica.origin, 3, 3).to, replica.range(replica.origin, 3, 3).records.length],
        [4, 1],
      );
      const { to, records } = replica.range(replica.origin, 1, 100, 3);
      assert.deepEqual([to, records.length], [3, 2]);
    });

    it('tells nothing that is not durable', () => {
      replica.write([{ key: 'shared/x', value: 1 }], () => {});
      assert.deepEqual(replica.range(replica.origin, 0), {
        origin: replica.origin,
        from: 0,
        to: 0,
        records: [],
      });
    });
  });

  describe('drop', () => {
    it('forgets a tombstone where it still stands, and tells nobody', () => {
      put('shared/x', 'one');
      put('shared/x', undefined);
      put('shared/y', 'one');
      put('shared/y', undefined);
      const dead = [...replica.tombstones()];
      seen = [];
      replica.write([{ key: 'shared/y', value: 'again' }], () => {});
      assert.equal(replica.drop(dead), 1);
      replica.flush();
      assert.deepEqual([...replica.tombstones()], []);
      assert.equal(replica.version('shared/x'), undefined);
      assert.deepEqual(stored('shared'), ['shared/y=again']);
      assert.deepEqual(seen, ['shared/y: nothing > again']);
    });

    it('does not let the clock go back: a later write of the key wins where the tombstone still is', async () => {
      merge(range(B, 0, 1, [{ ...shared(B, 1, 'x', 'v'), text: undefined, rank: 2 ** 52 - 2 ** 46 }]));
      const [dead] = [...replica.tombstones()];
      replica.drop([dead!]);
      replica.flush();
      await reopen();
      put('shared/x', 'later');
      assert.ok(replica.version('shared/x')!.rank > dead!.rank);
    });

    it('of an owner forgets all that it owns, and nothing else', async () => {
      put(`owned/${replica.origin}/x`, 'mine');
      merge(range(B, 0, 2, [owned(B, 1, 'x'), shared(B, 2, 'y', 'two')]), range(C, 0, 1, [owned(C, 1, 'x')]));
      replica.dropOwner(B);
      replica.flush();
      await reopen();
      assert.deepEqual(stored('owned'), [`owned/${replica.origin}/x=mine`, `owned/${C}/x=v1`].sort());
      assert.deepEqual(stored('shared'), ['shared/y=two']);
      assert.equal(replica.known(B), 2);
    });
  });

  describe('local records', () => {
    it('go without a tombstone, also in the write that made them', async () => {
      put('own/x', 'one');
      put('own/x', undefined);
      replica.write([{ key: 'own/y', value: 1 }, { key: 'own/y' }], () => {});
      assert.equal(replica.get('own/y'), undefined);
      replica.flush();
      assert.deepEqual([...replica.tombstones()], []);
      assert.deepEqual(seen.slice(0, 2), ['own/x: nothing > one', 'own/x: one > nothing']);
      put('own/x', 'two');
      await reopen();
      assert.deepEqual(stored('own'), ['own/x=two']);
    });

    it('never have a version again that one had before', () => {
      put('own/x', 'one');
      const { version } = replica.get('own/x')!;
      put('own/x', undefined);
      put('own/x', 'two');
      replica.write([{ key: 'own/x', expect: version }], (error) =>
        assert.equal(error?.code, 'NR_STORE_CONFLICT'),
      );
      assert.equal(replica.get('own/x')?.value, 'two');
    });
  });

  describe('a disk that refuses', () => {
    it('undoes what was merged, written, dropped and known of the turn', async function () {
      put('shared/x', 'one');
      put('shared/dead', 'one');
      put('shared/dead', undefined);
      put('own/x', 'one');
      merge(range(B, 0, 1, [owned(B, 1, 'x')]));
      if (!at.failNext()) return this.skip();
      seen = [];
      const failures: string[] = [];
      replica.write([{ key: 'shared/x', value: 'two' }, { key: 'own/x' }], (error) =>
        failures.push(error?.code ?? ''),
      );
      replica.drop([...replica.tombstones()]);
      replica.merge([range(B, 1, 3, [owned(B, 2, 'x'), shared(B, 3, 'y', 'v')])]);
      assert.equal(replica.get(`owned/${B}/x`)?.value, 'v2');
      replica.flush();
      assert.deepEqual([failures, seen], [['NR_STORE_FAILED'], []]);
      assert.deepEqual(stored('shared'), ['shared/x=one']);
      assert.deepEqual(stored('own'), ['own/x=one']);
      assert.deepEqual(stored('owned'), [`owned/${B}/x=v1`]);
      assert.equal([...replica.tombstones()].length, 1);
      assert.deepEqual([replica.known(B), replica.vector.get(B)], [1, 1]);
      assert.equal(merge(range(B, 1, 3, [owned(B, 2, 'x'), shared(B, 3, 'y', 'v')])), true);
      await reopen();
      assert.deepEqual(stored('shared'), ['shared/x=one', 'shared/y=v']);
    });
  });
}

function told({ key, before, after }: Observation): string {
  return `${key}: ${before?.value ?? 'nothing'} > ${after?.value ?? 'nothing'}`;
}

function range(origin: string, from: number, to: number, records: Versioned[]): Range {
  return { origin, from, to, records };
}

function owned(origin: string, sequence: number, id: string): Versioned {
  return {
    key: `owned/${origin}/${id}`,
    class: 'owned',
    text: `"v${sequence}"`,
    origin,
    sequence,
    rank: sequence,
  };
}

function shared(origin: string, sequence: number, id: string, value: string): Versioned {
  return {
    key: `shared/${id}`,
    class: 'shared',
    text: JSON.stringify(value),
    origin,
    sequence,
    rank: sequence,
  };
}

function deed(origin: string, sequence: number, id: string, rank: number): Versioned {
  return { key: `deed/${id}`, class: 'ownership', text: `{"owner":"${origin}"}`, origin, sequence, rank };
}
