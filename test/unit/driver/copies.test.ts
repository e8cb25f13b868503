import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Known, planCopies } from '../../../src/driver/copies.ts';
import type { Logical } from '../../../src/model/logical.ts';
import type { Network } from '../../../src/model/network.ts';

const SELF = 'h1';
const HOSTS = [SELF, 'h2', 'h3'];
const pool = (at: number) => `default:10.${at}.0.0/16`;

const logical = (at: number, more: Partial<Logical> = {}): Logical => ({
  id: pool(at),
  tenant: 'default',
  encap: 'none',
  internal: false,
  pools: [pool(at)],
  createdAt: 1,
  ...more,
});

const network = (at: number, more: Partial<Network> = {}): Network => ({
  id: `n${at}`,
  tenant: 'default',
  encap: 'none',
  internal: false,
  pools: [pool(at)],
  createdAt: 2,
  ...more,
});

/** A host with nothing, in a cluster with nothing. */
const nothing: Known = {
  logicals: [],
  names: new Map(),
  makers: new Map(),
  isForgotten: () => false,
  isFirst: () => false,
  here: [],
  declined: [],
  isSure: true,
  makes: true,
};

interface Case {
  /** Whether the cluster has it, and what it calls it. */
  readonly standing: 'none' | 'named' | 'nameless' | 'internal';
  /** Who else has made it by hand. */
  readonly elsewhere: readonly string[];
  readonly here: 'no' | 'hand' | 'making' | 'kept' | 'ending';
  readonly makersThen: readonly string[];
  readonly declined: 'no' | 'this' | 'an earlier one';
}

const aCase: fc.Arbitrary<Case> = fc.record({
  standing: fc.constantFrom('none', 'named', 'nameless', 'internal'),
  elsewhere: fc.subarray(['h2', 'h3']),
  here: fc.constantFrom('no', 'hand', 'making', 'kept', 'ending'),
  makersThen: fc.subarray(['h2', 'h3', 'h4']),
  declined: fc.constantFrom('no', 'this', 'an earlier one'),
});

function known(
  cases: readonly Case[],
  forgotten: readonly string[],
  isFirst: boolean,
  makes: boolean,
): Known {
  const at = (index: number) => index + 1;
  const logicals = cases.flatMap(({ standing }, i) =>
    standing === 'none' ? [] : [logical(at(i), { internal: standing === 'internal' })],
  );
  return {
    logicals,
    names: new Map(
      cases.flatMap(({ standing }, i) =>
        standing === 'named' ? [[pool(at(i)), `net${at(i)}`] as const] : [],
      ),
    ),
    makers: new Map(
      cases.map(({ elsewhere, here }, i) => [
        pool(at(i)),
        [...(here === 'hand' ? [SELF] : []), ...elsewhere.filter((host) => !forgotten.includes(host))],
      ]),
    ),
    isForgotten: (host) => forgotten.includes(host),
    isFirst: () => isFirst,
    here: cases.flatMap(({ here, makersThen }, i) => {
      if (here === 'no') return [];
      if (here === 'hand') return [network(at(i))];
      return [network(at(i), { copy: here, makers: [...makersThen] })];
    }),
    declined: cases.flatMap(({ declined }, i) =>
      declined === 'no' ? [] : [{ network: pool(at(i)), createdAt: declined === 'this' ? 1 : 0 }],
    ),
    isSure: true,
    makes,
  };
}

/** What there is when the plan has been carried out. */
function carriedOut(before: Known, plan: ReturnType<typeof planCopies>): Known {
  const written = new Map(plan.write.map((one) => [one.id, one]));
  const here = before.here
    .filter((one) => !plan.remove.includes(one))
    .map((one) => written.get(one.id) ?? one)
    .concat(
      plan.make.map(({ logical: { id, pools, internal } }) => ({
        ...network(0, { id: `made ${id}`, pools, internal, copy: 'kept' }),
        makers: [...new Set(pools.flatMap((one) => before.makers.get(one) ?? []))].sort(),
      })),
    );
  const makers = new Map(before.makers);
  for (const { copy, pools } of here)
    if (copy === undefined)
      for (const one of pools) makers.set(one, [...new Set([...(makers.get(one) ?? []), SELF])]);
  return {
    ...before,
    here,
    makers,
    declined: before.declined.filter((one) => !plan.forget.includes(one.network)),
  };
}

const worlds = fc.tuple(
  fc.array(aCase, { maxLength: 5 }),
  fc.subarray(['h2', 'h3', 'h4']),
  fc.boolean(),
  fc.boolean(),
);

