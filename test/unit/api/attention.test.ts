import assert from 'node:assert/strict';
import { attentionOf } from '../../../src/api/attention.ts';
import type { EndpointView } from '../../../src/api/views.ts';
import { CodedError } from '../../../src/errors.ts';

type Facts = Parameters<typeof attentionOf>[0];

const facts = {
  loop: { live: true, passes: 1, resyncs: 1, errors: 0, lastPassMs: 1 },
  failures: [],
  engine: { name: 'memory', version: '1', up: true },
  host: { address: '192.0.2.1', mtu: 1500, routerId: '192.0.2.1', as: 64512 },
  pools: [],
  cluster: { problems: [] },
} as unknown as Facts;

const endpoint = (conflict: string | undefined) =>
  ({
    state: 'up',
    addresses: [{ address: '10.1.0.2', kind: 'address', announced: true, ...(conflict && { conflict }) }],
  }) as unknown as EndpointView;

describe('attention', () => {
  it('is drawn to nothing when all is well', () => {
    assert.deepEqual(attentionOf(facts, [], [endpoint(undefined)]), []);
  });

  it('is drawn to what stands in the way of networks of the cluster', () => {
    const error = new CodedError('NR_PROPAGATE_IN_USE', 'it has active endpoints');
    assert.deepEqual(attentionOf(facts, [], [], { obstacles: [{ network: 'mine', error }] }), [
      { what: 'NR_PROPAGATE_IN_USE: network mine: it has active endpoints', remedy: error.remedy },
    ]);
  });

  it('is drawn to a key that one host alone holds, where there are others', () => {
    const at = (total: number, keyHolders?: string[]) =>
      attentionOf(
        { ...facts, cluster: { ...facts.cluster, members: { total, heard: total }, keyHolders } },
        [],
        [],
      );
    const [first, ...others] = at(2, ['h1']);
    assert.match(first!.what, /^host h1 alone holds the key of the cluster: /);
    assert.match(first!.remedy, /on h1: net-routed share HOST$/);
    assert.deepEqual(others, []);
    for (const given of [at(1, ['h1']), at(3, ['h1', 'h2']), at(3, []), at(3)]) assert.deepEqual(given, []);
  });

  it('is drawn to a router that has to know the containers', () => {
    const behind = [{ router: '192.0.2.254', hosts: ['h2', 'h3'] }];
    const what =
      'the way to the containers of h2, h3 is by the router 192.0.2.254, which drops their packets unless it knows their addresses';
    const remedy = 'have all hosts peer with their router: --peer and --peer-as';
    assert.deepEqual(attentionOf(facts, [], [], { behind }), [{ what, remedy }]);
  });

  it('is drawn to peers that are down, not to such as were planned a moment ago', () => {
    const peer = (neighbour: string, more: object) =>
      ({ neighbour, state: 'active', ...more }) as Parameters<typeof attentionOf>[1][number];
    const list = attentionOf(facts, [peer('192.0.2.2', { young: true }), peer('192.0.2.3', {})], []);
    assert.deepEqual(
      list.map(({ what }) => what),
      ['peers that are down: 192.0.2.3'],
    );
    assert.deepEqual(attentionOf(facts, [peer('192.0.2.2', { young: true })], []), []);
  });

  it('is drawn to a comparison with Docker that goes on failing', () => {
    const docker = {
      code: 'NR_DOCKER_UNAVAILABLE',
      what: 'no such file',
      remedy: 'look',
      count: 3,
      seconds: 121,
    };
    assert.deepEqual(attentionOf({ ...facts, docker }, [], []), [
      {
        what: 'NR_DOCKER_UNAVAILABLE: no comparison with Docker for 121 s, 3 times: no such file',
        remedy: 'look',
      },
    ]);
  });

  it('is drawn to a disk that refuses, before all that follows from it', () => {
    const store = { code: 'NR_STORE_FAILED', what: 'store.db: disk is full', remedy: 'make room' };
    const failure = { code: 'NR_STORE_FAILED', what: 'no', remedy: 'wait', seconds: 1 };
    const list = attentionOf({ ...facts, store, failures: [failure] } as unknown as Facts, [], []);
    assert.deepEqual(list[0], {
      what: 'NR_STORE_FAILED: nothing can be changed: store.db: disk is full',
      remedy: 'make room',
    });
  });

  it('is drawn to what of the cluster does not work', () => {
    const problem = { code: 'NR_MEMBER_UNREACHABLE', what: 'host h2 was not heard for 25 s', remedy: 'look' };
    const cluster = { ...facts.cluster, problems: [problem] };
    assert.deepEqual(attentionOf({ ...facts, cluster }, [], []), [
      { what: 'NR_MEMBER_UNREACHABLE: host h2 was not heard for 25 s', remedy: 'look' },
    ]);
  });

  it('is drawn, once, to a host without an address: nothing is routed before it has one', () => {
    const young = {
      ...facts,
      engine: { ...facts.engine, up: false, reason: 'not started' },
      host: { mtu: 1500 },
    };
    const list = attentionOf(young, [], []);
    assert.deepEqual(
      list.map(({ what }) => what),
      ['the routing engine is not started: the host has no address to make a BGP router id of'],
    );
  });

  it('is drawn to a host without an address that has a router id all the same', () => {
    const list = attentionOf({ ...facts, host: { mtu: 1500, routerId: '203.0.113.1', as: 64512 } }, [], []);
    assert.deepEqual(
      list.map(({ what }) => what),
      ['the host has no address that others can route to'],
    );
  });

  it('is drawn to a router id whose address is gone', () => {
    const [first] = attentionOf({ ...facts, host: { ...facts.host, routerIdStale: true } }, [], []);
    assert.match(
      first?.what ?? '',
      /^the router id 192.0.2.1 was made of an address that the host has no more/,
    );
  });

  it('is drawn to an address that somebody else announces', () => {
    const [first] = attentionOf(facts, [], [endpoint('192.0.2.9')]);
    assert.equal(first?.what, '10.1.0.2 is announced by 192.0.2.9 too');
  });

  it('is drawn to a pool of which this host gets no more, while it has less left than it should', () => {
    const at = (spare: string | undefined, heard: number, free = '250') => {
      const pool = { prefix: '10.1.0.0/24', size: '256', free, part: '4', spare };
      const cluster = { ...facts.cluster, members: { total: 2, heard } };
      return attentionOf({ ...facts, cluster, pools: [pool] } as Facts, [], []).map(({ what }) => what);
    };
    assert.deepEqual(at('1', 1), [
      'pool 10.1.0.0/24: this host can give 1 more, and gets no further addresses from hosts that are not heard',
    ]);
    for (const given of [at('2', 1), at('1', 2), at(undefined, 1), at('0', 2), at('20', 1, '20')])
      assert.deepEqual(given, []);
  });

  it('is drawn to a pool that is nearly full, by the range that automatic addresses come from', () => {
    const pool = { prefix: '10.1.0.0/16', size: '256', free: '12' };
    const first = (pools: object[]) => attentionOf({ ...facts, pools } as Facts, [], [])[0]?.what;
    assert.equal(first([{ ...pool, free: '13' }]), undefined);
    assert.equal(first([pool]), 'pool 10.1.0.0/16 has 12 of 256 addresses left');
    assert.equal(first([{ ...pool, range: '10.1.4.0/24' }]), 'pool 10.1.4.0/24 has 12 of 256 addresses left');
  });

  it('is drawn to addresses that are lost or withheld, and to endpoints of hosts that are not heard', () => {
    const lost = {
      id: 'ab'.repeat(32),
      state: 'lost',
      container: { id: 'c', name: 'web' },
      addresses: [{ address: '10.1.0.2', kind: 'address', announced: false, lost: 'in use on host h2' }],
    } as EndpointView;
    const { container: _, ...unnamed } = lost;
    const withheld = { ...lost, state: 'withheld', addresses: [] } as EndpointView;
    const list = attentionOf(facts, [], [lost, unnamed, withheld, withheld], {
      silent: [{ name: 'h3', endpoints: 7 }],
    });
    const [elsewhere, first, second, third, ...rest] = list.map(({ what }) => what);
    assert.equal(elsewhere, 'endpoints of host h3, which is not heard: 7');
    assert.match(first!, /^web has lost 10\.1\.0\.2, .*: in use on host h2$/);
    assert.match(second!, /^endpoint abababababab has lost 10\.1\.0\.2, /);
    assert.match(third!, /given their addresses again: 2$/);
    assert.deepEqual(rest, []);
    // Where nobody is heard, it is this host that others have lost.
    const silentHere = { silent: [{ name: 'h3', endpoints: 7 }] };
    for (const cluster of [{ state: 'halted' }, { state: 'member', members: { total: 3, heard: 1 } }]) {
      const its = { ...facts, cluster: { ...facts.cluster, ...cluster } } as Facts;
      assert.deepEqual(attentionOf(its, [], [], silentHere), []);
    }
  });
});
