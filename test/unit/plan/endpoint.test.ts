import assert from 'node:assert/strict';
import type { Endpoint } from '../../../src/model/endpoint.ts';
import type { Network } from '../../../src/model/network.ts';
import type { Pool } from '../../../src/model/pool.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import { type HostView, NOTHING, planEndpoint } from '../../../src/plan/endpoint.ts';

const pool = (prefix: string, gateway: string): Pool => ({
  id: `default:${prefix}`,
  tenant: 'default',
  prefix,
  space: 'aa',
  auxiliary: [],
  gateway,
  gatewayGiven: false,
  automatic: false,
  createdAt: 0,
});
const pools = [pool('10.1.0.0/16', '169.254.7.8'), pool('fd00:9::/64', 'fe80::7')];
const network: Network = {
  id: 'n1',
  tenant: 'default',
  encap: 'none',
  internal: false,
  pools: pools.map(({ id }) => id),
  createdAt: 0,
};
const endpoint: Endpoint = {
  id: '0123456789abcdef',
  network: 'n1',
  address: '10.1.0.2',
  addressV6: 'fd00:9::2',
  mac: '02:42:0a:01:00:02',
  aliases: [],
  anycast: false,
  phase: 'joined',
  sandbox: '/run/netns/s',
  incarnation: 'i',
  ports: [],
  createdAt: 0,
};
const host: HostView = {
  address: '192.0.2.1',
  addressV6: '2001:db8::1',
  mtu: 1500,
  exportable: pools.map(({ prefix }) => Prefix.parse(prefix)),
};
const plan = (change: Partial<Endpoint> = {}, view: Partial<HostView> = {}, alive = true) =>
  planEndpoint({ ...endpoint, ...change }, network, pools, { ...host, ...view }, alive);

