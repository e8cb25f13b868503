import assert from 'node:assert/strict';
import { Address } from '../../../src/net/address.ts';
import { holderOf, planLearned } from '../../../src/plan/learned.ts';
import type { LearnedRoute } from '../../../src/ports/speaker.ts';

const route = (prefix: string, ...vias: string[]): LearnedRoute => ({
  prefix,
  nextHops: vias.map((via) => ({ via })),
  holder: '192.0.2.9',
  anycast: false,
  asPath: [65000],
});
const resolve = (via: string) =>
  via.startsWith('192.0.2.') ? { via: '192.0.2.254', dev: 'eth0' } : undefined;

describe('planLearned', () => {
  it('goes by what the underlay resolves the next hops to', () => {
    const [planned] = planLearned(route('10.1.0.2/32', '192.0.2.9'), resolve, { 4: '192.0.2.1' });
    assert.deepEqual(planned, {
      kind: 'route',
      prefix: '10.1.0.2/32',
      table: 254,
      metric: 1158,
      type: 'unicast',
      nextHops: [{ via: '192.0.2.254', dev: 'eth0' }],
      src: '192.0.2.1',
    });
  });

  it('makes one of next hops that resolve to the same, and none of those that do not', () => {
    const [planned] = planLearned(route('10.1.0.2/32', '192.0.2.9', '192.0.2.8', '203.0.113.1'), resolve, {});
    assert.equal(planned?.nextHops.length, 1);
    assert.deepEqual(planLearned(route('10.1.0.2/32', '203.0.113.1'), resolve, {}), []);
  });

  it('refuses what no peer may decide', () => {
    for (const prefix of [
      '127.0.0.0/8',
      '169.254.1.1/32',
      '224.0.0.5/32',
      '::1/128',
      'fe80::/64',
      'ff02::/16',
    ]) {
      assert.deepEqual(planLearned(route(prefix, '192.0.2.9'), resolve, {}), [], prefix);
    }
    assert.equal(
      planLearned(route('0.0.0.0/0', '192.0.2.9'), resolve, {}).length,
      1,
      'a default route that was let in',
    );
  });
});

describe('holderOf', () => {
  it('is the one who announces exactly the address', () => {
    const learned = new Map([route('10.1.0.0/16'), route('10.1.0.2/32')].map((one) => [one.prefix, one]));
    assert.equal(holderOf(learned, Address.parse('10.1.0.2'))?.holder, '192.0.2.9');
    assert.equal(holderOf(learned, Address.parse('10.1.0.3')), undefined);
  });
});
