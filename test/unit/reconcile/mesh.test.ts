import assert from 'node:assert/strict';
import type { SpeakerRecord } from '../../../src/model/speaker.ts';
import { LINGER_MS } from '../../../src/plan/mesh.ts';
import type { Json } from '../../../src/ports/store.ts';
import { Mesh, type MeshParts } from '../../../src/reconcile/mesh.ts';
import { Records } from './records.ts';
import { Time } from './time.ts';

const SELF = 'aa';

/** What the host with this last octet says. */
function record(n: number, more: Partial<SpeakerRecord> = {}): SpeakerRecord {
  return {
    version: 1,
    as: 4200000000 + n,
    routerId: `192.0.2.${n}`,
    address: `192.0.2.${n}`,
    port: 179,
    since: 500_000 + n,
    run: `run of ${n}`,
    missing: [],
    ...more,
  };
}

function world(given: Partial<MeshParts['settings']> = {}, store = new Records(SELF)) {
  const clock = new Time();
  const names = new Map([[SELF, 'self']]);
  const warnings: string[] = [];
  const host = {
    view: { address: '192.0.2.1' as string | undefined, mtu: 1500, exportable: [] },
    run: 'first',
  };
  const heard = { changes: 0 };
  const quiet = () => {};
  const mesh = new Mesh({
    store,
    members: () => [...names].map(([id, name]) => ({ id, name })),
    host: () => host.view,
    incarnation: () => host.run,
    settings: { peering: 'mesh', meshLimit: 50, listenPort: 179, peers: [], ...given },
    clock,
    log: { debug: quiet, info: quiet, error: quiet, warn: (_, text) => warnings.push(text) },
    changed: () => heard.changes++,
  });
  const others = {
    /** A host that has joined, and says this. */
    joins: (id: string, said: object) => {
      names.set(id, `host ${id}`);
      store.arrive(`member/${id}`, {});
      store.arrive(`speaker/${id}`, said as Json);
    },
    leaves: (id: string) => {
      names.delete(id);
      store.arrive(`gone/${id}`, {});
    },
  };
  const who = { asn: 4200000001, routerId: '192.0.2.1' };
  const said = () => store.get(`speaker/${SELF}`)?.value as SpeakerRecord | undefined;
  const addresses = () => mesh.peers.map(({ address }) => address).sort();
  return { clock, store, names, host, heard, warnings, mesh, others, who, said, addresses };
}

