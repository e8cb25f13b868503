import assert from 'node:assert/strict';
import { factsOf, hopsOf } from '../../../src/kernel/facts.ts';
import type { AddressState, LinkState } from '../../../src/kernel/parse.ts';

const at = (address: string, rest: Partial<AddressState> = {}): AddressState => ({
  address,
  scope: 'global',
  nodad: false,
  fleeting: false,
  ...rest,
});

const link = (index: number, name: string, rest: Partial<LinkState> = {}): LinkState => ({
  name,
  index,
  type: '',
  mtu: 1500,
  group: 0,
  alias: '',
  up: true,
  loopback: false,
  addresses: [],
  ...rest,
});

const lo = link(1, 'lo', {
  loopback: true,
  addresses: [at('203.0.113.1/32'), at('127.0.0.1/8', { scope: 'other' })],
});
const own = link(9, 'nr1', { type: 'veth', group: 158, addresses: [at('fd00:9::1/128')] });
const eth0 = link(2, 'eth0', { addresses: [at('192.0.2.1/24'), at('fe80::1/64', { scope: 'link' })] });
const eth1 = link(3, 'eth1', { mtu: 9000, addresses: [at('198.51.100.1/24'), at('2001:db8::1/64')] });

describe('facts of the host', () => {
  it('name the interface of the default route, and its addresses first', () => {
    assert.deepEqual(factsOf([own, eth1, eth0, lo], [{ family: 4, dev: 'eth1', metric: 0 }], 'i'), {
      incarnation: 'i',
      uplink: { name: 'eth1', mtu: 9000 },
      addresses: [
        { link: 'eth1', address: '198.51.100.1/24' },
        { link: 'eth1', address: '2001:db8::1/64' },
        { link: 'eth0', address: '192.0.2.1/24' },
        { link: 'lo', address: '203.0.113.1/32' },
      ],
    });
  });

  it('prefer IPv4 and the lower metric', () => {
    const uplink = (...defaults: Parameters<typeof factsOf>[1]) =>
      factsOf([eth0, eth1], defaults, 'i').uplink?.name;
    assert.equal(
      uplink({ family: 6, dev: 'eth0', metric: 1 }, { family: 4, dev: 'eth1', metric: 9 }),
      'eth1',
    );
    assert.equal(
      uplink({ family: 4, dev: 'eth0', metric: 9 }, { family: 4, dev: 'eth1', metric: 1 }),
      'eth1',
    );
    assert.equal(uplink({ family: 6, dev: 'eth1', metric: 1 }), 'eth1');
    assert.equal(uplink({ family: 4, dev: 'gone0', metric: 1 }), 'eth0');
  });

  it('take the first interface with an address where there is no default route', () => {
    const bare = link(2, 'eth0');
    const down = link(2, 'eth9', { up: false, addresses: [at('192.0.2.9/24')] });
    assert.equal(factsOf([lo, own, bare, down, eth1], [], 'i').uplink?.name, 'eth1');
    assert.equal(factsOf([lo, own, bare], [], 'i').uplink, undefined);
    const bridge = (name: string) => ({ ...eth1, name, type: 'bridge', index: 1 });
    const dockers = [bridge('docker0'), bridge('br-0123456789ab')];
    assert.equal(factsOf([lo, down, ...dockers], [], 'i').uplink, undefined, 'they lead to containers only');
    assert.equal(factsOf([lo, down, ...dockers, bridge('br0')], [], 'i').uplink?.name, 'br0');
  });

  it('leave out addresses that do not last', () => {
    const host = link(2, 'eth0', {
      addresses: [at('2001:db8::7/64', { fleeting: true }), at('2001:db8::1/64')],
    });
    assert.deepEqual(factsOf([host], [], 'i').addresses, [{ link: 'eth0', address: '2001:db8::1/64' }]);
  });

  it('have the next hops of the default routes, each once', () => {
    const v4 = { family: 4, dev: 'eth0', metric: 0 } as const;
    const routers = (...defaults: Parameters<typeof factsOf>[1]) => factsOf([eth0], defaults, 'i').routers;
    assert.equal(routers(v4), undefined);
    assert.deepEqual(
      routers(
        { ...v4, via: '192.0.2.254' },
        { ...v4, via: '192.0.2.253', metric: 9 },
        { ...v4, via: '192.0.2.254' },
      ),
      ['192.0.2.253', '192.0.2.254'],
    );
  });
});

describe('the next hops of a default route', () => {
  it('are read as ip writes them', () => {
    assert.deepEqual(hopsOf({ dst: 'default', gateway: '192.0.2.254', dev: 'eth0' }), [
      { dev: 'eth0', via: '192.0.2.254' },
    ]);
    assert.deepEqual(hopsOf({ dst: 'default', via: { family: 'inet6', host: 'fe80::1' }, dev: 'eth0' }), [
      { dev: 'eth0', via: 'fe80::1' },
    ]);
    assert.deepEqual(hopsOf({ dst: 'default', dev: 'ppp0' }), [{ dev: 'ppp0' }]);
    const nexthops = [
      { gateway: '192.0.2.254', dev: 'eth0', weight: 1 },
      { via: { family: 'inet6', host: 'fe80::2' }, dev: 'eth1' },
      { dev: 'nr0123456789' },
    ];
    assert.deepEqual(hopsOf({ dst: 'default', nexthops }), [
      { dev: 'eth0', via: '192.0.2.254' },
      { dev: 'eth1', via: 'fe80::2' },
    ]);
    assert.deepEqual(hopsOf({ type: 'unreachable', dst: 'default', dev: 'lo' }), []);
  });
});
