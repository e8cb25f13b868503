import assert from 'node:assert/strict';
import { Prefix } from '../../../src/net/prefix.ts';
import { exportPolicy, importPolicy, type Ruled, rulesIn } from '../../../src/speaker/gobgp/policy.ts';
import { v3 } from '../../../src/speaker/gobgp/v3.ts';

const peer: Ruled = {
  key: 'peer 192.0.2.9',
  address: '192.0.2.9',
  localAs: 65001,
  import: [{ prefix: '10.2.0.0/16', le: 32 }],
  export: [{ prefix: '10.0.0.0/8', ge: 24, le: 32 }],
};
const pools = [Prefix.parse('10.1.0.0/16'), Prefix.parse('fd01::/32')];
// biome-ignore lint/suspicious/noExplicitAny: what the engine is sent
type Any = any;

describe('speaker/gobgp/policy', () => {
  it('has the same name for the same content, and another for another', () => {
    const name = exportPolicy(v3, [peer], pools).name;
    assert.equal(exportPolicy(v3, [structuredClone(peer)], [...pools]).name, name);
    assert.notEqual(exportPolicy(v3, [peer], pools.slice(1)).name, name);
    assert.notEqual(exportPolicy(v3, [{ ...peer, export: [] }], pools).name, name);
    assert.notEqual(exportPolicy(v3, [{ ...peer, nextHop: 'fe80::1' }], pools).name, name);
    assert.notEqual(importPolicy(v3, [peer]).name, name);
  });

  it('exports what is from here, of the pools, to this peer, and ends with a refusal', () => {
    const { policy, sets } = exportPolicy(v3, [peer], pools);
    const statements = policy.statements as Any[];
    assert.deepEqual(
      statements.map((one) => one.actions.route_action),
      ['ACCEPT', 'REJECT'],
    );
    for (const one of statements) assert.ok(one.conditions.neighbor_set);
    assert.equal(statements[0].conditions.route_type, 'ROUTE_TYPE_LOCAL');
    assert.deepEqual(
      sets.flatMap((set) => set.prefixes ?? []),
      [{ ip_prefix: '10.1.0.0/16', mask_length_min: 24, mask_length_max: 32 }],
    );
    // A set without neighbours would mean all of them.
    for (const set of sets) assert.ok((set.prefixes ?? set.list) as unknown as Any[], JSON.stringify(set));
  });

  it('exports nothing where rules and pools have nothing in common', () => {
    for (const nothing of [
      exportPolicy(v3, [peer], []),
      exportPolicy(v3, [{ ...peer, export: [] }], pools),
    ]) {
      const statements = nothing.policy.statements as Any[];
      assert.deepEqual(
        statements.map((one) => one.actions.route_action),
        ['REJECT'],
      );
    }
  });

  it('has one part for all peers of equal rules', () => {
    const many = Array.from({ length: 50 }, (_, n) => ({
      ...peer,
      key: `peer 192.0.2.${n}`,
      address: `192.0.2.${n}`,
    }));
    const { policy, sets, name } = exportPolicy(v3, many, pools);
    assert.equal((policy as Any).statements.length, 2);
    assert.equal((sets[0] as Any).list.length, 50);
    assert.equal(exportPolicy(v3, [...many].reverse(), pools).name, name);
  });

  const member: Ruled = { ...peer, key: 'peer 192.0.2.8', address: '192.0.2.8', mesh: 'member' };
  const client: Ruled = { ...peer, key: 'peer 192.0.2.7', address: '192.0.2.7', mesh: 'client' };

  it('marks what comes from the mesh, and takes the mark from what comes from elsewhere', () => {
    const { policy } = importPolicy(v3, [peer, member]);
    const actions = (policy as Any).statements.map((one: Any) => one.actions.large_community);
    const marks = [
      { type: 'ADD', communities: ['65001:1582:1'] },
      { type: 'REMOVE', communities: ['^65001:1582:1$'] },
    ];
    // Own routes; the member's, and the end of its part; the other's, and the end.
    assert.deepEqual(actions, [undefined, marks[0], undefined, marks[1], undefined]);
    const alone = importPolicy(v3, [peer]).policy as Any;
    assert.ok(alone.statements.every((one: Any) => !one.actions.large_community));
  });

  it('passes on to clients alone what has the mark, whatever the pools are, but no default route', () => {
    const everything = [{ prefix: '0.0.0.0/0', le: 32 }];
    const { policy, sets } = exportPolicy(v3, [peer, member, { ...client, export: everything }], []);
    const passing = (policy as Any).statements.filter((one: Any) => one.actions.route_action === 'ACCEPT');
    assert.equal(passing.length, 1);
    const [{ conditions, actions }] = passing;
    const setOf = ({ name }: { name: string }) => sets.find((set) => set.name === name) as Any;
    assert.deepEqual(setOf(conditions.neighbor_set).list, ['192.0.2.7/32']);
    assert.deepEqual(setOf(conditions.large_community_set).list, ['^65001:1582:1$']);
    assert.deepEqual(setOf(conditions.prefix_set).prefixes, [
      { ip_prefix: '0.0.0.0/0', mask_length_min: 1, mask_length_max: 32 },
    ]);
    assert.deepEqual(actions.nexthop, { unchanged: true });
    assert.deepEqual(actions.large_community, { type: 'REMOVE', communities: ['^65001:1582:1$'] });
  });

  it('has the rules of each peer to be read again', () => {
    const other: Ruled = {
      ...peer,
      key: 'peer l1',
      address: 'fe80::1',
      import: [],
      export: [{ prefix: '10.1.0.0/16' }],
    };
    const all = [peer, other, member, client];
    const policies = [importPolicy(v3, all), exportPolicy(v3, all, pools)];
    const found = rulesIn(policies.map(({ policy }) => policy as { statements: { name: string }[] }));
    const rulesOf = ({ import: imports, export: exports, mesh }: Ruled) => ({
      import: imports,
      export: exports,
      ...(mesh !== undefined && { mesh }),
    });
    assert.deepEqual(found, new Map(all.map((one) => [one.key, rulesOf(one)])));
  });
});