describe('planEndpoint', () => {
  it('plans link, gateway addresses, host routes, source permits and announcements', () => {
    const { kernel, firewall, announcements } = plan();
    const of = (kind: string) => kernel.filter((one) => one.kind === kind);
    assert.deepEqual(of('link'), [
      {
        kind: 'link',
        name: 'nr0123456789',
        peer: 'nr0123456789c',
        mtu: 1500,
        alias: 'net-routed endpoint 0123456789abcdef',
      },
    ]);
    assert.deepEqual(of('address'), [
      { kind: 'address', link: 'nr0123456789', address: '169.254.7.8/32' },
      { kind: 'address', link: 'nr0123456789', address: 'fe80::7/64' },
    ]);
    const route = {
      kind: 'route',
      table: 254,
      metric: 158,
      type: 'unicast',
      nextHops: [{ dev: 'nr0123456789' }],
    };
    assert.deepEqual(of('route'), [
      { ...route, prefix: '10.1.0.2/32', src: '192.0.2.1' },
      { ...route, prefix: 'fd00:9::2/128', src: '2001:db8::1' },
    ]);
    assert.ok(of('sysctl').length > 0);
    assert.deepEqual(firewall, [
      { kind: 'source', link: 'nr0123456789', address: '10.1.0.2' },
      { kind: 'source', link: 'nr0123456789', address: 'fd00:9::2' },
    ]);
    assert.deepEqual(announcements, [
      { kind: 'announcement', prefix: '10.1.0.2/32', nextHop: '192.0.2.1', anycast: false },
      { kind: 'announcement', prefix: 'fd00:9::2/128', nextHop: '2001:db8::1', anycast: false },
    ]);
  });

  it('plans nothing before Join, nor for a sandbox that is gone', () => {
    assert.deepEqual(plan({ phase: 'created' }), NOTHING);
    assert.deepEqual(plan({}, {}, false), NOTHING);
  });

  it('keeps only the link after Leave', () => {
    const left = plan({ phase: 'left' });
    assert.deepEqual(
      left.kernel.map(({ kind }) => kind),
      ['link'],
    );
    assert.deepEqual(left.announcements, []);
  });

  it('announces nothing in a family in which the host has no address', () => {
    const { announcements, kernel } = plan({}, { addressV6: undefined });
    assert.deepEqual(
      announcements.map(({ prefix }) => prefix),
      ['10.1.0.2/32'],
    );
    assert.equal(kernel.filter(({ kind }) => kind === 'route').length, 2);
  });

  it('routes an alias, permits it, and announces it only within what is exportable', () => {
    const { kernel, sandbox, firewall, announcements } = plan({ aliases: ['10.1.9.9', '192.168.255.254'] });
    const prefixes = kernel.flatMap((one) => (one.kind === 'route' ? [one.prefix] : []));
    assert.deepEqual(prefixes, ['10.1.0.2/32', 'fd00:9::2/128', '10.1.9.9/32', '192.168.255.254/32']);
    assert.deepEqual(
      sandbox.map((one) => one.kind === 'sandbox-address' && one.address),
      ['10.1.9.9/32', '192.168.255.254/32'],
    );
    assert.equal(firewall.filter(({ kind }) => kind === 'source').length, 4);
    assert.ok(announcements.some(({ prefix }) => prefix === '10.1.9.9/32'));
    assert.ok(!announcements.some(({ prefix }) => prefix === '192.168.255.254/32'));
  });

  it('takes the MTU of the endpoint before that of the network and the host', () => {
    const mtu = (change: Partial<Endpoint>, of: Network) => {
      const [first] = planEndpoint({ ...endpoint, ...change }, of, pools, host, true).kernel;
      return first?.kind === 'link' && first.mtu;
    };
    assert.equal(mtu({ mtu: 1400 }, { ...network, mtu: 9000 }), 1400);
    assert.equal(mtu({}, { ...network, mtu: 9000 }), 9000);
    assert.equal(mtu({}, network), 1500);
  });

  it('guards an endpoint with ingress, even with nobody allowed', () => {
    const guarded = (ingress: string[]) => plan({ ingress }).firewall.filter(({ kind }) => kind !== 'source');
    assert.deepEqual(guarded([]), [{ kind: 'guard', link: 'nr0123456789' }]);
    assert.deepEqual(guarded(['198.51.100.0/24'])[1], {
      kind: 'ingress',
      link: 'nr0123456789',
      from: '198.51.100.0/24',
    });
  });

  it('gives a named gateway its own address, and a link-local one besides for IPv6', () => {
    const named = [
      { ...pools[0]!, gateway: '10.1.0.1', gatewayGiven: true },
      { ...pools[1]!, gateway: 'fd00:9::1', gatewayGiven: true },
    ];
    const { kernel } = planEndpoint(endpoint, network, named, host, true);
    const addresses = kernel.flatMap((one) => (one.kind === 'address' ? [one.address] : []));
    assert.equal(addresses[0], '10.1.0.1/32');
    assert.match(addresses[1]!, /^fe80::.*\/64$/);
    assert.equal(addresses[2], 'fd00:9::1/128');
  });

  it('lets the container send from its addresses in its other networks', () => {
    const sibling = { ...endpoint, id: 'fedcba9876543210', address: '10.2.0.2', addressV6: undefined };
    const { firewall } = planEndpoint(endpoint, network, pools, host, true, [sibling]);
    assert.deepEqual(
      firewall.map((one) => one.kind === 'source' && `${one.link} ${one.address}`),
      ['10.1.0.2', 'fd00:9::2', '10.2.0.2'].map((address) => `nr0123456789 ${address}`),
    );
  });

  it('publishes a port for each family that its host address allows', () => {
    const publish = (hostAddress: string) =>
      plan({ ports: [{ protocol: 6, port: 80, hostAddress, hostPort: 8080 }] }).firewall.flatMap((one) =>
        one.kind === 'publish' ? [`${one.hostAddress ?? 'any'} ${one.toAddress}`] : [],
      );
    assert.deepEqual(publish(''), ['any 10.1.0.2', 'any fd00:9::2']);
    assert.deepEqual(publish('0.0.0.0'), ['any 10.1.0.2']);
    assert.deepEqual(publish('192.0.2.1'), ['192.0.2.1 10.1.0.2']);
  });

  it('announces nothing that its host has to be given again, and leaves the rest as it is', () => {
    const before = plan();
    const after = plan({ unconfirmed: ['10.1.0.2'] });
    assert.deepEqual(
      after.announcements.map(({ prefix }) => prefix),
      ['fd00:9::2/128'],
    );
    assert.deepEqual({ ...after, announcements: [] }, { ...before, announcements: [] });
  });

  it('has no route, permit, published port or announcement of an address that it has lost', () => {
    const ports = [{ protocol: 6, port: 80, hostAddress: '', hostPort: 8080 }];
    const aliases = ['10.1.0.7', '10.1.0.8'];
    const lost = ['10.1.0.2', '10.1.0.7'].map((address) => ({ address, why: 'in use on host h2' }));
    const { kernel, firewall, sandbox, announcements } = plan({ ports, aliases, lost });
    const text = JSON.stringify([kernel, firewall, sandbox, announcements]);
    for (const { address } of lost) assert.doesNotMatch(text, new RegExp(`"${address}["/]`));
    for (const address of ['fd00:9::2', '10.1.0.8'])
      assert.equal(
        JSON.stringify([kernel, firewall, announcements]).split(`"${address}`).length,
        address === '10.1.0.8' ? 4 : 5,
        text,
      );
    assert.deepEqual(
      sandbox.map((one) => 'address' in one && one.address),
      ['10.1.0.8/32'],
    );
    // Nor may the container send from it by its other networks.
    const sibling = { ...endpoint, id: 'fedcba9876543210', address: '10.1.0.9', lost };
    const by = planEndpoint(sibling, network, pools, host, true, [{ ...endpoint, lost }]);
    assert.deepEqual(
      by.firewall.filter(({ kind }) => kind === 'source').map((one) => 'address' in one && one.address),
      ['10.1.0.9', 'fd00:9::2', 'fd00:9::2'],
    );
  });
});
