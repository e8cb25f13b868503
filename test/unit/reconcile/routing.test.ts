import assert from 'node:assert/strict';
import { MemoryFirewall } from '../../../src/firewall/memory.ts';
import { MemoryKernel } from '../../../src/kernel/memory.ts';
import { MemoryFlows } from '../../../src/kernel/memoryflows.ts';
import { vethNames } from '../../../src/net/ifname.ts';
import { type EndpointPlan, NOTHING } from '../../../src/plan/endpoint.ts';
import type { HostFacts } from '../../../src/ports/kernel.ts';
import { type Identity, type Peer, speakerKey } from '../../../src/ports/speaker.ts';
import { Host } from '../../../src/reconcile/host.ts';
import { Learned } from '../../../src/reconcile/learned.ts';
import { Mesh } from '../../../src/reconcile/mesh.ts';
import { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { Routing, type RoutingSettings } from '../../../src/reconcile/routing.ts';
import { MemoryFabric } from '../../../src/speaker/fabric.ts';
import { MemorySpeaker } from '../../../src/speaker/memory.ts';
import { Records } from './records.ts';
import { Time } from './time.ts';

const TOR = '192.0.2.254';
const quiet = () => {};
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

function facts(...addresses: string[]): HostFacts {
  return {
    incarnation: 'this boot',
    uplink: { name: 'eth0', mtu: 1500 },
    addresses: addresses.map((address) => ({ link: 'eth0', address: `${address}/24` })),
  };
}

function peerTo(address: string, peerAs: number, localAs: number): Peer {
  return {
    kind: 'peer',
    address,
    peerAs,
    localAs,
    holdTime: 90,
    keepalive: 30,
    connectRetry: 5,
    multihop: 1,
    port: 179,
    passive: false,
    gracefulRestart: 0,
    maximumPrefix: 0,
    import: [{ prefix: '0.0.0.0/0', ge: 1, le: 32 }],
    export: [{ prefix: '0.0.0.0/0', ge: 1, le: 32 }],
  };
}

/** An endpoint that is announced, on a host whose addresses come and go. */
function world(settings: Partial<RoutingSettings> = {}, configured: readonly string[] = [TOR]) {
  const clock = new Time();
  const fabric = new MemoryFabric();
  const speaker = new MemorySpeaker(fabric, ['192.0.2.1', '192.0.2.2']);
  const tor = new MemorySpeaker(fabric, [TOR]);
  const kernel = new MemoryKernel();
  const identities: Identity[] = [];
  const { start } = speaker;
  speaker.start = (identity, listener) => {
    identities.push(identity);
    start.call(speaker, identity, listener);
  };
  const host = new Host(facts(), {}, () => ['10.1.0.0/16']);
  const { host: name, peer } = vethNames('e1');
  const plan = (): EndpointPlan => ({
    ...NOTHING,
    kernel: [{ kind: 'link', name, peer, mtu: 1500, alias: 'net-routed endpoint e1' }],
    announcements:
      host.view.address === undefined
        ? []
        : [{ kind: 'announcement', prefix: '10.1.0.2/32', nextHop: host.view.address, anycast: false }],
  });
  const reconciler = new Reconciler({
    kernel,
    firewall: new MemoryFirewall(),
    flows: new MemoryFlows(),
    speaker,
    clock,
    log,
    planOf: plan,
    endpoints: () => ['e1'],
    lost: quiet,
  });
  const learned = new Learned({ kernel, reconciler, source: () => ({}), clock });
  const store = new Records('aa');
  const members = new Map([['aa', 'self']]);
  const mesh: Mesh = new Mesh({
    store,
    members: () => [...members].map(([id, name]) => ({ id, name })),
    host: () => host.view,
    incarnation: () => 'this boot',
    settings: { peering: 'mesh', meshLimit: 50, listenPort: 179, peers: [] },
    clock,
    log,
    changed: () => routing.meshChanged(),
  });
  /** Another host comes into the cluster, or leaves it. */
  const joins = async (address: string, as: number) => {
    members.set(address, address);
    const said = { version: 1, as, routerId: address, address, port: 179, since: 1, run: 'r' };
    store.arrive(`speaker/${address}`, said);
    await clock.pass(1000);
  };
  const leaves = async (address: string) => {
    members.delete(address);
    store.arrive(`gone/${address}`, {});
    await clock.pass(1000);
  };
  const routing: Routing = new Routing({
    speaker,
    reconciler,
    learned,
    host,
    settings: { listenPort: 179, ...settings },
    peers: (asn) => configured.map((address) => peerTo(address, 65000, asn)),
    mesh,
    supervised: true,
    clock,
    log,
  });
  speaker.permit(['10.1.0.0/16']);
  /** The host has these addresses from now on. */
  const become = async (...addresses: string[]) => {
    host.update(facts(...addresses));
    reconciler.mark('e1');
    routing.hostChanged();
    await clock.pass(0);
  };
  /** What the router makes of the host: the routes that it has from it, with holder and AS number. */
  const seen: Record<string, string> = {};
  tor.start({ asn: 65000, routerId: TOR, listenPort: 179, listenAddresses: [] }, (event) => {
    if (event.kind === 'learned') for (const prefix of event.prefixes) delete seen[prefix];
    if (event.kind !== 'learned' && event.kind !== 'learned-all') return;
    for (const { prefix, holder, asPath } of event.routes) seen[prefix] = `${holder} AS ${asPath.join()}`;
  });
  const torPeers = (address: string, asn: number) =>
    tor.apply([{ do: 'put', key: `peer ${address}`, resource: peerTo(address, asn, 65000) }]);
  const close = async () => {
    await routing.close();
    await mesh.close();
    await learned.close();
    await reconciler.close();
    await speaker.close();
    await tor.close();
  };
  const cluster = { joins, leaves };
  return {
    clock,
    speaker,
    tor,
    torPeers,
    host,
    cluster,
    reconciler,
    routing,
    identities,
    seen,
    become,
    close,
  };
}

/** 4200000000 plus the low 26 bits of the address. */
const AS_OF_1 = 4200000000 + 0x000201;

describe('Routing', () => {
  let on: ReturnType<typeof world>;
  beforeEach(async () => {
    on = world();
    await on.reconciler.start();
  });
  afterEach(() => on.close());
  const wanted = () => [...on.reconciler.speaker.tracker.allWanted()].filter(({ kind }) => kind === 'peer');

  it('runs no engine, and has no peers, before the host has an address', async () => {
    on.routing.start();
    await on.clock.pass(60_000);
    assert.deepEqual(on.identities, []);
    assert.equal(on.routing.identity, undefined);
    assert.deepEqual(wanted(), []);
    assert.equal(on.speaker.engine().up, false);
  });

  it('begins when the host has one: engine, peers and marks are of that identity', async () => {
    on.routing.start();
    await on.clock.pass(0);
    await on.torPeers('192.0.2.1', AS_OF_1);
    await on.become('192.0.2.1');
    assert.deepEqual(on.routing.identity, {
      asn: AS_OF_1,
      routerId: '192.0.2.1',
      listenPort: 179,
      listenAddresses: [],
    });
    assert.deepEqual(on.identities, [on.routing.identity]);
    await on.clock.pass(1000);
    assert.deepEqual(on.seen, { '10.1.0.2/32': `192.0.2.1 AS ${AS_OF_1}` });
  });

  it('does not begin before it is told to, whatever becomes of the host', async () => {
    await on.become('192.0.2.1');
    assert.deepEqual(on.identities, []);
    on.routing.start();
    assert.equal(on.identities.length, 1);
  });

  it('keeps its sessions when addresses come, and when its own goes', async () => {
    on.routing.start();
    await on.torPeers('192.0.2.1', AS_OF_1);
    await on.become('192.0.2.1');
    await on.become('192.0.2.2', '192.0.2.1');
    await on.become('192.0.2.2');
    await on.clock.pass(600_000);
    assert.equal(on.identities.length, 1);
    assert.equal(on.routing.stale, true);
    assert.equal((await on.speaker.peers())[0]?.state, 'established');
    assert.deepEqual(on.seen, { '10.1.0.2/32': `192.0.2.1 AS ${AS_OF_1}` });
  });

  it('becomes somebody else when its address is another and the sessions have ended', async () => {
    on.routing.start();
    await on.torPeers('192.0.2.1', AS_OF_1);
    await on.become('192.0.2.1');
    await on.become('192.0.2.2');
    await on.tor.apply([
      { do: 'remove', key: 'peer 192.0.2.1', resource: peerTo('192.0.2.1', AS_OF_1, 65000) },
    ]);
    await on.clock.pass(60_000);
    await on.clock.pass(1000);
    const asn = AS_OF_1 + 1;
    assert.deepEqual(
      on.identities.map(({ routerId }) => routerId),
      ['192.0.2.1', '192.0.2.2'],
    );
    assert.deepEqual(wanted(), [peerTo(TOR, 65000, asn)]);
    await on.torPeers('192.0.2.1', asn); // the fabric's wire stays
    await on.clock.pass(1000);
    assert.deepEqual(on.seen, { '10.1.0.2/32': `192.0.2.2 AS ${asn}` });
  });

  it('tells the old engine nothing that is meant for the new one', async () => {
    on.routing.start();
    await on.become('192.0.2.1');
    const { start } = on.speaker;
    const ended = Promise.withResolvers<void>();
    on.speaker.start = (identity, listener) =>
      void ended.promise.then(() => start.call(on.speaker, identity, listener));
    await on.become('192.0.2.2');
    const before = on.speaker.applied.length;
    await on.clock.pass(60_000);
    assert.deepEqual(on.speaker.applied.slice(before), []);
    ended.resolve();
    await on.clock.pass(0);
    assert.equal((await on.speaker.read()).size, 2);
  });

  it('has the hosts of the cluster as peers, besides those of the user, and its sessions stay', async () => {
    on.routing.start();
    await on.torPeers('192.0.2.1', AS_OF_1);
    await on.become('192.0.2.1');
    await on.cluster.joins('192.0.2.2', 65002);
    const owners = () => wanted().map((peer) => on.reconciler.speaker.tracker.ownerOf(speakerKey(peer)));
    assert.deepEqual(wanted().map(speakerKey), [`peer ${TOR}`, 'peer 192.0.2.2']);
    assert.deepEqual(owners(), ['peers', 'mesh']);
    await on.cluster.leaves('192.0.2.2');
    assert.deepEqual(owners(), ['peers']);
    assert.equal(on.identities.length, 1);
    assert.equal((await on.speaker.peers())[0]?.state, 'established');
  });

  it('accepts sessions from when there is somebody to have them with, and does not stop to', async () => {
    await on.close();
    on = world({}, []);
    await on.reconciler.start();
    on.routing.start();
    await on.become('192.0.2.1');
    const ports = () => on.identities.map(({ listenPort }) => listenPort);
    assert.deepEqual(ports(), [0]);
    await on.cluster.joins('192.0.2.2', 65002);
    await on.cluster.leaves('192.0.2.2');
    await on.cluster.joins('192.0.2.3', 65003);
    assert.deepEqual(ports(), [0, 179]);
    assert.equal((await on.speaker.read()).size, 2);
  });

  it('forgets the session with a host that has left, when it judges whether it may become somebody else', async () => {
    await on.close();
    on = world({}, []);
    await on.reconciler.start();
    on.routing.start();
    await on.become('192.0.2.1');
    await on.cluster.joins(TOR, 65000);
    await on.become('192.0.2.2');
    await on.torPeers('192.0.2.2', AS_OF_1);
    await on.clock.pass(120_000);
    assert.equal((await on.speaker.peers())[0]?.state, 'established');
    assert.equal(on.routing.identity?.routerId, '192.0.2.1');
    await on.cluster.leaves(TOR);
    await on.clock.pass(60_000);
    assert.equal(on.routing.identity?.routerId, '192.0.2.2');
  });

  it('goes by the AS number and router id of the user', async () => {
    await on.close();
    on = world({ as: 65001, routerId: '203.0.113.1' });
    await on.reconciler.start();
    on.routing.start();
    assert.deepEqual(
      on.identities.map(({ asn, routerId }) => [asn, routerId]),
      [[65001, '203.0.113.1']],
    );
    await on.become('192.0.2.1');
    assert.equal(on.identities.length, 1);
  });
});
