import assert from 'node:assert/strict';
import fc from 'fast-check';
import { markOf } from '../../../src/speaker/holder.ts';
import { type LearnedPath, select } from '../../../src/speaker/selection.ts';

const path: LearnedPath = {
  prefix: '10.2.0.1/32',
  source: 'a',
  nextHops: [{ via: '192.0.2.9' }],
  asPath: [65002],
  localPreference: 100,
  origin: 2,
  med: 0,
  internal: false,
  communities: [],
};
const other = (changes: Partial<LearnedPath>): LearnedPath => ({
  ...path,
  source: 'b',
  nextHops: [{ via: '192.0.2.8' }],
  ...changes,
});
const via = (...paths: LearnedPath[]) => select(paths)?.nextHops.map((hop) => hop.via);

describe('speaker/selection', () => {
  it('is nothing of nothing', () => assert.equal(select([]), undefined));

  it('follows the order of the decision process', () => {
    const worse: Partial<LearnedPath>[] = [
      { localPreference: 99, asPath: [], origin: 0 },
      { asPath: [65002, 65003], origin: 0 },
      { med: 1 },
      { internal: true },
    ];
    for (const changes of worse) {
      assert.deepEqual(via(path, other(changes)), ['192.0.2.9'], JSON.stringify(changes));
      assert.deepEqual(via(other(changes), path), ['192.0.2.9'], JSON.stringify(changes));
    }
    assert.deepEqual(via(path, other({ origin: 0, med: 9 })), ['192.0.2.8']);
  });

  it('compares metrics of the same neighbouring AS only', () => {
    assert.deepEqual(via(path, other({ asPath: [65009], med: 7 })), ['192.0.2.8', '192.0.2.9']);
  });

  it('has all next hops that are equally good, sorted, each once', () => {
    const third = other({ source: 'c', nextHops: [{ via: 'fe80::1', dev: 'l1' }] });
    assert.deepEqual(select([third, path, other({}), { ...path, source: 'd' }])?.nextHops, [
      { via: '192.0.2.8' },
      { via: '192.0.2.9' },
      { via: 'fe80::1', dev: 'l1' },
    ]);
  });

  it('names the holder by its mark, else by the next hop', () => {
    assert.equal(select([path])?.holder, '192.0.2.9');
    const marked = { ...path, communities: markOf(65002, '203.0.113.7', true) };
    assert.deepEqual([select([marked])?.holder, select([marked])?.anycast], ['203.0.113.7', true]);
  });

  it('does not depend on the order of the paths', () => {
    const some = fc.array(
      fc.record({
        source: fc.uuid(),
        via: fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3'),
        length: fc.nat(2),
        med: fc.nat(1),
        internal: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(some, (list) => {
        // One neighbouring AS: between several, metrics have no order that all agree on (RFC 3345).
        const paths = list.map(({ source, via: hop, length, med, internal }) =>
          other({ source, nextHops: [{ via: hop }], asPath: Array(length + 1).fill(65002), med, internal }),
        );
        assert.deepEqual(select(paths), select([...paths].reverse()));
      }),
    );
  });
});
