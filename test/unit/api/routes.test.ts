import assert from 'node:assert/strict';
import { type Compared, compareRoutes } from '../../../src/api/compare.ts';
import { within } from '../../../src/api/routes.ts';
import { CodedError } from '../../../src/errors.ts';
import { METRIC_LEARNED, METRIC_LOCAL, type Route, TABLE_MAIN } from '../../../src/ports/kernel.ts';

const local = (prefix: string, dev = 'nr1'): Route => ({
  kind: 'route',
  prefix,
  table: TABLE_MAIN,
  metric: METRIC_LOCAL,
  type: 'unicast',
  nextHops: [{ dev }],
});
const remote = (prefix: string, via = '192.0.2.254'): Route => ({
  ...local(prefix),
  metric: METRIC_LEARNED,
  nextHops: [{ via, dev: 'eth0' }],
});
const keyOf = ({ table, prefix, metric }: Route) => `route ${table} ${prefix} ${metric}`;
const byKey = (...routes: Route[]) => new Map(routes.map((route) => [keyOf(route), route]));
const announced = (...prefixes: string[]) =>
  new Map(
    prefixes.map((prefix) => [
      prefix,
      { kind: 'announcement', prefix, nextHop: '192.0.2.1', anycast: false } as const,
    ]),
  );
const learnt = (prefix: string) => ({
  prefix,
  nextHops: [{ via: '192.0.2.254' }],
  holder: '192.0.2.2',
  anycast: false,
  asPath: [65000],
});

function compare(change: Partial<Compared>) {
  return compareRoutes({
    wanted: new Map(),
    owners: new Map(),
    kernel: new Map(),
    announcing: new Map(),
    local: new Map(),
    engine: new Map(),
    learned: new Map(),
    errors: new Map(),
    containerOf: () => undefined,
    ...change,
  });
}

describe('comparison of routes', () => {
  const route = local('10.1.0.2/32');
  const wanted = byKey(route);
  const owners = new Map([[keyOf(route), 'endpoint e1']]);
  const announcing = new Map([['10.1.0.2/32', '192.0.2.1']]);

  it('says ok on both sides for what is as wanted, and whose it is', () => {
    const engine = announced('10.1.0.2/32');
    const rows = compare({
      wanted,
      owners,
      announcing,
      engine,
      kernel: byKey(route),
      containerOf: (endpoint) => (endpoint === 'e1' ? 'web' : undefined),
    });
    assert.deepEqual(rows, [
      {
        prefix: '10.1.0.2/32',
        wanted: 'endpoint',
        endpoint: { id: 'e1', container: 'web' },
        kernel: { state: 'ok', detail: 'dev nr1' },
        engine: { state: 'ok', detail: 'via 192.0.2.1' },
      },
    ]);
  });

  it('says missing for what is nowhere', () => {
    const [row] = compare({ wanted, owners, announcing });
    assert.equal(row?.kernel?.state, 'missing');
    assert.equal(row?.engine?.state, 'missing');
  });

  it('says pending with the reason for what could not be made', () => {
    const { code, what, remedy } = new CodedError('NR_KERNEL_REFUSED', 'no such device');
    const errors = new Map([[keyOf(route), { code, what, remedy }]]);
    const [row] = compare({ wanted, owners, announcing, errors });
    assert.deepEqual(row?.kernel, { state: 'pending', detail: 'dev nr1', problem: { code, what, remedy } });
  });

  it('says stray for what nobody wants', () => {
    const rows = compare({ kernel: byKey(route), engine: announced('10.7.0.1/32') });
    assert.deepEqual(rows, [
      { prefix: '10.1.0.2/32', wanted: 'none', kernel: { state: 'stray', detail: 'dev nr1' } },
      { prefix: '10.7.0.1/32', wanted: 'none', engine: { state: 'stray', detail: 'via 192.0.2.1' } },
    ]);
  });

  it('says differs, with what is there, for what is otherwise than wanted', () => {
    const [row] = compare({ wanted, owners, kernel: byKey(local('10.1.0.2/32', 'nr2')) });
    assert.deepEqual(row?.kernel, { state: 'differs', detail: 'dev nr2' });
  });

  it('says unknown for a side that could not be read', () => {
    const [row] = compare({ wanted, owners, announcing, kernel: undefined, engine: undefined });
    assert.deepEqual([row?.kernel?.state, row?.engine?.state], ['unknown', 'unknown']);
  });

  it('has a row each for an own and a learned route to one prefix', () => {
    const other = remote('10.1.0.2/32');
    const all = byKey(route, other);
    const rows = compare({
      wanted: all,
      kernel: all,
      owners: new Map([...owners, [keyOf(other), 'learned 10.1.0.2/32']]),
      announcing,
      engine: announced('10.1.0.2/32'),
      learned: new Map([['10.1.0.2/32', learnt('10.1.0.2/32')]]),
    });
    assert.deepEqual(
      rows.map((row) => [row.wanted, row.kernel?.detail, row.engine?.state, row.learned?.holder]),
      [
        ['endpoint', 'dev nr1', 'ok', undefined],
        ['learned', 'via 192.0.2.254 dev eth0', undefined, '192.0.2.2'],
      ],
    );
  });

  it('names what stays on this host, and what is learned and of no use', () => {
    const note = 'not announced: outside of the pools';
    const rows = compare({
      wanted,
      owners,
      kernel: byKey(route),
      local: new Map([['10.1.0.2/32', note]]),
      learned: new Map([['10.8.0.0/16', learnt('10.8.0.0/16')]]),
    });
    assert.equal(rows[0]?.note, note);
    assert.equal(rows[0]?.engine, undefined);
    assert.match(rows[1]?.note ?? '', /no way to its next hop/);
  });

  it('orders by family, address and length', () => {
    const prefixes = ['fd00::/64', '10.2.0.0/16', '10.10.0.0/16', '10.2.0.0/15', '9.0.0.0/8'];
    const rows = compare({ kernel: byKey(...prefixes.map((prefix) => local(prefix))) });
    assert.deepEqual(
      rows.map(({ prefix }) => prefix),
      ['9.0.0.0/8', '10.2.0.0/15', '10.2.0.0/16', '10.10.0.0/16', 'fd00::/64'],
    );
  });
});

describe('the prefix that is asked for', () => {
  it('finds what is within and what is around, of its family', () => {
    assert.equal(within('10.1.0.2/32', '10.1.0.0/16'), true);
    assert.equal(within('10.0.0.0/8', '10.1.0.2'), true);
    assert.equal(within('10.2.0.0/16', '10.1.0.2'), false);
    assert.equal(within('fd00::/8', '10.1.0.2'), false);
  });

  it('has to be one', () => {
    assert.throws(() => within('10.0.0.0/8', '10.1.0.5/16'), { code: 'NR_PREFIX_INVALID' });
    assert.throws(() => within('10.0.0.0/8', 'here'), { code: 'NR_ADDRESS_INVALID' });
  });
});