describe('Mesh', () => {
  it('says how this host can be peered with, once, and again when it is different', async () => {
    const on = world();
    await on.clock.pass(1000);
    assert.deepEqual(on.store.written, [], 'as long as it is nobody');
    on.mesh.become(on.who);
    await on.clock.pass(1000);
    const first = { ...record(1), since: 1_001_000, run: 'first' };
    assert.deepEqual(on.store.written, [first]);
    on.mesh.hostChanged();
    await on.clock.pass(10_000);
    assert.equal(on.store.written.length, 1);
    Object.assign(on.host.view, { address: '192.0.2.7', addressV6: '2001:db8::7' });
    on.mesh.hostChanged();
    await on.clock.pass(1000);
    on.mesh.become({ asn: 65001, routerId: '192.0.2.7' });
    await on.clock.pass(1000);
    const moved = { ...first, address: '192.0.2.7', addressV6: '2001:db8::7' };
    assert.deepEqual(on.store.written.slice(1), [moved, { ...moved, as: 65001, routerId: '192.0.2.7' }]);
  });

  it('knows of sessions that were planned a moment ago and were not up yet', async () => {
    const on = world();
    on.mesh.become(on.who);
    on.others.joins('bb', record(2));
    on.others.joins('cc', record(3));
    await on.clock.pass(200);
    const young = () => ['2', '3', '4'].map((n) => on.mesh.isYoung(`peer 192.0.2.${n}`));
    assert.deepEqual(young(), [true, true, false]);
    on.mesh.session('peer 192.0.2.2', true);
    on.mesh.session('peer 192.0.2.2', false);
    assert.deepEqual(young(), [false, true, false], 'one that was up is down now');
    await on.clock.pass(10_000);
    on.others.joins('dd', record(4));
    await on.clock.pass(9_500);
    assert.deepEqual(young(), [false, true, true]);
    await on.clock.pass(1_000);
    assert.deepEqual(young(), [false, false, true]);
    on.others.leaves('dd');
    await on.clock.pass(200);
    assert.deepEqual(young(), [false, false, false]);
  });

  it('keeps an address that goes until there is another', async () => {
    const on = world();
    Object.assign(on.host.view, { addressV6: '2001:db8::1' });
    on.mesh.become(on.who);
    on.host.view.address = undefined;
    on.mesh.hostChanged();
    await on.clock.pass(1000);
    assert.equal(on.said()?.address, '192.0.2.1');
    on.host.view.address = '192.0.2.7';
    on.mesh.hostChanged();
    await on.clock.pass(1000);
    assert.equal(on.said()?.address, '192.0.2.7');
  });

  it('has begun when it did over a restart of the daemon, and after all others when the host was started anew', async () => {
    const before = world();
    before.mesh.become(before.who);
    await before.clock.pass(1000);
    const { since } = before.said()!;
    await before.mesh.close();

    const again = world({}, before.store);
    await again.clock.pass(50_000);
    again.mesh.become(again.who);
    await again.clock.pass(1000);
    assert.equal(again.said()?.since, since);
    await again.mesh.close();

    const anew = world({}, before.store);
    anew.host.run = 'second';
    // Its clock is ahead.
    anew.others.joins('bb', record(2, { since: 9_000_000 }));
    anew.mesh.become(anew.who);
    await anew.clock.pass(1000);
    assert.equal(anew.said()?.since, 9_000_001);
  });

  it('plans sessions with the members that say something, as they come and go', async () => {
    const on = world();
    on.others.joins('bb', record(2));
    on.mesh.become(on.who);
    assert.deepEqual(on.addresses(), ['192.0.2.2'], 'at once');
    on.others.joins('cc', record(3));
    on.store.arrive('speaker/dd', record(4) as Json);
    await on.clock.pass(1000);
    assert.deepEqual(on.addresses(), ['192.0.2.2', '192.0.2.3']);
    assert.equal(on.heard.changes, 1);
    assert.deepEqual(on.mesh.sessions.map(({ name }) => name).sort(), ['host bb', 'host cc']);
    on.others.leaves('bb');
    await on.clock.pass(1000);
    assert.deepEqual(on.addresses(), ['192.0.2.3']);
    assert.equal(on.heard.changes, 2);
  });

  it('leaves out what it cannot read, and says so once', async () => {
    const on = world();
    on.mesh.become(on.who);
    on.others.joins('bb', record(2));
    for (const [id, poison] of Object.entries({
      c1: { ...record(3), address: '999.0.2.3' },
      c2: { ...record(3), as: 0 },
      c3: { ...record(3), since: 1e300 },
      c4: { ...record(3), addressV6: '192.0.2.3' },
      c5: 'nonsense',
      c6: {},
    }))
      on.others.joins(id, poison as object);
    on.others.joins('dd', { ...record(4), ofALaterRelease: ['x'] });
    await on.clock.pass(1000);
    on.mesh.hostChanged();
    await on.clock.pass(1000);
    assert.deepEqual(on.addresses(), ['192.0.2.2', '192.0.2.4']);
    assert.equal(on.warnings.length, 6);
    for (const said of [record(3), {}]) {
      on.others.joins('c1', said);
      await on.clock.pass(1000);
    }
    assert.equal(on.warnings.length, 7, 'again, of another mistake');
  });

  it('leaves configured peers alone', async () => {
    const on = world({ peers: [{ address: '192.0.2.2' }] });
    on.mesh.become(on.who);
    on.others.joins('bb', record(2));
    on.others.joins('cc', record(3));
    await on.clock.pass(1000);
    assert.deepEqual(on.addresses(), ['192.0.2.3']);
    assert.deepEqual(on.mesh.plan.peers.length, 2, 'but knows whose they are');
  });

  it('says nothing and plans nothing where hosts peer with the fabric', async () => {
    const on = world({ peering: 'fabric' });
    on.store.arrive(`speaker/${SELF}`, record(1) as Json);
    on.others.joins('bb', record(2));
    on.mesh.become(on.who);
    await on.clock.pass(1000);
    assert.deepEqual(on.addresses(), []);
    assert.deepEqual(on.store.written, [null]);
  });

  it('writes what it could not write when it can', async () => {
    const on = world();
    on.store.failure = new Error('disk full');
    on.mesh.become(on.who);
    await on.clock.pass(20_000);
    assert.equal(on.said(), undefined);
    assert.ok(on.warnings.length > 1);
    on.store.failure = undefined;
    await on.clock.pass(10_000);
    assert.equal(on.said()?.address, '192.0.2.1');
  });

  it('ends sessions that are not planned any more when their time is over', async () => {
    const on = world({ meshLimit: 4 });
    for (const n of [2, 3, 4]) on.others.joins(`b${n}`, record(n));
    on.mesh.become(on.who);
    assert.equal(on.mesh.peers.length, 3);
    on.others.joins('b5', record(5));
    await on.clock.pass(1000);
    assert.deepEqual(on.addresses(), ['192.0.2.2', '192.0.2.3', '192.0.2.4']);
    await on.clock.pass(LINGER_MS);
    assert.deepEqual(on.addresses(), ['192.0.2.2', '192.0.2.3']);
  });

  it('says which reflectors it has lost for a while, and is served by others that have', async () => {
    const on = world({ meshLimit: 2 });
    for (const n of [2, 3, 4, 5]) on.others.joins(`b${n}`, record(n, n > 3 ? { missing: ['b2', 'b3'] } : {}));
    on.mesh.become(on.who);
    for (const n of [2, 3]) on.mesh.session(`peer 192.0.2.${n}`, true);
    await on.clock.pass(60_000);
    assert.deepEqual(on.said()?.missing, []);
    assert.deepEqual(on.addresses(), ['192.0.2.2', '192.0.2.3']);
    for (const n of [2, 3]) on.mesh.session(`peer 192.0.2.${n}`, false);
    await on.clock.pass(19_000);
    assert.deepEqual(on.said()?.missing, []);
    await on.clock.pass(2000);
    assert.deepEqual(on.said()?.missing, ['b2', 'b3']);
    assert.deepEqual(on.addresses(), ['192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5']);
    on.mesh.session('peer 192.0.2.3', true);
    await on.clock.pass(1000);
    assert.deepEqual(on.said()?.missing, ['b2']);
  });

  it('waits for nothing once it is closed', async () => {
    const on = world({ meshLimit: 1 });
    on.others.joins('b2', record(2));
    on.mesh.become(on.who);
    await on.clock.pass(0);
    await on.mesh.close();
    on.mesh.hostChanged();
    assert.equal(on.clock.waiting, 0);
  });
});
