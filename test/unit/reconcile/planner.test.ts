import assert from 'node:assert/strict';
import type { Endpoint } from '../../../src/model/endpoint.ts';
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
  const put = (key: string, value: unknown) =>
    store.commit([{ key: key.replace(/^(network|endpoint)/, `$1/${store.origin}`), value: value as Json }]);
  beforeEach(async () => {
    [store, dead, changed] = [new MemoryStore({ classes: NAMESPACES }), new Set(), []];
    await put('pool/p1', POOL);
    await put('network/n1', NETWORK);
    const state = new State(store);
    subject = new Planner({
      store,
      state,
      host: () => ({ address: '192.0.2.1', mtu: 1400, exportable: [] }),
      alive: ({ id }) => !dead.has(id),
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
});
