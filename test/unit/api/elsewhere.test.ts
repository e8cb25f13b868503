import assert from 'node:assert/strict';
import { hostOf, showElsewhere, silentElsewhere } from '../../../src/api/elsewhere.ts';
import { showEndpoints } from '../../../src/api/endpoints.ts';
import type { Known } from '../../../src/api/names.ts';
import type { ClusterFacts, MemberFacts } from '../../../src/cluster/membership/facts.ts';
import type { HostView } from '../../../src/cluster/membership/hosts.ts';
import { encode } from '../../../src/store/encode.ts';
import { ALONE, id, type World, withContainer, world } from './world.ts';

const OTHER = 'b2'.repeat(16);
const NOBODY = 'c3'.repeat(16);
const POOL = 'default:10.1.0.0/16';

const endpoint = (name: string, address: string, more: object = {}) => ({
  id: id(name),
  network: id('n'),
  address,
  mac: '02:42:0a:01:00:02',
  aliases: [],
  anycast: false,
  phase: 'joined',
  sandbox: `/run/netns/${name}`,
  incarnation: 'this boot',
  ports: [],
  createdAt: 0,
  ...more,
});
const network = {
  id: id('n'),
  tenant: 'default',
  encap: 'none',
  pools: [POOL],
  internal: false,
  createdAt: 0,
};

describe('what other hosts have', () => {
  let on: World;
  let silentSince: number;
  before(async () => {
    on = await world();
    const { services, store } = on;
    await store.commit([
      { key: `member/${OTHER}`, value: { number: 2, key: 'k', complete: true, name: 'h2' } },
      { key: `member/${NOBODY}`, value: { number: 3, key: 'k', complete: true, name: 'h3' } },
      { key: `logical/${POOL}`, value: { ...network, id: POOL } },
      { key: 'network-name/default/mine', value: { tenant: 'default', name: 'mine', network: POOL } },
    ]);
    merge(store, OTHER, {
      [`endpoint/${OTHER}/${id('a')}`]: endpoint('a', '10.1.0.9'),
      [`endpoint/${OTHER}/${id('b')}`]: endpoint('b', '10.1.0.10', {
        network: id('x'),
        lost: [{ address: '10.1.0.10', why: 'in use on host h1' }],
      }),
      [`network/${OTHER}/${id('n')}`]: network,
    });
    // Gone, and not dropped yet.
    merge(store, NOBODY, { [`endpoint/${NOBODY}/${id('c')}`]: endpoint('c', '10.1.0.11') });
    store.flush();
    const host = (more: Partial<HostView>) =>
      ({ isSelf: false, state: 'present', silentAfterMs: 20_000, ...more }) as HostView;
    services.membership.describe = () =>
      ({
        ...ALONE,
        member: {
          hosts: [
            host({ id: store.origin, isSelf: true }),
            host({ id: OTHER, name: 'h2', silentSince }),
            host({ id: NOBODY, name: 'h3', state: 'forgotten', silentSince: 0 }),
          ],
          problems: [],
        } as unknown as MemberFacts,
      }) as ClusterFacts;
  });
  after(() => on.close());

  function merge(store: World['store'], origin: string, records: Record<string, unknown>): void {
    const versions = Object.entries(records).map(([key, value], at) => ({
      key,
      class: 'owned' as const,
      text: encode(key, value as never),
      origin,
      sequence: at + 1,
      rank: at + 1,
    }));
    store.merge([{ origin, from: 0, to: versions.length, records: versions }]);
  }

  it('is shown by what their records say, with the name that the cluster has for a network', async () => {
    silentSince = Date.now();
    assert.deepEqual(await showElsewhere(on.services), [
      {
        id: id('a'),
        host: { id: OTHER, name: 'h2' },
        network: { id: id('n'), name: 'mine' },
        state: 'joined',
        addresses: [{ address: '10.1.0.9' }],
      },
      {
        id: id('b'),
        host: { id: OTHER, name: 'h2' },
        network: { id: id('x') },
        state: 'joined',
        addresses: [{ address: '10.1.0.10', lost: 'in use on host h1' }],
      },
    ]);
    assert.deepEqual(silentElsewhere(on.services), []);
  });

  it('is found by id or address, of another host only', async () => {
    assert.equal(await hostOf(on.services, id('a')), 'h2');
    assert.equal(await hostOf(on.services, id('a').slice(0, 6)), 'h2');
    assert.equal(await hostOf(on.services, '10.1.0.10'), 'h2');
    for (const text of ['10.1.0.1', '10.1.0.11', id('c'), 'a00', '', 'web'])
      assert.equal(await hostOf(on.services, text), undefined, text);
  });

  it('is silent when they are not heard any more', async () => {
    silentSince = Date.now() - 60_000;
    assert.deepEqual(
      (await showElsewhere(on.services)).map(({ state }) => state),
      ['silent', 'silent'],
    );
    assert.deepEqual(silentElsewhere(on.services), [{ name: 'h2', endpoints: 2 }]);
  });

  it('does not hide what this host itself has lost, or waits for', async () => {
    const { services, store, state } = on;
    await withContainer(on);
    const [standing] = state.endpoints.all();
    const key = state.endpoints.key(standing!.id);
    const known = { network: (name: string) => ({ id: name }), container: () => undefined } as Known;
    const shown = () => showEndpoints(services, [], known)[0]!;
    const { address } = shown().addresses[0]!;
    assert.equal(shown().state, 'up');
    on.host.out = true;
    assert.equal(shown().state, 'withheld');
    on.host.out = false;
    const write = (more: object) => store.commit([{ key, value: { ...standing!, ...more } as never }]);
    await write({ unconfirmed: [address] });
    assert.deepEqual([shown().state, shown().addresses[0]!.lost], ['withheld', undefined]);
    assert.match(shown().addresses[0]!.note ?? '', /^withheld /);
    await write({ lost: [{ address, why: 'taken' }] });
    assert.deepEqual([shown().state, shown().addresses[0]!.lost], ['lost', 'taken']);
  });
});
