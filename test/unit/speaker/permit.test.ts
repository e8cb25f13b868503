import assert from 'node:assert/strict';
import { Prefix } from '../../../src/net/prefix.ts';
import { Permit } from '../../../src/speaker/permit.ts';

const announcement = (prefix: string, nextHop = '192.0.2.1') =>
  ({ kind: 'announcement', prefix, nextHop, anycast: false }) as const;
const denied = { code: 'NR_EXPORT_DENIED' };

describe('speaker/permit', () => {
  it('allows what lies within a pool', () => {
    const permit = new Permit(['10.1.0.0/16', 'fd01::/32']);
    for (const prefix of ['10.1.0.0/16', '10.1.2.0/24', '10.1.2.3/32', 'fd01::1/128']) {
      assert.ok(permit.allows(Prefix.parse(prefix)), prefix);
    }
    for (const prefix of ['10.0.0.0/8', '10.2.0.0/32', 'fd02::/128', '0.0.0.0/0', '::/0']) {
      assert.ok(!permit.allows(Prefix.parse(prefix)), prefix);
    }
  });

  it('never allows a default route, even if a pool is everything', () => {
    const permit = new Permit(['0.0.0.0/0', '::/0']);
    assert.throws(() => permit.check(announcement('0.0.0.0/0')), denied);
    assert.throws(() => permit.check(announcement('::/0', 'fd00::1')), denied);
    assert.equal(permit.check(announcement('203.0.113.0/24')).prefix.toString(), '203.0.113.0/24');
  });

  it('denies everything without pools', () => {
    assert.throws(() => new Permit([]).check(announcement('10.1.0.1/32')), denied);
  });

  it('wants a next hop of the same family', () => {
    const permit = new Permit(['10.1.0.0/16']);
    assert.throws(() => permit.check(announcement('10.1.0.1/32', 'fd00::1')), { code: 'NR_ADDRESS_INVALID' });
    assert.throws(() => permit.check(announcement('10.1.0.1/32', '')), { code: 'NR_ADDRESS_INVALID' });
  });
});
