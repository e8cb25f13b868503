import assert from 'node:assert/strict';
import type { LearnedPath } from '../../../src/speaker/selection.ts';
import { LearnedTable } from '../../../src/speaker/table.ts';

const path = (prefix: string, source = 'a', via = '192.0.2.9'): LearnedPath => ({
  prefix,
  source,
  nextHops: [{ via }],
  asPath: [65002],
  localPreference: 100,
  origin: 2,
  med: 0,
  internal: false,
  communities: [],
});

describe('speaker/table', () => {
  it('tells what is new, once', () => {
    const table = new LearnedTable();
    table.put(path('10.2.0.1/32'));
    assert.equal(table.changed, true);
    assert.deepEqual(table.news().prefixes, ['10.2.0.1/32']);
    table.put(path('10.2.0.1/32'));
    assert.deepEqual(table.news(), { prefixes: [], routes: [] });
    table.put(path('10.2.0.1/32', 'b', '192.0.2.8'));
    assert.equal(table.news().routes[0]?.nextHops.length, 2);
  });

  it('tells what is gone, and not what came and went', () => {
    const table = new LearnedTable();
    table.put(path('10.2.0.1/32'));
    table.remove('10.2.0.1/32', 'a');
    assert.deepEqual(table.news(), { prefixes: [], routes: [] });
    table.put(path('10.2.0.1/32'));
    table.news();
    table.remove('10.2.0.1/32', 'b');
    assert.equal(table.changed, false);
    table.remove('10.2.0.1/32', 'a');
    assert.deepEqual(table.news(), { prefixes: ['10.2.0.1/32'], routes: [] });
  });

  it('keeps what was told in force while the engine has to learn it again', () => {
    const table = new LearnedTable();
    for (const prefix of ['10.2.0.1/32', '10.2.0.2/32']) table.put(path(prefix));
    table.news();
    table.forget();
    assert.deepEqual(table.news(), { prefixes: [], routes: [] });
    table.put(path('10.2.0.1/32'));
    assert.deepEqual(table.news(), { prefixes: [], routes: [] });
    table.replace([path('10.2.0.1/32'), path('10.2.0.3/32')]);
    assert.deepEqual(
      table.all().map(({ prefix }) => prefix),
      ['10.2.0.1/32', '10.2.0.3/32'],
    );
    assert.equal(table.count('a'), 2);
  });

  it('tells the difference after it was replaced', () => {
    const table = new LearnedTable();
    table.put(path('10.2.0.1/32'));
    table.news();
    table.replace([path('10.2.0.2/32')]);
    assert.deepEqual(table.news().prefixes.sort(), ['10.2.0.1/32', '10.2.0.2/32']);
  });
});
