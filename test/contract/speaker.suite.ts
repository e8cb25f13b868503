import assert from 'node:assert/strict';
import type { Announcement, Identity, Peer, Speaker } from '../../src/ports/speaker.ts';
import { speakerKey } from '../../src/ports/speaker.ts';
import { codes, put, Recorder, remove, stateOf, succeed, until } from './speaker.recorder.ts';

/**
 * Three speakers: X under test, Y with ten links to X, Z with one. On link k, X is 10.99.K.1 and fd99:K::1, Y is
 * 10.99.K.2 and fd99:K::2, both behind an interface `lK`; on link 10 it is Z instead of Y.
 */
export interface World {
  readonly x: Speaker;
  readonly y: Speaker;
  readonly z: Speaker;
  /** Kills X's engine without a chance to say goodbye. It comes back by itself. */
  crash(): Promise<void>;
  /** Has both ends of the link know each other's link-local address. */
  greet(link: number): Promise<void>;
  close(): Promise<void>;
}

export const X: Identity = { asn: 65001, routerId: '192.0.2.1', listenPort: 179, listenAddresses: [] };
export const Y: Identity = { asn: 65002, routerId: '192.0.2.2', listenPort: 179, listenAddresses: [] };
export const Z: Identity = { asn: 4200000003, routerId: '192.0.2.3', listenPort: 179, listenAddresses: [] };

/** Links by what happens on them. */
export const LINK = {
  base: 1,
  secret: 2,
  passive: 3,
  limit: 4,
  ibgp: 5,
  six: 6,
  bare: 7,
  rules: 8,
  none: 9,
  z: 10,
  mesh: 11,
};

/** What X may announce: addresses of others as well, as every host of a cluster may announce all of its pools. */
const POOLS = ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16', 'fd01::/32'];

const EVERYTHING = [
  { prefix: '10.0.0.0/14', le: 32 },
  { prefix: 'fd01::/32', le: 128 },
];

const GREEDY = [
  { prefix: '10.2.0.0/16', le: 32 },
  { prefix: 'fd02::/32', le: 128 },
];

/** X's side of a link, and Y's. */
export function pair(
  link: number,
  mine: Partial<Peer> = {},
  theirs: Partial<Peer> = {},
): { x: Peer; y: Peer } {
  const base = {
    kind: 'peer',
    holdTime: 90,
    keepalive: 30,
    connectRetry: 1,
    multihop: 1,
    port: 179,
    passive: false,
    gracefulRestart: 60,
    maximumPrefix: 0,
  } as const;
  const only = [
    { prefix: `10.2.${link}.0/24`, le: 32 },
    { prefix: `fd02:0:${link}::/48`, le: 128 },
  ];
  const x: Peer = {
    ...base,
    address: `10.99.${link}.2`,
    peerAs: Y.asn,
    localAs: X.asn,
    import: GREEDY,
    // Only over link 1 is everything of X told, so that each test sees what passes its own link.
    export: link === LINK.base ? EVERYTHING : [{ prefix: `10.1.${link}.0/24`, le: 32 }],
    ...mine,
  };
  const y: Peer = {
    ...base,
    address: `10.99.${link}.1`,
    peerAs: X.asn,
    localAs: Y.asn,
    import: EVERYTHING,
    export: only,
    // Two GoBGP that both connect can miss each other for long: each ends its attempt while the other one pauses.
    passive: mine.passive !== true,
    ...theirs,
  };
  return { x, y };
}

export function announcement(prefix: string, from: 'x' | 'y' | 'z' = 'x', anycast = false): Announcement {
  const host = { x: 1, y: 2, z: 2 }[from];
  const link = from === 'z' ? LINK.z : LINK.base;
  const nextHop = prefix.includes(':') ? `fd99:${link}::${host}` : `10.99.${link}.${host}`;
  return { kind: 'announcement', prefix, nextHop, anycast };
}

/** The same peer, behind its link's interface instead of at an address. */
function behind({ address: _, ...rest }: Peer): Peer {
  return { ...rest, interface: `l${LINK.bare}` };
}

