import assert from 'node:assert/strict';
import type { Endpoint } from '../../../src/model/endpoint.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import { NOTHING } from '../../../src/plan/endpoint.ts';
import { NAMESPACES } from '../../../src/plan/namespaces.ts';
import { State } from '../../../src/plan/state.ts';
import type { Json } from '../../../src/ports/store.ts';
import { Planner } from '../../../src/reconcile/planner.ts';
import { MemoryStore } from '../../../src/store/memory.ts';

const POOL = {
  id: 'p1',
  tenant: 'default',
  prefix: '10.1.0.0/16',
  gateway: '169.254.1.1',
  gatewayGiven: false,
  automatic: false,
  createdAt: 0,
};
const NETWORK = {
  id: 'n1',
  tenant: 'default',
  encap: 'none',
  pools: ['p1'],
  internal: false,
  createdAt: 0,
};

function endpoint(id: string, address: string, change: Partial<Endpoint> = {}): Endpoint {
  return {
    id,
    network: 'n1',
    address,
    mac: '02:42:0a:01:00:02',
    aliases: [],
    anycast: false,
    phase: 'joined',
    sandbox: '/s',
    incarnation: 'this boot',
    ports: [],
    createdAt: 0,
    ...change,
  };
}

describe('Planner', () => {
  let store: MemoryStore;
  let dead: Set<string>;
  let changed: string[];
  let subject: Planner;
  let isOut: boolean;
  const put = (key: string, value: unknown) =>
    store.commit([{ key: key.replace(/^(network|endpoint)/, `$1/${store.origin}`), value: value as Json }]);
  beforeEach(async () => {
    isOut = false;
    [store, dead, changed] = [new MemoryStore({ classes: NAMESPACES }), new Set(), []];
    await put('pool/p1', POOL);
    await put('network/n1', NETWORK);
    const state = new State(store);
    subject = new Planner({
      store,
      state,
      host: () => ({ address: '192.0.2.1', mtu: 1400, exportable: [Prefix.parse('10.0.0.0/8')] }),
      alive: ({ id }) => !dead.has(id),
      isOut: () => isOut,
      changed: (id) => changed.push(id),
    });
  });
  /** Source addresses that an endpoint's interface may send from. */
  const sources = (id: string) =>
    subject
      .plan(id)
      .firewall.map((one) => (one.kind === 'source' ? one.address : ''))
      .sort();

  it('plans nothing for what does not exist, has no network, or is dead', async () => {
    assert.deepEqual(subject.plan('e1'), NOTHING);
    await put('endpoint/e1', endpoint('e1', '10.1.0.2', { network: 'n2' }));
    assert.deepEqual(subject.plan('e1'), NOTHING);
    await put('endpoint/e1', endpoint('e1', '10.1.0.2'));
    assert.equal(subject.plan('e1').kernel[0]?.kind, 'link');
    dead.add('e1');
    assert.deepEqual(subject.plan('e1'), NOTHING);
  });

  it('lets a container send from all its addresses by each of its interfaces', async () => {
    await put('endpoint/e1', endpoint('e1', '10.1.0.2'));
    await put('endpoint/e2', endpoint('e2', '10.1.0.3'));
    await put('endpoint/e3', endpoint('e3', '10.1.0.4', { sandbox: '/another' }));
    await put('endpoint/e4', endpoint('e4', '10.1.0.5', { phase: 'left' }));
    assert.deepEqual(sources('e1'), ['10.1.0.2', '10.1.0.3']);
    assert.deepEqual(sources('e2'), ['10.1.0.2', '10.1.0.3']);
    assert.deepEqual(sources('e3'), ['10.1.0.4']);
    assert.deepEqual([...subject.endpoints()], ['e1', 'e2', 'e3', 'e4']);
  });

  it('tells of the endpoints that another one of their container concerns', async () => {
    await put('endpoint/e1', endpoint('e1', '10.1.0.2'));
    await put('endpoint/e2', endpoint('e2', '10.1.0.3', { phase: 'created', sandbox: '/other' }));
    assert.deepEqual(changed, []);
    await put('endpoint/e2', endpoint('e2', '10.1.0.3'));
    assert.deepEqual(changed, ['e1']);
    await store.commit([{ key: `endpoint/${store.origin}/e1` }]);
    assert.deepEqual(changed, ['e1', 'e2']);
  });

  it('announces no address of a pool while others may have been given it, as the host was forgotten', async () => {
    await put('pool/p1', { ...POOL, id: 'default:10.1.0.0/16', space: 's', auxiliary: [] });
    await put('network/n1', { ...NETWORK, pools: ['default:10.1.0.0/16'] });
    await put('endpoint/e1', endpoint('e1', '10.1.0.2', { aliases: ['10.9.0.9', '10.1.0.7'] }));
    const before = subject.plan('e1');
    isOut = true;
    const { announcements, ...rest } = subject.plan('e1');
    assert.deepEqual(
      announcements.map(({ prefix }) => prefix),
      ['10.9.0.9/32'],
    );
    assert.deepEqual({ ...rest, announcements: before.announcements }, before);
  });

  it('keeps the gateway of a pool that the host uses, and that has not arrived here yet', async () => {
    const { gateway, gatewayGiven, automatic } = POOL;
    const use = { pool: 'default:10.1.0.0/16', gateway, gatewayGiven, automatic, auxiliary: [], since: 0 };
    await put('network/n1', { ...NETWORK, pools: ['default:10.1.0.0/16'] });
    await put('endpoint/e1', endpoint('e1', '10.1.0.2'));
    const gateways = () => subject.plan('e1').kernel.filter(({ kind }) => kind === 'address');
    assert.deepEqual(gateways(), []);
    await store.commit([{ key: `pool-use/${store.origin}/default:10.1.0.0/16`, value: use }]);
    assert.equal(gateways().length, 1);
    await put('pool/default:10.1.0.0/16', { ...POOL, id: 'default:10.1.0.0/16', space: 's', auxiliary: [] });
    assert.equal(gateways().length, 1);
  });

  it('tells of those that lose a permit, as another one of their container has lost an address', async () => {
    await put('endpoint/e1', endpoint('e1', '10.1.0.2'));
    await put('endpoint/e2', endpoint('e2', '10.1.0.3'));
    changed.length = 0;
    await put('endpoint/e2', endpoint('e2', '10.1.0.3', { lost: [{ address: '10.1.0.3', why: 'taken' }] }));
    assert.ok(changed.includes('e1'));
    assert.deepEqual(sources('e1'), ['10.1.0.2']);
  });
});
