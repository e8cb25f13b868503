import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Grant } from '../../../src/cluster/protocol/claims.ts';
import type { Json } from '../../../src/ports/store.ts';
import { sealedHosts } from './sealed.ts';
import type { Hosts, Node } from './world.ts';

/** What answers are made of. */
const FIELDS = [
  ...['vector', 'members', 'again', 'nonce', 'shared', 'owner', 'chunk', 'treasury', 'going'],
  ...['sequence', 'stored', 'verdict', 'gone', 'versions', 'transfers', 'origins', 'unknown', 'values'],
  ...['space', 'value', 'id', 'seal', 'key', 'class', 'text', 'origin', 'rank', 'links', 'from', 'sums'],
];

/** Any JSON, and what looks like an answer at first sight; nothing that is one. */
const nonsense = (() => {
  const odd = fc.constantFrom<Json[]>(
    '',
    'x',
    's',
    '-1',
    '1e3',
    '0x1',
    -1,
    1.5,
    2 ** 53,
    1e300,
    null,
    [],
    {},
  );
  const leaf = fc.oneof(odd, fc.jsonValue() as fc.Arbitrary<Json>);
  const part = fc.dictionary(fc.constantFrom(...FIELDS), leaf) as fc.Arbitrary<Json>;
  const list = fc.array(fc.oneof(leaf, part), { maxLength: 3 }) as fc.Arbitrary<Json>;
  const whole = fc.dictionary(fc.constantFrom(...FIELDS), fc.oneof(leaf, part, list));
  const promised = fc.record({
    vector: fc.oneof(part, fc.constant({})),
    members: fc.oneof(list, fc.constant([])),
    again: fc.oneof(list, fc.constant([])),
    loans: fc.array(fc.record({ space: fc.constant('s'), value: odd, nonce: fc.constant('n') }), {
      minLength: 1,
    }),
  });
  return fc.oneof(leaf, whole as fc.Arbitrary<Json>, promised as fc.Arbitrary<Json>);
})();

/** A promise but for one thing. */
const UNREADABLE_LOAN = {
  vector: {},
  members: [],
  again: [],
  loans: [{ space: 's', value: 'x', nonce: 'n' }],
};

/** What makes a host ask for this, and what it has to be told in the end, if anything. */
const OCCASIONS: Record<string, (hosts: Hosts) => string | undefined> = {
  stored: (hosts) => {
    const { id } = hosts.newcomer();
    hosts.at(0).cluster.serve('admit', id, { id, key: id }, () => {});
    hosts.nodes.pop()!.cluster.stop();
    return undefined;
  },
  greet: (hosts) => void hosts.at(1).restart(),
  claim: (hosts) => claim(hosts, hosts.at(1), 9n),
  release: (hosts) => {
    const { store, cluster, id } = hosts.at(2);
    assert.ok(store.get(`allocation/${id}/s/1`));
    return hosts.ended((done) => store.write(cluster.claims.release('s', 1n), done));
  },
  audit: (hosts) => void hosts.pass(3000),
  evidence: (hosts) => void hosts.at(1).cluster.doubts.ask(hosts.at(2).id, () => {}),
  attempt: (hosts) => {
    const [, a, b, c] = hosts.nodes as [Node, Node, Node, Node];
    a.cluster.serve('promise', b.id, { attempt: 1, victims: [c.id] }, () => {});
    hosts.pass(3000);
    return undefined;
  },
  promise: (hosts) => {
    hosts.at(3).deaf = true;
    return hosts.ended((done) => hosts.at(1).cluster.forgetting.forget([hosts.at(3).id], false, done));
  },
  create: (hosts) => {
    const creation = { domain: 'tenant/default', records: [{ key: 'pool/a', value: {} }] };
    return hosts.ended((done) => hosts.at(1).cluster.names.create(creation, done));
  },
  remove: (hosts) => {
    const removal = { domain: 'tenant/default', spaces: [], keys: ['pool/there'] };
    return hosts.ended((done) => hosts.at(1).cluster.names.remove(removal, done));
  },
  compare: (hosts) => void hosts.pass(130_000),
  want: (hosts) => hosts.ended((done) => hosts.at(1).cluster.wants.want(hosts.space(1), done)),
};

function claim(hosts: Hosts, { id, cluster }: Node, value: bigint): string {
  const use = (grant: Grant) => [{ key: `allocation/${id}/s/${value}`, value: { ...grant } as Json }];
  return hosts.ended((done) => cluster.claims.claim(cluster.spaces.get('s')!, value, use, done));
}

function isOther(body: Json): boolean {
  return body === null || typeof body !== 'object' || Array.isArray(body) || 'owner' in body;
}

/** What hosts have in common. */
const common = (hosts: Hosts) =>
  hosts.nodes.map(({ store }) =>
    ['gone', 'treasury', 'chunk', 'space', 'pool', 'member', 'lent', 'returning'].map((namespace) =>
      [...store.list(namespace)].map(({ key, value }) => [key, value]),
    ),
  );

describe('answers of a member that means nothing by them', () => {
  for (const [method, occasion] of Object.entries(OCCASIONS))
    it(`to ${method} end no daemon, and change nothing`, () => {
      fc.assert(
        fc.property(nonsense, (body) => {
          // An object that names no other owner says that it is done.
          fc.pre(method !== 'release' || isOther(body));
          const hosts = sealedHosts(4);
          hosts.warned = () => {};
          hosts.pass(2000);
          hosts.at(0).store.write([{ key: 'pool/there', value: {} }], () => {});
          assert.equal(claim(hosts, hosts.at(2), 1n), 'done');
          hosts.gossip();
          let asked = 0;
          const serves = hosts.nodes.map(({ cluster }) => cluster.serve);
          for (const { cluster } of hosts.nodes) {
            const { serve } = cluster;
            Object.assign(cluster, {
              serve: (...[name, from, request, done]: Parameters<typeof serve>) => {
                if (name !== method) return serve(name, from, request, done);
                asked++;
                done(undefined, { body: structuredClone(body) });
              },
            });
          }
          const before = common(hosts);
          let ended = occasion(hosts);
          const changed = new Set(['stored', 'release']); // of these the occasion is a change itself
          hosts.pass(ended === 'nothing' ? 35_000 : 1000);
          if (ended === 'nothing') ended = undefined;
          assert.ok(asked > 0, 'it is asked for');
          if (!changed.has(method)) assert.deepEqual(common(hosts), before);
          if (method !== 'release') assert.notEqual(ended, 'done');
          else assert.equal([...hosts.at(2).store.list('returning')].length, 1, 'it is told again');
          for (const [index, { cluster }] of hosts.nodes.entries()) {
            assert.equal(cluster.standing.halted, undefined);
            if (method !== 'greet') Object.assign(cluster, { serve: serves[index] });
            cluster.stop();
          }
        }),
        {
          numRuns: method === 'compare' ? 20 : 60,
          examples: method === 'promise' ? [[UNREADABLE_LOAN]] : [],
        },
      );
    });
});
