import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Address } from '../../../src/net/address.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import type { HostView } from '../../../src/plan/endpoint.ts';
import { RouterId, routerIdOf } from '../../../src/reconcile/identity.ts';
import { Time } from './time.ts';

const view = (address?: string, addressV6?: string): HostView => ({
  ...(address !== undefined && { address }),
  ...(addressV6 !== undefined && { addressV6 }),
  mtu: 1500,
  exportable: [],
});

describe('the router id of a host', () => {
  it('is its IPv4 address', () => {
    assert.equal(routerIdOf(view('192.0.2.1', '2001:db8::1')), '192.0.2.1');
  });

  it('is made of the IPv6 address of a host that has no other', () => {
    const ids = ['2001:db8::1', '2001:db8::2', '2001:db8:1::1'].map((address) =>
      routerIdOf(view(undefined, address)),
    );
    assert.equal(new Set(ids).size, 3);
  });

  it('is that of a unicast host, whatever the address', () => {
    const ranges = ['0.0.0.0/8', '127.0.0.0/8', '128.0.0.0/1'].map(Prefix.parse);
    const any = fc.oneof(fc.bigInt({ min: 1n, max: (1n << 128n) - 1n }), fc.constant(0x20010db8n << 96n));
    fc.assert(
      fc.property(any, (value) => {
        const id = Address.parse(routerIdOf(view(undefined, Address.of(6, value).toString())) ?? '');
        assert.ok(!ranges.some((range) => range.contains(id)), id.toString());
      }),
    );
  });

  it('is none for a host without an address', () => {
    assert.equal(routerIdOf(view()), undefined);
  });
});

describe('RouterId', () => {
  let clock: Time;
  let ids: string[];
  beforeEach(() => {
    [clock, ids] = [new Time(), []];
  });
  const open = (change: { configured?: string; changeable?: boolean } = {}) =>
    new RouterId({
      configured: change.configured,
      changeable: change.changeable ?? true,
      clock,
      changed: (routerId) => ids.push(routerId),
    });
  /** What a host looks like that has these IPv4 addresses, the first on its uplink. */
  const follow = (subject: RouterId, ...addresses: string[]) =>
    subject.follow(view(addresses[0]), new Set(addresses));

  it('is there when the first address is', () => {
    const subject = open();
    follow(subject);
    assert.deepEqual(ids, []);
    follow(subject, '192.0.2.1');
    assert.deepEqual(ids, ['192.0.2.1']);
  });

  it('is there at once where the user chose it, and is never another', async () => {
    const subject = open({ configured: '203.0.113.1' });
    follow(subject);
    follow(subject, '192.0.2.1');
    follow(subject, '192.0.2.2');
    await clock.pass(600_000);
    assert.deepEqual(ids, ['203.0.113.1']);
    assert.equal(subject.stale, false);
  });

  it('stays when another address comes, also as the first', async () => {
    const subject = open();
    follow(subject, '192.0.2.1');
    follow(subject, '198.51.100.1', '192.0.2.1');
    await clock.pass(600_000);
    assert.deepEqual(ids, ['192.0.2.1']);
    assert.equal(subject.stale, false);
  });

  it('of an IPv6 address stays when an IPv4 address comes', async () => {
    const subject = open();
    subject.follow(view(undefined, '2001:db8::1'), new Set(['2001:db8::1']));
    subject.follow(view('192.0.2.1', '2001:db8::1'), new Set(['192.0.2.1', '2001:db8::1']));
    await clock.pass(600_000);
    assert.equal(ids.length, 1);
  });

  it('stays when its address goes and there is no other', async () => {
    const subject = open();
    follow(subject, '192.0.2.1');
    follow(subject);
    await clock.pass(600_000);
    assert.deepEqual(ids, ['192.0.2.1']);
    assert.equal(subject.stale, true);
    follow(subject, '192.0.2.1');
    assert.equal(subject.stale, false);
    assert.deepEqual(ids, ['192.0.2.1']);
  });

  it('changes when its address is gone for a minute, there is another, and no session', async () => {
    const subject = open();
    follow(subject, '192.0.2.1');
    follow(subject, '198.51.100.1');
    await clock.pass(59_999);
    assert.deepEqual(ids, ['192.0.2.1']);
    await clock.pass(1);
    assert.deepEqual(ids, ['192.0.2.1', '198.51.100.1']);
    assert.equal(subject.stale, false);
    assert.equal(clock.waiting, 0);
  });

  it('stays when its address is back within the minute, however often it goes', async () => {
    const subject = open();
    follow(subject, '192.0.2.1', '198.51.100.1');
    for (let i = 0; i < 10; i++) {
      follow(subject, '198.51.100.1');
      await clock.pass(50_000);
      follow(subject, '192.0.2.1', '198.51.100.1');
      await clock.pass(1000);
    }
    assert.deepEqual(ids, ['192.0.2.1']);
  });

  it('stays as long as a session is established: of two uplinks one is down', async () => {
    const subject = open();
    follow(subject, '192.0.2.1', '198.51.100.1');
    for (const peer of ['a', 'b']) subject.session(peer, true);
    follow(subject, '198.51.100.1');
    subject.session('a', false);
    await clock.pass(3_600_000);
    assert.deepEqual(ids, ['192.0.2.1']);
    assert.equal(subject.stale, true);
    subject.session('b', false);
    await clock.pass(59_000);
    subject.session('b', true);
    await clock.pass(3_600_000);
    assert.deepEqual(ids, ['192.0.2.1'], 'the minute begins anew');
    subject.session('b', false);
    await clock.pass(60_000);
    assert.deepEqual(ids, ['192.0.2.1', '198.51.100.1']);
  });

  it('is made of the address that is there at the end of the minute', async () => {
    const subject = open();
    follow(subject, '192.0.2.1');
    follow(subject, '198.51.100.1');
    await clock.pass(30_000);
    follow(subject, '203.0.113.1');
    await clock.pass(30_000);
    assert.deepEqual(ids, ['192.0.2.1', '203.0.113.1']);
  });

  it('stays where the engine is run by others', async () => {
    const subject = open({ changeable: false });
    follow(subject, '192.0.2.1');
    follow(subject, '198.51.100.1');
    await clock.pass(600_000);
    assert.deepEqual(ids, ['192.0.2.1']);
    assert.equal(subject.stale, true);
  });

  it('of the configured address is not stale, though no interface has it', () => {
    const subject = open();
    subject.follow(view('203.0.113.9'), new Set(['192.0.2.1']));
    subject.follow(view('203.0.113.9'), new Set());
    assert.deepEqual([ids, subject.stale], [['203.0.113.9'], false]);
  });

  it('does not change after its end', async () => {
    const subject = open();
    follow(subject, '192.0.2.1');
    follow(subject, '198.51.100.1');
    subject.close();
    await clock.pass(600_000);
    assert.deepEqual(ids, ['192.0.2.1']);
  });
});
