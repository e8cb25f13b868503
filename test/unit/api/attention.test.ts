import assert from 'node:assert/strict';
import { attentionOf } from '../../../src/api/attention.ts';
import type { EndpointView } from '../../../src/api/views.ts';

type Facts = Parameters<typeof attentionOf>[0];

const facts = {
  loop: { live: true, passes: 1, resyncs: 1, errors: 0, lastPassMs: 1 },
  failures: [],
  engine: { name: 'memory', version: '1', up: true },
  host: { address: '192.0.2.1', mtu: 1500, routerId: '192.0.2.1', as: 64512 },
  pools: [],
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

  it('is drawn to an address that somebody else announces', () => {
    const [first] = attentionOf(facts, [], [endpoint('192.0.2.9')]);
    assert.equal(first?.what, '10.1.0.2 is announced by 192.0.2.9 too');
  });
});
