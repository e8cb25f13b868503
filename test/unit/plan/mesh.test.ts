import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sinceNow } from '../../../src/model/speaker.ts';
import {
  LINGER_MS,
  type Lingering,
  linger,
  type MeshHost,
  type MeshPlan,
  planMesh,
} from '../../../src/plan/mesh.ts';

/** The n-th host, in an AS of its own and the n-th to begin. */
function host(n: number, more: Partial<MeshHost> = {}): MeshHost {
  return {
    version: 1,
    id: `${n}`.padStart(3, '0'),
    name: `h${n}`,
    as: 4200000000 + n,
    routerId: `192.0.2.${n}`,
    address: `192.0.2.${n}`,
    port: 179,
    since: 1000 + n,
    run: 'r',
    missing: [],
    ...more,
  };
}

const hosts = (count: number) => Array.from({ length: count }, (_, n) => host(n));

function plans(all: readonly MeshHost[], limit: number): Map<string, MeshPlan> {
  return new Map(all.map(({ id }) => [id, planMesh(id, all, limit)]));
}

const partners = (plan: MeshPlan | undefined) => plan!.peers.map((peer) => peer.host).sort();

/** Whether what `from` announces reaches `to`, by what the speakers do: directly, or passed on from peer to peer. */
function reaches(
  all: readonly MeshHost[],
  planned: Map<string, MeshPlan>,
  from: MeshHost,
  to: MeshHost,
): boolean {
  const byId = new Map(all.map((one) => [one.id, one]));
  const seen = new Set<string>();
  const walk = (at: MeshHost, path: readonly number[]): boolean => {
    for (const { host: id, peer } of planned.get(at.id)!.peers) {
      const next = byId.get(id)!;
      // Others' routes go to clients only, and never where the AS number is in the path already.
      if (at !== from && peer.mesh !== 'client') continue;
      const sent = at.as === next.as ? path : [...path, at.as];
      if (at.as !== next.as && sent.includes(next.as)) continue;
      // By iBGP a path that has been here before would come with our own mark.
      if (path.includes(next.as) && at.as === next.as) continue;
      if (next === to) return true;
      const state = `${id} ${sent.join()}`;
      if (seen.has(state)) continue;
      seen.add(state);
      if (walk(next, sent)) return true;
    }
    return false;
  };
  return walk(from, []);
}

const some = fc
  .array(
    fc.record({
      as: fc.constantFrom(1, 2, 3, 4, 5, 6),
      four: fc.boolean(),
      six: fc.boolean(),
      port: fc.constantFrom(0, 179, 1790),
      since: fc.nat(3),
      missing: fc.array(fc.nat(11), { maxLength: 8 }),
      address: fc.nat(20),
    }),
    { maxLength: 12 },
  )
  .map((all) =>
    all.map(({ as, four, six, port, since, missing, address }, n) =>
      host(n, {
        as,
        port,
        since,
        missing: missing.map((one) => `${one}`.padStart(3, '0')),
        address: four ? `192.0.2.${address}` : undefined,
        addressV6: six ? `2001:db8::${n + 1}` : undefined,
      }),
    ),
  );
const limits = fc.integer({ min: 0, max: 13 });

