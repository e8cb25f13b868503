import assert from 'node:assert/strict';
import fc from 'fast-check';
import { changeOf, type FirewallOperation, type Step } from '../../../src/firewall/change.ts';
import { AddressRange } from '../../../src/firewall/range.ts';
import { State } from '../../../src/firewall/state.ts';
import { Address } from '../../../src/net/address.ts';
import { type FirewallResource, firewallKey, type IngressPermit } from '../../../src/ports/firewall.ts';

const LINKS = ['nr1', 'nr2'];
const BASE = 0x0a000000n;

/** What the kernel makes of steps, with its refusals: no overlap in ingress, no other value for a key. */
class Sets {
  readonly elements = new Map<string, string | undefined>();

  make(steps: readonly Step[]): void {
    for (const { do: action, element } of steps) {
      const name = `${element.set} ${element.key}`;
      if (action === 'delete') {
        assert.ok(this.elements.delete(name), `no such element: ${name}`);
        continue;
      }
      if (this.elements.has(name)) assert.equal(this.elements.get(name), element.value, `exists: ${name}`);
      else this.#refuseOverlap(element.set, element.key);
      this.elements.set(name, element.value);
    }
  }

  /** Ranges that are open on a link. */
  open(link: string): AddressRange[] {
    return [...this.elements.keys()].flatMap((name) => {
      const match = /^ingress\S+ "(.*)" \. (.*)$/.exec(name);
      return match?.[1] === link ? AddressRange.parse(match[2]!) : [];
    });
  }

  #refuseOverlap(set: string, key: string): void {
    const [, link, text] = /^"(.*)" \. (.*)$/.exec(key) ?? [];
    if (!/^ingress/.test(set)) return;
    const range = AddressRange.parse(text!);
    const clash = this.open(link!).find((one) => one.first <= range.last && one.last >= range.first);
    assert.equal(clash, undefined, `${text} overlaps ${clash}`);
  }
}

const from = fc.tuple(fc.nat(31), fc.nat(31)).map(([a, b]) => {
  const [low, high] = [Math.min(a, b), Math.max(a, b)].map((n) => Address.of(4, BASE + BigInt(n)));
  return AddressRange.between(low!, high!).toString();
});
const link = fc.constantFrom(...LINKS);
const resource: fc.Arbitrary<FirewallResource> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('ingress' as const), link, from }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('guard' as const), link }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      protocol: fc.constant('tcp' as const),
      family: fc.constant(4 as const),
      port: fc.integer({ min: 80, max: 82 }),
      toAddress: fc.constantFrom('10.1.0.2', '10.1.0.3'),
      toPort: fc.constant(80),
    }),
  },
);
const operation: fc.Arbitrary<FirewallOperation> = fc
  .tuple(fc.constantFrom('put' as const, 'remove' as const), resource)
  .map(([action, one]) => ({ do: action, key: firewallKey(one), resource: one }));

/** Whether any permit of the link holds the address: what ingress is to come to, the simple way. */
function permits(resources: Iterable<FirewallResource>, name: string, address: Address): boolean {
  return [...resources].some(
    (one) => one.kind === 'ingress' && one.link === name && AddressRange.parse(one.from).holds(address),
  );
}

describe('change of the firewall', () => {
  it('makes sets that let in who has a permit and nobody else, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.array(operation, { maxLength: 6 }), { maxLength: 8 }), (batches) => {
        const state = new State(true);
        const sets = new Sets();
        const wanted = new Map<string, FirewallResource>();
        for (const batch of batches) {
          for (const { do: action, key, resource: one } of batch) {
            if (action === 'put') wanted.set(key, one);
            else wanted.delete(key);
          }
          const change = changeOf(state, batch);
          sets.make(change.steps);
          change.commit();
          assert.deepEqual(
            state.inForce(),
            new Map([...state.inForce().keys()].map((key) => [key, wanted.get(key)])),
          );
          assert.equal(state.inForce().size, wanted.size);
          for (const name of LINKS) {
            for (let n = 0n; n < 32n; n++) {
              const address = Address.of(4, BASE + n);
              const isOpen = sets.open(name).some((range) => range.holds(address));
              assert.equal(isOpen, permits(wanted.values(), name, address));
            }
          }
        }
        const everything = [...wanted].map(
          ([key, one]): FirewallOperation => ({ do: 'remove', key, resource: one }),
        );
        sets.make(changeOf(state, everything).steps);
        assert.equal(sets.elements.size, 0);
      }),
    );
  });

  it('changes nothing of the state before it is committed', () => {
    const state = new State(true);
    const permit: IngressPermit = { kind: 'ingress', link: 'nr1', from: '10.0.0.0/8' };
    const change = changeOf(state, [{ do: 'put', key: firewallKey(permit), resource: permit }]);
    assert.equal(state.inForce().size, 0);
    change.commit();
    assert.deepEqual([...state.inForce().values()], [permit]);
  });

  it('blames every permit of a link for the ranges that they come to', () => {
    const permits: IngressPermit[] = ['10.0.0.0/8', '10.1.0.0/16'].map((text) => ({
      kind: 'ingress',
      link: 'nr1',
      from: text,
    }));
    const keys = permits.map(firewallKey);
    const { steps } = changeOf(
      new State(true),
      permits.map((one) => ({ do: 'put', key: firewallKey(one), resource: one })),
    );
    const merged = steps.filter(({ element }) => element.set.startsWith('ingress4_'));
    assert.deepEqual(
      merged.map(({ element, wantedBy }) => [element.key, wantedBy]),
      [['"nr1" . 10.0.0.0/8', keys]],
    );
  });
});
