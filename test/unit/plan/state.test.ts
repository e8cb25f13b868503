import assert from 'node:assert/strict';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import { NAMESPACES } from '../../../src/plan/namespaces.ts';
import { State } from '../../../src/plan/state.ts';
import { MemoryStore } from '../../../src/store/memory.ts';

const POOL = {
  id: 'default:10.1.0.0/16',
  tenant: 'default',
  prefix: '10.1.0.0/16',
  space: 's',
  gateway: '169.254.1.1',
  gatewayGiven: false,
  auxiliary: ['10.1.0.2'],
  automatic: false,
  createdAt: 0,
};
const LOGICAL = {
  id: POOL.id,
  tenant: 'default',
  encap: 'none',
  internal: false,
  pools: [POOL.id],
  createdAt: 0,
};

describe('records of others', () => {
  it('that are of the right types and mean nothing are poison: who uses them takes them apart', async () => {
    const store = new MemoryStore({ classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]) });
    const bad: Record<string, object> = {
      'pool/1': { ...POOL, prefix: 'nonsense' },
      'pool/2': { ...POOL, prefix: '10.1.0.0/99' },
      'pool/3': { ...POOL, prefix: '10.1.0.0' },
      'pool/4': { ...POOL, id: 'no pool' },
      'pool/5': { ...POOL, gateway: 'nonsense' },
      'pool/6': { ...POOL, auxiliary: ['10.1.0.999'] },
      'logical/1': { ...LOGICAL, pools: ['default:nonsense'] },
      'logical/2': { ...LOGICAL, pools: [POOL.id, ''] },
    };
    const good = { 'pool/good': POOL, 'logical/good': LOGICAL };
    const changes = Object.entries({ ...bad, ...good }).map(([key, value]) => ({
      key,
      value: value as never,
    }));
    await store.commit(changes);
    const poison: string[] = [];
    const state = new State(store, (key) => poison.push(key));
    assert.deepEqual([...state.pools.all()], [POOL]);
    assert.deepEqual([...state.logicals.all()], [LOGICAL]);
    assert.deepEqual(poison.sort(), Object.keys(bad).sort());
  });
});
