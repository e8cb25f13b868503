import assert from 'node:assert/strict';
import type { EnginePath } from '../../../src/speaker/gobgp/api.ts';
import { Learning } from '../../../src/speaker/gobgp/learning.ts';
import { LearnedTable } from '../../../src/speaker/table.ts';
import { FakeEngine } from './engine.fake.ts';

const path = (prefix: string): EnginePath => ({
  prefix,
  withdrawn: false,
  local: false,
  neighbor: '192.0.2.9',
  routerId: '192.0.2.9',
  sourceAs: 65002,
  attributes: {
    nextHops: ['192.0.2.9'],
    asPath: [65002],
    origin: 0,
    med: 0,
    localPreference: 100,
    communities: [],
  },
});

describe('speaker/gobgp/learning', () => {
  it('tells of paths at once, also when the clock of the host was set back meanwhile', async () => {
    const table = new LearnedTable();
    let told = (_prefixes: readonly string[]) => {};
    const learning = new Learning(new FakeEngine().api, table, { asn: 65001, routerId: '192.0.2.1' }, () =>
      told(table.news().prefixes),
    );
    const { now } = Date;
    try {
      for (const [index, ms] of [0, -3_600_000, 3_600_000].entries()) {
        Date.now = () => now() + ms;
        const news = new Promise<readonly string[]>((resolve) => {
          told = resolve;
        });
        const prefix = `10.1.0.${index}/32`;
        learning.hear([path(prefix)]);
        assert.deepEqual(await news, [prefix]);
      }
    } finally {
      Date.now = now;
      learning.stop();
    }
  });
});