describe('copies of networks', () => {
  it('need nothing more when the plan was carried out', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        let now = known(...world);
        // Twice: what is taken over counts as made here from then on; what is removed since it differs is made anew.
        for (let round = 0; round < 2; round++) now = carriedOut(now, planCopies(now));
        const { make, remove, write, forget } = planCopies(now);
        assert.deepEqual({ make, remove, write, forget }, { make: [], remove: [], write: [], forget: [] });
      }),
    );
  });

  it('never touch what somebody made here by hand, nor make a second one', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const before = known(...world);
        const { make, remove, write } = planCopies(before);
        for (const one of [...remove, ...write])
          assert.notEqual(before.here.find(({ id }) => id === one.id)?.copy, undefined);
        const here = new Set(before.here.flatMap(({ pools }) => pools));
        for (const one of make) assert.ok(!one.logical.pools.some((id) => here.has(id)), one.name);
      }),
    );
  });

  it('are here exactly where somebody made the network and nobody here has removed it', () => {
    fc.assert(
      fc.property(worlds, ([cases, forgotten, isFirst]) => {
        let now = known(cases, forgotten, isFirst, true);
        for (let round = 0; round < 2; round++) now = carriedOut(now, planCopies(now));
        for (const [index, { standing, elsewhere, here, declined }] of cases.entries()) {
          const id = pool(index + 1);
          const isHere = now.here.some(({ pools }) => pools.includes(id));
          const others = elsewhere.filter((host) => !forgotten.includes(host));
          if (here === 'hand') assert.ok(isHere, id);
          else if (standing === 'named' && others.length > 0)
            assert.equal(isHere, here !== 'no' || declined !== 'this');
          else if (here === 'no' || standing === 'none') assert.ok(!isHere, id);
        }
      }),
    );
  });

  it('are made by nobody who is not to have them, and go all the same', () => {
    fc.assert(
      fc.property(fc.array(aCase, { maxLength: 5 }), (cases) => {
        const before = known(cases, [], false, false);
        const plan = planCopies(before);
        assert.deepEqual(plan.make, []);
        assert.deepEqual(plan.remove, planCopies({ ...before, makes: true }).remove);
      }),
    );
  });

  it('neither go, change hands nor count as wanted here while a record cannot be read', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const before = known(...world);
        const { remove, forget, write, held } = planCopies({ ...before, isSure: false });
        assert.deepEqual([remove, forget], [[], []]);
        assert.deepEqual(held, planCopies({ ...before, isSure: true }).remove, 'and it is told which would');
        for (const one of write) {
          const then = before.here.find(({ id }) => id === one.id);
          assert.notEqual(one.copy, undefined);
          for (const maker of then?.makers ?? []) assert.ok(one.makers?.includes(maker), maker);
        }
      }),
    );
  });

  const named = { logicals: [logical(1)], names: new Map([[pool(1), 'mine']]) };

  it('go with the last host where somebody made the network', () => {
    const copy = network(1, { copy: 'kept', makers: ['h2', 'h3'] });
    const here = { ...nothing, ...named, here: [copy] };
    const both = planCopies({ ...here, makers: new Map([[pool(1), ['h2', 'h3']]]) });
    assert.deepEqual([both.remove, both.write], [[], []]);
    const one = planCopies({ ...here, makers: new Map([[pool(1), ['h3']]]) });
    assert.deepEqual([one.remove, one.write], [[], [{ ...copy, makers: ['h3'] }]]);
    assert.deepEqual(planCopies(here).remove, [copy]);
  });

  it('stay when all of those were forgotten, and are the first one’s own then', () => {
    const copy = network(1, { copy: 'kept', makers: ['h2'] });
    const lost = { ...nothing, ...named, here: [copy], isForgotten: (host: string) => host === 'h2' };
    assert.deepEqual(planCopies(lost), { make: [], remove: [], held: [], write: [], forget: [] });
    const { write, remove } = planCopies({ ...lost, isFirst: () => true });
    assert.deepEqual([write, remove], [[network(1)], []]);
  });

  it('go when the network is another one by now', () => {
    const copy = network(1, { copy: 'kept', mtu: 1400, makers: ['h2'] });
    const makers = new Map([[pool(1), ['h2']]]);
    const given = { ...nothing, ...named, makers, here: [copy] };
    assert.deepEqual(planCopies(given).remove, [copy]);
    assert.deepEqual(planCopies({ ...given, logicals: [logical(1, { mtu: 1400 })] }).remove, []);
  });

  it('are made again here when the network that was removed by hand is made anew, or was nowhere', () => {
    const declined = [{ network: pool(1), createdAt: 1 }];
    const given = { ...nothing, ...named, declined };
    const makers = new Map([[pool(1), ['h2']]]);
    assert.deepEqual(planCopies({ ...given, makers }), {
      make: [],
      remove: [],
      held: [],
      write: [],
      forget: [],
    });
    assert.deepEqual(planCopies(given).forget, [pool(1)]);
    const anew = planCopies({ ...given, makers, logicals: [logical(1, { createdAt: 9 })] });
    assert.deepEqual([anew.forget, anew.make.map(({ name }) => name)], [[pool(1)], ['mine']]);
    const own = planCopies({ ...given, makers: new Map([[pool(1), HOSTS]]), here: [network(1)] });
    assert.deepEqual(own.forget, [pool(1)]);
  });
});
