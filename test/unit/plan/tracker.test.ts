import assert from 'node:assert/strict';
import fc from 'fast-check';
import { same, Tracker } from '../../../src/plan/tracker.ts';

interface Thing {
  readonly kind: 'thing';
  readonly name: string;
  readonly value: number;
}
const thing = (name: string, value = 0): Thing => ({ kind: 'thing', name, value });
const tracker = () => new Tracker<Thing>(({ name }) => name);
const brief = (of: Tracker<Thing>) => of.pending().map((one) => `${one.do} ${one.key}=${one.resource.value}`);

function apply(of: Tracker<Thing>, world: Map<string, Thing>): void {
  for (const operation of of.pending()) {
    if (operation.do === 'put') world.set(operation.key, operation.resource);
    else world.delete(operation.key);
    of.done(operation.key, operation.do === 'put' ? operation.resource : undefined);
  }
}

describe('Tracker', () => {
  it('puts what is wanted and is not there', () => {
    const it = tracker();
    it.want('a', [thing('x', 1)]);
    assert.deepEqual(brief(it), ['put x=1']);
    it.done('x', thing('x', 1));
    assert.deepEqual(brief(it), []);
    assert.ok(it.settled('a'));
  });

  it('changes what is there otherwise, and says what was', () => {
    const it = tracker();
    it.found(new Map([['x', thing('x', 1)]]), it.stamp());
    it.want('a', [thing('x', 2)]);
    assert.deepEqual(it.pending()[0], { do: 'put', key: 'x', resource: thing('x', 2), was: thing('x', 1) });
  });

  it('removes what is there and nobody wants', () => {
    const it = tracker();
    it.found(new Map([['x', thing('x')]]), it.stamp());
    assert.deepEqual(brief(it), ['remove x=0']);
  });

  it('keeps a key for its first owner until that one lets go', () => {
    const it = tracker();
    it.want('a', [thing('x', 1)]);
    it.want('b', [thing('x', 2)]);
    assert.deepEqual(brief(it), ['put x=1']);
    it.want('a', []);
    it.want('b', [thing('x', 2)]);
    assert.deepEqual(brief(it), ['put x=2']);
  });

  it('hands a key over to the owner that waits for it', () => {
    const it = tracker();
    it.want('a', [thing('x', 1)]);
    it.want('b', [thing('x', 2)]);
    it.want('a', []);
    assert.deepEqual(brief(it), ['put x=2']);
  });

  it('is not overruled by a read-back that began before a change', () => {
    const it = tracker();
    const stamp = it.stamp();
    it.want('a', [thing('x', 1)]);
    it.done('x', thing('x', 1));
    it.found(new Map(), stamp);
    assert.deepEqual(brief(it), [], 'x was put while the read was under way');
    it.found(new Map(), it.stamp());
    assert.deepEqual(brief(it), ['put x=1'], 'a later read-back counts');
  });

  it('makes any world as wanted, from any read-back', () => {
    const name = fc.constantFrom('p', 'q', 'r', 's');
    const set = fc.uniqueArray(fc.record({ name, value: fc.nat(2) }), { selector: (one) => one.name });
    const step = fc.oneof(
      fc.record({ what: fc.constant('want' as const), owner: fc.constantFrom('a', 'b', 'c'), set }),
      fc.record({ what: fc.constant('apply' as const) }),
      fc.record({ what: fc.constant('tamper' as const), set }),
      fc.record({ what: fc.constant('read' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const it = tracker();
        const world = new Map<string, Thing>();
        const wants = new Map<string, Map<string, Thing>>();
        for (const one of steps) {
          if (one.what === 'want') {
            const things = one.set.map(({ name: key, value }) => thing(key, value));
            it.want(one.owner, things);
            wants.set(one.owner, new Map(things.map((resource) => [resource.name, resource])));
          } else if (one.what === 'apply') apply(it, world);
          else if (one.what === 'tamper') {
            world.clear();
            for (const { name: key, value } of one.set) world.set(key, thing(key, value));
          } else it.found(new Map(world), it.stamp());
        }
        it.found(new Map(world), it.stamp());
        apply(it, world);
        const keys = new Set([...wants.values()].flatMap((of) => [...of.keys()]));
        assert.deepEqual(new Set(world.keys()), keys);
        for (const [key, resource] of world) {
          assert.ok(
            [...wants.values()].some((of) => same(of.get(key), resource)),
            `${key} is as some owner wants`,
          );
        }
      }),
    );
  });
});

describe('same', () => {
  it('takes an absent member for an undefined one', () => {
    assert.ok(same({ a: 1, b: undefined }, { a: 1 }));
    assert.ok(same({ a: 1 }, { a: 1, b: undefined }));
    assert.ok(!same({ a: 1 }, { a: 1, b: 0 }));
    assert.ok(!same([1], { 0: 1 }));
    assert.ok(!same([1, 2], [1]));
  });
});