/** What every speaker does. `slow` stretches the deadlines of sessions, in milliseconds. */
export function speakerSuite(name: string, open: () => Promise<World>, slow: number): void {
  describe(name, function () {
    this.timeout(slow * 2 + 5_000);
    let world: World;
    const heardX = new Recorder();
    const heardY = new Recorder();
    const heardZ = new Recorder();
    const peers = {
      base: pair(LINK.base),
      secret: pair(LINK.secret, { password: 'wrong' }, { password: 'right' }),
      passive: pair(LINK.passive, { passive: true }),
      limit: pair(LINK.limit, { maximumPrefix: 3 }),
      ibgp: pair(LINK.ibgp, { peerAs: X.asn }, { localAs: X.asn }),
      six: pair(
        LINK.six,
        { address: 'fd99:6::2', localAddress: 'fd99:6::1' },
        { address: 'fd99:6::1', multihop: 2 },
      ),
      bare: { x: behind(pair(LINK.bare).x), y: behind(pair(LINK.bare).y) },
      rules: pair(LINK.rules, {
        import: [
          { prefix: '10.2.8.0/24', ge: 25, le: 30 },
          // Within the one before and narrower: both count.
          { prefix: '10.2.8.0/28' },
        ],
        export: [{ prefix: '10.1.8.0/25', le: 32 }],
      }),
    };
    const wanted = () => [first, ...Object.values(peers).map(({ x }) => x)];
    const z: Peer = { ...pair(LINK.z).x, peerAs: Z.asn, export: pair(LINK.base).x.export };
    const zx: Peer = { ...pair(LINK.z).y, localAs: Z.asn, import: [{ prefix: '0.0.0.0/0', le: 32 }] };
    const first = announcement('10.1.1.1/32');
    const fromY = [
      ...Object.values(LINK).map((link) => announcement(`10.2.${link}.1/32`, 'y')),
      ...[2, 3, 4, 5].map((host) => announcement(`10.2.${LINK.limit}.${host}/32`, 'y')),
      announcement('fd02:0:6::1/128', 'y'),
      announcement('10.2.8.0/24', 'y'),
      announcement('10.2.8.0/28', 'y'),
      announcement('10.2.8.64/27', 'y'),
      announcement('10.2.8.8/30', 'y'),
    ];

    before('three speakers with sessions', async () => {
      world = await open();
      world.x.permit(POOLS);
      world.y.permit(['10.2.0.0/16', 'fd02::/32']);
      world.z.permit(['10.3.0.0/16']);
      world.x.start(X, heardX.listen);
      world.y.start(Y, heardY.listen);
      world.z.start(Z, heardZ.listen);
      for (const speaker of [world.x, world.y, world.z]) {
        await until('the engine is up', () => speaker.engine().up);
      }
      await world.greet(LINK.bare);
      await succeed(world.y, put(...fromY, ...Object.values(peers).map(({ y }) => y)));
      await succeed(
        world.z,
        put(announcement('10.3.0.1/32', 'z'), { ...zx, export: [{ prefix: '10.3.0.0/16', le: 32 }] }),
      );
      await succeed(world.x, put(first, ...Object.values(peers).map(({ x }) => x)));
      await succeed(world.x, put({ ...z, import: [{ prefix: '10.3.0.0/16', le: 32 }] }));
    });

    after(() => world?.close());

    const established = (key: string) =>
      until(
        `${key} is established`,
        async () => (await stateOf(world.x, key))?.state === 'established',
        slow,
      );

    it('reads back what was put, and takes the same again', async () => {
      for (let round = 0; round < 2; round++) {
        const there = await world.x.read();
        for (const resource of wanted()) assert.deepEqual(there.get(speakerKey(resource)), resource);
        assert.equal(there.size, wanted().length + 1);
        await succeed(world.x, put(...wanted()));
      }
    });

    it('says what it is', () => {
      const engine = world.x.engine();
      assert.equal(engine.up, true);
      assert.equal(engine.reason, undefined);
      assert.notEqual(engine.version, '');
    });

    it('refuses what is outside of the pools, and everything at once', async () => {
      const bad = ['10.7.0.1/32', '0.0.0.0/0', '::/0', '10.0.0.0/8', 'fd07::1/128'].map((prefix) =>
        announcement(prefix),
      );
      const good = announcement('10.1.1.2/32');
      const outcomes = await world.x.apply(put(bad[0]!, good, ...bad.slice(1)));
      const denied = 'NR_EXPORT_DENIED';
      assert.deepEqual(codes(outcomes), [denied, undefined, denied, denied, denied, denied]);
      assert.deepEqual(outcomes.map(({ key }) => key)[1], 'announcement 10.1.1.2/32');
      assert.ok((await world.x.read()).has('announcement 10.1.1.2/32'));
      await succeed(world.x, remove(good));
    });

    it('refuses malformed resources and changes nothing', async () => {
      const outcomes = await world.x.apply(
        put(
          { ...first, prefix: '10.1.0.9/24' },
          { ...first, nextHop: 'fd99::1' },
          { ...first, nextHop: '10.99.1.999' },
          { ...peers.base.x, address: '10.99.300.1' },
          { ...peers.base.x, holdTime: 1 },
          { ...peers.base.x, import: [{ prefix: '10.0.0.0/8', ge: 4 }] },
        ),
      );
      assert.deepEqual(codes(outcomes), [
        'NR_PREFIX_INVALID',
        'NR_ADDRESS_INVALID',
        'NR_ADDRESS_INVALID',
        'NR_PEER_INVALID',
        'NR_PEER_INVALID',
        'NR_PEER_INVALID',
      ]);
      assert.deepEqual((await world.x.read()).get('peer 10.99.1.2'), peers.base.x);
    });

    it('removes what is not there without a word', async () => {
      await succeed(
        world.x,
        remove(announcement('10.1.1.77/32'), { ...peers.base.x, address: '10.99.9.77' }),
      );
    });

    it('learns what the peer announces, with its holder', async () => {
      await established('peer 10.99.1.2');
      await until('the route is there', () => heardX.learned.has('10.2.1.1/32'));
      const route = heardX.learned.get('10.2.1.1/32');
      assert.deepEqual(route, {
        prefix: '10.2.1.1/32',
        nextHops: [{ via: '10.99.1.2' }],
        holder: '192.0.2.2',
        anycast: false,
        asPath: [65002],
      });
      await until('Y has the route', () => heardY.learned.has('10.1.1.1/32'));
      assert.equal(heardY.learned.get('10.1.1.1/32')?.holder, '192.0.2.1');
    });

    it('tells everything once after the start', async () => {
      await until('learned-all came', () => heardX.count('learned-all') === 1, slow + 20_000);
      assert.ok(heardX.learned.has('10.2.1.1/32'));
      assert.ok(!heardX.learned.has('10.1.1.1/32'), 'its own announcements are no news to it');
    });

    it('announces and withdraws', async () => {
      const more = announcement('10.1.1.3/32', 'x', true);
      await succeed(world.x, put(more));
      await until('Y has it', () => heardY.learned.get('10.1.1.3/32')?.anycast === true);
      await succeed(world.x, put({ ...more, anycast: false }));
      await until('Y has the change', () => heardY.learned.get('10.1.1.3/32')?.anycast === false);
      await succeed(world.x, remove(more));
      await until('Y has it no more', () => !heardY.learned.has('10.1.1.3/32'));
      await succeed(world.y, remove(fromY[0]!));
      await until('X has it no more', () => !heardX.learned.has('10.2.1.1/32'));
      await succeed(world.y, put(fromY[0]!));
      await until('X has it again', () => heardX.learned.has('10.2.1.1/32'));
    });

    it('announces IPv6 over an IPv4 session', async () => {
      const six = announcement('fd01::1:1/128');
      await succeed(world.x, put(six));
      await until('Y has it', () => heardY.learned.has('fd01::1:1/128'));
      assert.deepEqual(heardY.learned.get('fd01::1:1/128')?.nextHops, [{ via: 'fd99:1::1' }]);
      assert.deepEqual((await world.x.read()).get('announcement fd01::1:1/128'), six);
      await succeed(world.x, remove(six));
      await until('Y has it no more', () => !heardY.learned.has('fd01::1:1/128'));
    });

    it('announces into a pool from the moment it is permitted, and takes back what no longer is', async () => {
      const late = announcement('10.5.0.1/32');
      await succeed(world.y, put({ ...peers.base.y, import: [{ prefix: '10.0.0.0/8', le: 32 }] }));
      const export5 = [...peers.base.x.export, { prefix: '10.5.0.0/16', le: 32 }];
      await succeed(world.x, put({ ...peers.base.x, export: export5 }));
      assert.deepEqual(codes(await world.x.apply(put(late))), ['NR_EXPORT_DENIED']);
      world.x.permit([...POOLS, '10.5.0.0/16']);
      await succeed(world.x, put(late));
      await until('Y has it', () => heardY.learned.has(late.prefix));
      world.x.permit(POOLS);
      await until('Y has it no more', () => !heardY.learned.has(late.prefix));
      assert.ok(!(await world.x.read()).has(speakerKey(late)));
      assert.ok(heardY.learned.has(first.prefix));
      await succeed(world.x, put(peers.base.x));
    });

    it('has sessions over IPv6', async () => {
      await established('peer fd99:6::2');
      await until('the route came', () => heardX.learned.has('fd02:0:6::1/128'));
    });

    it('waits for a peer when it is passive', async () => {
      await established('peer 10.99.3.2');
      await until('the route came', () => heardX.learned.has('10.2.3.1/32'));
    });

    it('speaks iBGP', async () => {
      await established('peer 10.99.5.2');
      await until('the route came', () => heardX.learned.has('10.2.5.1/32'));
      assert.deepEqual(heardX.learned.get('10.2.5.1/32')?.asPath, []);
    });

    it('ends a session with too many prefixes, and says why', async () => {
      await until(
        'the session is down for that reason',
        async () => {
          const state = await stateOf(world.x, 'peer 10.99.4.2');
          return state?.state !== 'established' && /more than 3 prefixes/.test(state?.reason ?? '');
        },
        slow,
      );
      await until('nothing of it is left', () => !heardX.learned.has('10.2.4.1/32'));
    });

    it('lets through what the rules of each direction say, and nothing else', async () => {
      await established('peer 10.99.8.2');
      const all = [...heardX.learned.keys()].filter((prefix) => prefix.startsWith('10.2.8.')).sort();
      for (const prefix of ['10.2.8.0/28', '10.2.8.64/27', '10.2.8.8/30']) {
        await until(`${prefix} came`, () => heardX.learned.has(prefix));
      }
      assert.ok(!heardX.learned.has('10.2.8.0/24') && !heardX.learned.has('10.2.8.1/32'), `${all}`);
      await succeed(world.x, put(announcement('10.1.8.1/32'), announcement('10.1.8.200/32')));
      await until('Y has the first', () => heardY.learned.has('10.1.8.1/32'));
      const { accepted, advertised } = (await stateOf(world.x, 'peer 10.99.8.2'))!;
      assert.deepEqual({ accepted, advertised }, { accepted: 3, advertised: 1 });
    });

    it('changes the rules of a session that stays', async () => {
      const { uptime } = (await stateOf(world.x, 'peer 10.99.8.2'))!;
      const changed: Peer = {
        ...peers.rules.x,
        import: [{ prefix: '10.2.8.0/24', ge: 32, le: 32 }],
        export: [{ prefix: '10.1.8.0/24', le: 32 }],
        keepalive: 20,
      };
      await succeed(world.x, put(changed));
      assert.deepEqual((await world.x.read()).get('peer 10.99.8.2'), changed);
      await until(
        'the others came',
        () => heardX.learned.has('10.2.8.1/32') && !heardX.learned.has('10.2.8.0/28'),
      );
      const now = (await stateOf(world.x, 'peer 10.99.8.2'))!;
      assert.equal(now.state, 'established');
      assert.ok(now.uptime >= uptime);
      assert.equal(now.advertised, 2);
    });

    it('takes back what the rules deny from now on', async () => {
      const changed: Peer = { ...peers.rules.x, export: [{ prefix: '10.1.8.128/25', le: 32 }] };
      await succeed(world.x, put(changed));
      await established('peer 10.99.8.2');
      await until(
        'one of two is left',
        async () => (await stateOf(world.x, 'peer 10.99.8.2'))?.advertised === 1,
      );
      await until(
        'Y has heard',
        async () => (await stateOf(world.y, 'peer 10.99.8.1'))?.received === 1,
        slow,
      );
      await succeed(world.x, remove(announcement('10.1.8.1/32'), announcement('10.1.8.200/32')));
    });

    it('is no transit', async () => {
      await established(`peer 10.99.${LINK.z}.2`);
      await until('X has the route of Z', () => heardX.learned.has('10.3.0.1/32'));
      await until('Z has the route of X', () => heardZ.learned.has('10.1.1.1/32'));
      // What X tells next is told after what it would have passed on.
      const mark = announcement('10.1.1.9/32');
      await succeed(world.x, put(mark));
      await until('the mark came', () => heardZ.learned.has(mark.prefix) && heardY.learned.has(mark.prefix));
      assert.deepEqual(
        [...heardZ.learned.keys()].filter((prefix) => !prefix.startsWith('10.1.')),
        [],
      );
      assert.ok(!heardY.learned.has('10.3.0.1/32'));
      assert.deepEqual(heardX.learned.get('10.3.0.1/32')?.asPath, [4200000003]);
      await succeed(world.x, remove(mark));
    });

    it('passes on what the mesh tells, to its clients, with the next hop as it came', async () => {
      const only = (prefix: string) => [{ prefix, le: 32 }];
      const { x, y } = pair(
        LINK.mesh,
        { mesh: 'client', import: only('10.2.11.0/24'), export: EVERYTHING },
        { import: only('10.3.0.0/16') },
      );
      await succeed(world.x, put({ ...z, import: only('10.3.0.0/16'), mesh: 'client' }, x));
      await succeed(world.y, put(y));
      await established(speakerKey(x));
      assert.deepEqual((await world.x.read()).get(speakerKey(x)), x);
      await until('Y has the route of Z', () => heardY.learned.has('10.3.0.1/32'));
      assert.deepEqual(heardY.learned.get('10.3.0.1/32'), {
        prefix: '10.3.0.1/32',
        nextHops: [{ via: '10.99.10.2' }],
        holder: Z.routerId,
        anycast: false,
        asPath: [X.asn, Z.asn],
      });
      await until('Z has the route of Y', () => heardZ.learned.has('10.2.11.1/32'));
      assert.deepEqual(heardZ.learned.get('10.2.11.1/32')?.nextHops, [{ via: '10.99.1.2' }]);
      assert.ok(!heardZ.learned.has('10.2.1.1/32'), 'what came from elsewhere does not go on');
      const more = announcement('10.3.0.2/32', 'z');
      await succeed(world.z, put(more));
      await until('Y has more', () => heardY.learned.has(more.prefix));
      await succeed(world.z, remove(more));
      await until('Y has it no more', () => !heardY.learned.has(more.prefix));
      // By iBGP, and from now on as one who is told nothing of others.
      const inner = { ...x, peerAs: X.asn };
      await succeed(world.x, put(inner));
      await succeed(world.y, put({ ...y, localAs: X.asn }));
      const passed = () => heardY.learned.get('10.3.0.1/32');
      await until('Y has it by iBGP', () => passed()?.asPath.join() === `${Z.asn}`, slow);
      assert.deepEqual(passed()?.nextHops, [{ via: '10.99.10.2' }]);
      assert.deepEqual((await world.x.read()).get(speakerKey(x)), inner);
      await succeed(world.x, put({ ...inner, mesh: 'member' }));
      await until('Y has it no more', () => !passed(), slow);
      await until('X has what Y tells', () => heardX.learned.has('10.2.11.1/32'), slow);
      await succeed(world.x, remove(x));
      await succeed(world.y, remove(y));
    });

    it('removes a peer', async () => {
      await succeed(world.x, remove({ ...z }));
      assert.ok(!(await world.x.read()).has(`peer 10.99.${LINK.z}.2`));
      await until('its route is gone', () => !heardX.learned.has('10.3.0.1/32'));
    });

    it('has no session with another password, and one with the same', async () => {
      const key = 'peer 10.99.2.2';
      assert.notEqual((await stateOf(world.x, key))?.state, 'established');
      assert.notEqual(heardX.states.get(key), 'established');
      await succeed(world.x, put({ ...peers.secret.x, password: 'right' }));
      assert.deepEqual((await world.x.read()).get(key), { ...peers.secret.x, password: 'right' });
      await established(key);
      await until('it was told', () => heardX.states.get(key) === 'established');
    });

    it('has sessions behind an interface without addresses', async () => {
      const key = `peer l${LINK.bare}`;
      await established(key);
      await until('the route came', () => heardX.learned.has('10.2.7.1/32'));
      const [hop] = heardX.learned.get('10.2.7.1/32')!.nextHops;
      assert.match(hop!.via, /^fe80::/);
      assert.equal(hop!.dev, 'l7');
      const ours = announcement(`10.1.${LINK.bare}.1/32`);
      await succeed(world.x, put(ours));
      await until('Y has ours', () =>
        heardY.learned.get(ours.prefix)?.nextHops.some(({ dev }) => dev === 'l7'),
      );
      await succeed(world.x, remove(peers.bare.x, ours));
      assert.ok(!(await world.x.read()).has(key));
    });

    it('announces ten thousand at once, and takes them back', async () => {
      const many = Array.from({ length: 10_000 }, (_, n) =>
        announcement(`10.1.${100 + (n >> 8)}.${n & 255}/32`),
      );
      const bad = announcement('10.7.0.1/32');
      const has = () => [...heardY.learned.keys()].filter((prefix) => /^10\.1\.1\d\d\./.test(prefix)).length;
      const outcomes = await world.x.apply(put(...many, bad));
      assert.deepEqual(codes(outcomes).filter(Boolean), ['NR_EXPORT_DENIED']);
      await until('Y has them', () => has() === 10_000);
      await succeed(world.x, remove(...many));
      await until('Y has none', () => has() === 0);
    });

    it('loses its engine, says so, and is filled again without the peer losing a route', async () => {
      const wanted = await world.x.read();
      const ours = () => heardY.learned.has('10.1.1.1/32');
      const theirs = () => heardX.learned.has('10.2.1.1/32');
      assert.ok(ours() && theirs());
      const lost: string[] = [];
      const [downs, ups, alls] = [heardX.count('down'), heardX.count('up'), heardX.count('learned-all')];
      const before = heardY.events.length;
      await world.crash();
      await until('down', () => heardX.count('down') === downs + 1);
      assert.ok(theirs(), 'what was learned stays');
      await until('up', () => heardX.count('up') === ups + 1);
      assert.deepEqual([...(await world.x.read()).keys()], []);
      // The order that would be wrong: a peer first, that is.
      await succeed(world.x, put(...[...wanted.values()].reverse()));
      await established('peer 10.99.1.2');
      await until('learned-all', () => heardX.count('learned-all') === alls + 1, slow + 10_000);
      assert.ok(ours() && theirs());
      for (const event of heardY.events.slice(before)) {
        if (event.kind !== 'learned' || !event.prefixes.includes('10.1.1.1/32')) continue;
        if (!event.routes.some(({ prefix }) => prefix === '10.1.1.1/32')) lost.push('10.1.1.1/32');
      }
      assert.deepEqual(lost, []);
    });

    it('becomes somebody else', async () => {
      const [downs, ups] = [heardX.count('down'), heardX.count('up')];
      world.x.start({ ...X, routerId: '192.0.2.101' }, heardX.listen);
      await until('down', () => heardX.count('down') > downs);
      await until('up', () => heardX.count('up') > ups);
      assert.deepEqual([...(await world.x.read()).keys()], []);
      await succeed(world.x, put(first, peers.base.x));
      await until(
        'Y has it of the new one',
        () => heardY.learned.get(first.prefix)?.holder === '192.0.2.101',
        slow,
      );
    });
  });
}