describe('plan/mesh', () => {
  it('has each peer with each up to the limit', () => {
    const planned = plans(hosts(50), 50);
    for (const { peers, reflectors, without } of planned.values()) {
      assert.equal(peers.length, 49);
      assert.ok(peers.every(({ peer }) => peer.mesh === 'member'));
      assert.deepEqual([reflectors, without], [[], []]);
    }
  });

  it('has the two that began first as reflectors of more', () => {
    const all = hosts(51).map((one) => (one.id === '030' ? { ...one, since: 5 } : one));
    const planned = plans(all, 50);
    const [first, second] = ['000', '030'];
    for (const [id, plan] of planned) {
      const isReflector = id === first || id === second;
      assert.equal(plan.peers.length, isReflector ? 50 : 2);
      assert.ok(plan.peers.every(({ peer }) => peer.mesh === (isReflector ? 'client' : 'member')));
      if (!isReflector)
        assert.deepEqual(
          [partners(plan), [...plan.reflectors].sort()],
          [
            [first, second],
            [first, second],
          ],
        );
    }
    assert.deepEqual(planned.get(first!)!.reflectors, [second]);
    // Nobody could peer with it.
    const nowhere = host(0, { address: undefined, since: 0 });
    assert.ok(!planMesh('009', [nowhere, ...all.slice(1)], 40).reflectors.includes('000'));
  });

  it('plans the session that both ends need', () => {
    const [a, b] = [host(1), host(2, { port: 1790 })];
    const session = planMesh('001', [a, b], 50).peers[0]!;
    assert.deepEqual([session.host, session.name], ['002', 'h2']);
    assert.deepEqual(session.peer, {
      kind: 'peer',
      address: '192.0.2.2',
      localAddress: '192.0.2.1',
      peerAs: 4200000002,
      localAs: 4200000001,
      holdTime: 9,
      keepalive: 3,
      connectRetry: 3,
      multihop: 255,
      port: 1790,
      passive: false,
      gracefulRestart: 120,
      maximumPrefix: 0,
      import: [
        { prefix: '0.0.0.0/0', ge: 1, le: 32 },
        { prefix: '::/0', ge: 1, le: 128 },
      ],
      export: [
        { prefix: '0.0.0.0/0', ge: 1, le: 32 },
        { prefix: '::/0', ge: 1, le: 128 },
      ],
      mesh: 'member',
    });
  });

  it('peers by IPv6 where one has nothing else, and says where two have no family in common', () => {
    const both = host(1, { addressV6: '2001:db8::1' });
    const six = host(2, { address: undefined, addressV6: '2001:db8::2' });
    const plan = planMesh('002', [both, six, host(3)], 50);
    assert.deepEqual(
      plan.peers.map(({ peer }) => [peer.address, peer.localAddress]),
      [['2001:db8::1', '2001:db8::2']],
    );
    assert.deepEqual(plan.without, [
      { host: '003', name: 'h3', why: 'no address of a family that both have' },
    ]);
    assert.equal(planMesh('001', [both, host(3)], 50).peers[0]?.peer.address, '192.0.2.3');
  });

  it('has who accepts nobody connect, and no session of two of those', () => {
    const [deaf, deaf2] = [host(2, { port: 0 }), host(3, { port: 0 })];
    const passive = (self: string, all: MeshHost[]) =>
      planMesh(self, all, 50).peers.map(({ peer }) => peer.passive);
    assert.deepEqual(passive('002', [host(1), deaf]), [false]);
    assert.deepEqual(passive('001', [host(1), deaf]), [true]);
    assert.deepEqual(passive('002', [host(9), deaf]), [false]);
    assert.match(planMesh('002', [deaf, deaf2], 50).without[0]!.why, /listenPort/);
  });

  it('believes the later of two with one address', () => {
    const [old, now] = [host(1), host(2, { address: '192.0.2.1' })];
    assert.deepEqual(partners(planMesh('003', [old, now, host(3)], 50)), ['002']);
    assert.deepEqual(planMesh('001', [old, now, host(3)], 50).peers, []);
  });

  it('has two hosts agree, whatever they are like', () => {
    fc.assert(
      fc.property(some, limits, (all, limit) => {
        const planned = plans(all, limit);
        for (const a of all) {
          for (const { host: id, peer } of planned.get(a.id)!.peers) {
            const back = planned.get(id)!.peers.find((one) => one.host === a.id)?.peer;
            assert.ok(back, `${a.id} with ${id}`);
            assert.notEqual(peer.passive, back.passive);
            assert.deepEqual([peer.address, peer.localAddress], [back.localAddress, back.address]);
            assert.deepEqual([peer.peerAs, peer.localAs], [back.localAs, back.peerAs]);
            // Who waits has a port.
            assert.ok((peer.passive ? a : all.find((one) => one.id === id)!).port > 0);
          }
          const told = planned.get(a.id)!;
          const names = [...told.peers, ...told.without].map((one) => one.host);
          assert.equal(new Set(names).size, names.length);
        }
      }),
    );
  });

  it('connects every two hosts, whatever their AS numbers', () => {
    fc.assert(
      fc.property(some, limits, (drawn, limit) => {
        const all = drawn.map((one, n) => ({ ...one, address: `192.0.2.${n}`, port: 179, missing: [] }));
        const planned = plans(all, limit);
        for (const a of all)
          for (const b of all) if (a !== b) assert.ok(reaches(all, planned, a, b), `${a.id} to ${b.id}`);
      }),
      { examples: [[hosts(12), 3]] },
    );
  });

  it('connects those that have lost their reflectors among themselves', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 12 }),
        fc.uniqueArray(fc.integer({ min: 2, max: 11 })),
        (count, numbers) => {
          const all = hosts(count).map((one, n) => ({
            ...one,
            missing: numbers.includes(n) ? ['000', '001'] : [],
          }));
          const planned = plans(all, 3);
          const lost = all.filter(({ missing }) => missing.length > 0);
          const alive = new Map(
            [...planned].map(([id, { peers, ...rest }]) => [
              id,
              {
                ...rest,
                peers: peers.filter(
                  ({ host }) => !['000', '001'].includes(host) && !['000', '001'].includes(id),
                ),
              },
            ]),
          );
          for (const a of lost) for (const b of lost) if (a !== b) assert.ok(reaches(all, alive, a, b));
        },
      ),
    );
  });

  it('chooses no other reflectors because somebody comes, or goes who is none', () => {
    const chosen = (all: readonly MeshHost[]) => {
      const plan = plans(all, 3);
      return all
        .filter(({ id }) => plan.get(id)!.peers.some(({ peer }) => peer.mesh === 'client'))
        .map(({ id }) => id);
    };
    fc.assert(
      fc.property(
        fc.array(fc.nat(5), { minLength: 4, maxLength: 10 }),
        fc.nat(10),
        fc.nat(20),
        (begun, gone, now) => {
          const all = begun.map((since, n) => host(n, { since }));
          const before = chosen(all);
          assert.equal(before.length, 2);
          assert.deepEqual(chosen([...all, host(99, { since: sinceNow(now, all) })]), before);
          const left = all.filter(({ id }, n) => before.includes(id) || n !== gone);
          if (left.length > 3) assert.deepEqual(chosen(left), before);
        },
      ),
    );
  });

  describe('over time', () => {
    const four = hosts(4);
    const at = (
      now: number,
      before: readonly Lingering[],
      all: readonly MeshHost[],
      limit: number,
      self = '003',
    ) => linger(before, planMesh(self, all, limit).peers, all, now);
    const ends = (list: readonly Lingering[]) => list.map(({ host: id, until }) => [id, until]).sort();

    it('keeps a session that is not planned any more until the hosts have heard of each other another way', () => {
      const mesh = at(0, [], four, 4);
      const [, , , last] = four;
      const reflected = at(1000, mesh, four, 3);
      assert.deepEqual(ends(reflected), [
        ['000', undefined],
        ['001', undefined],
        ['002', 1000 + LINGER_MS],
      ]);
      assert.deepEqual(
        ends(at(5000, reflected, four, 3)),
        ends(reflected),
        'and no longer for being asked again',
      );
      assert.deepEqual(ends(at(1000 + LINGER_MS, reflected, four, 3)).length, 2);
      assert.deepEqual(ends(at(9000, reflected, four, 4)), ends(mesh), 'it is planned again');
      assert.ok(last);
    });

    it('goes on passing on for as long', () => {
      const role = (list: readonly Lingering[]) => list.map(({ peer }) => peer.mesh);
      const reflecting = at(0, [], four, 3, '000');
      assert.deepEqual(role(reflecting), ['client', 'client', 'client']);
      const mesh = at(1000, reflecting, four, 4, '000');
      assert.deepEqual(role(mesh), ['client', 'client', 'client']);
      assert.deepEqual(role(at(1000 + LINGER_MS, mesh, four, 4, '000')), ['member', 'member', 'member']);
    });

    it('ends at once a session with a host that is gone, or is somewhere else', () => {
      const mesh = at(0, [], four, 4);
      assert.deepEqual(ends(at(1, mesh, four.slice(1), 4)), [
        ['001', undefined],
        ['002', undefined],
      ]);
      const anew = four.map((one) => (one.id === '002' ? { ...one, as: 7 } : one));
      assert.deepEqual(ends(at(1, mesh, anew, 3)).length, 2);
      const moved = four.map((one) => (one.id === '000' ? { ...one, address: '192.0.2.77' } : one));
      assert.deepEqual(
        at(1, mesh, moved, 4)
          .map(({ peer }) => peer.address)
          .sort(),
        ['192.0.2.1', '192.0.2.2', '192.0.2.77'],
      );
    });
  });
});
