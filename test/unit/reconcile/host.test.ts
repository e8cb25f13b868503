import assert from 'node:assert/strict';
import { Address } from '../../../src/net/address.ts';
import type { HostFacts } from '../../../src/ports/kernel.ts';
import { Host, hostView } from '../../../src/reconcile/host.ts';

/** Facts of a host whose uplink, if it has one, is eth0; addresses are `LINK CIDR`. */
function facts(addresses: readonly string[], uplink = true): HostFacts {
  return {
    incarnation: 'this boot',
    ...(uplink && { uplink: { name: 'eth0', mtu: 9000 } }),
    addresses: addresses.map((text) => {
      const [link = '', address = ''] = text.split(' ');
      return { link, address };
    }),
  };
}

const seen = (addresses: readonly string[], uplink = true) => {
  const { address, addressV6, mtu } = hostView(facts(addresses, uplink), {}, []);
  return [address, addressV6, mtu];
};

describe('the view of the host', () => {
  it("has the uplink's first address of each family, wherever it is listed", () => {
    assert.deepEqual(
      seen(['eth1 198.51.100.1/24', 'eth0 192.0.2.1/24', 'eth0 192.0.2.9/24', 'eth0 2001:db8::1/64']),
      ['192.0.2.1', '2001:db8::1', 9000],
    );
  });

  it('has any other address where the uplink has none, or there is no uplink', () => {
    assert.deepEqual(seen(['lo 203.0.113.1/32', 'eth0 2001:db8::1/64']), [
      '203.0.113.1',
      '2001:db8::1',
      9000,
    ]);
    assert.deepEqual(seen(['lo 203.0.113.1/32'], false), ['203.0.113.1', undefined, 1500]);
  });

  it('has no address that others cannot route to', () => {
    assert.deepEqual(
      seen([
        'lo 127.0.0.2/8',
        'eth0 169.254.3.4/16',
        'eth0 fe80::1/64',
        'lo ::1/128',
        'docker0 172.17.0.1/16',
        'docker_gwbridge 172.18.0.1/16',
        'br-0123456789ab 172.19.0.1/16',
        'br-0123456789ab fd00:1::1/64',
      ]),
      [undefined, undefined, 9000],
    );
    assert.deepEqual(seen(['docker0 172.17.0.1/16', 'br-lan 192.0.2.1/24'], false)[0], '192.0.2.1');
  });

  it('goes by what the user has settled', () => {
    const settings = { address: '203.0.113.7', addressV6: '2001:db8:7::7', mtu: 1400 };
    assert.deepEqual(hostView(facts(['eth0 192.0.2.1/24', 'eth0 2001:db8::1/64']), settings, []), {
      ...settings,
      exportable: [],
    });
  });

  it('follows facts and prefixes when it is told that they changed', () => {
    let exportable = ['10.1.0.0/16'];
    const host = new Host(facts([]), {}, () => exportable);
    assert.equal(host.view.address, undefined);
    host.update(facts(['eth0 192.0.2.1/24']));
    assert.equal(host.view.address, '192.0.2.1');
    exportable = ['10.1.0.0/16', '10.2.0.0/16'];
    host.update();
    assert.equal(host.view.address, '192.0.2.1');
    assert.deepEqual(host.view.exportable.map(String), exportable);
    assert.equal(host.facts.uplink?.name, 'eth0');
  });
});

describe("the host's claim to an address", () => {
  const own = ['eth0 192.0.2.1/24', 'eth0 2001:db8::1/64', 'eth0 169.254.3.4/16', 'lo 203.0.113.1/32'];
  const routers = ['192.0.2.254', '198.51.100.254', '2001:db8::fe'];
  const host = (exportable: string[] = [], address?: string) =>
    new Host({ ...facts(own), routers }, { address }, () => exportable);
  const claim = (address: string, ...rest: Parameters<typeof host>) =>
    host(...rest).claim(Address.parse(address));

  it('is that it has the address', () => {
    for (const address of ['192.0.2.1', '2001:db8::1', '203.0.113.1', '169.254.3.4'])
      assert.match(claim(address, ['0.0.0.0/0', '::/0']) ?? '', /^the host's own, on (eth0|lo)$/, address);
    assert.equal(claim('198.51.100.7', [], '198.51.100.7'), "the host's own");
  });

  it('is that its router has it', () => {
    for (const address of routers) assert.equal(claim(address, ['0.0.0.0/0', '::/0']), "the host's router");
  });

  it('is that others on its links may have it, unless it is of a pool', () => {
    assert.equal(claim('192.0.2.7'), 'on the link eth0 of the host (192.0.2.0/24)');
    assert.equal(claim('2001:db8::7'), 'on the link eth0 of the host (2001:db8::/64)');
    assert.equal(claim('192.0.2.7', ['192.0.2.0/28']), undefined);
  });

  it('is not made to others', () => {
    for (const address of ['198.51.100.7', '2001:db8:0:1::7', '203.0.113.2', '169.254.1.1', 'fe80::1'])
      assert.equal(claim(address), undefined, address);
  });

  it('follows the facts', () => {
    const it_ = host();
    it_.update(facts(['eth0 198.51.100.1/24']));
    assert.equal(it_.claim(Address.parse('192.0.2.1')), undefined);
    assert.match(it_.claim(Address.parse('198.51.100.1')) ?? '', /own/);
  });
});
