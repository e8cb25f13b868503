import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { Address } from '../../../src/net/address.ts';
import { parseAsn, privateAsn } from '../../../src/net/asn.ts';
import { parseIfname, vethNames } from '../../../src/net/ifname.ts';
import { linkLocalGateway } from '../../../src/net/linklocal.ts';
import { macOf, parseMac } from '../../../src/net/mac.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import { address, family, nearly } from './arbitrary.ts';

describe('mac', () => {
  it('of an address is unicast, local, and the address itself in IPv4', () => {
    fc.assert(
      fc.property(address, (one) => {
        const mac = macOf(one);
        assert.equal(parseMac(mac), mac);
        assert.equal(macOf(Address.parse(String(one))), mac);
        const low = BigInt(`0x${mac.slice(6).replaceAll(':', '')}`);
        if (one.family === 4) assert.equal(low, one.value);
      }),
      { numRuns: 500 },
    );
    assert.equal(macOf(Address.parse('10.1.0.2')), '02:42:0a:01:00:02');
    assert.equal(macOf(Address.parse('::')), '02:42:00:00:00:00');
    assert.equal(macOf(Address.parse('fd00:9::8:0:5')), '02:42:fd:00:00:04');
  });

  it('differs for the addresses of one small subnet', () => {
    const subnet = Array.from({ length: 4096 }, (_, i) => Address.of(6, (0xfd00n << 112n) + BigInt(i)));
    assert.equal(new Set(subnet.map(macOf)).size, 4096);
  });

  it('is read in any case, with colons, and only unicast', () => {
    assert.equal(parseMac('02:42:0A:01:ab:CD'), '02:42:0a:01:ab:cd');
    const bad = [
      '',
      '02:42:0a:01:00',
      '02:42:0a:01:00:02:03',
      '02-42-0a-01-00-02',
      '0242.0a01.0002',
      '2:42:a:1:0:2',
      '02:42:0a:01:00:0g',
      '02:42:0a:01:00:02\n',
      ' 02:42:0a:01:00:02',
      '٠2:42:0a:01:00:02',
      '00:00:00:00:00:00',
      'ff:ff:ff:ff:ff:ff',
      '01:00:5e:00:00:01',
      '33:33:00:00:00:01',
    ];
    for (const text of bad) assert.throws(() => parseMac(text), { code: 'NR_MAC_INVALID' }, text);
  });
});

describe('AS number', () => {
  it('is read as asplain and asdot', () => {
    const numbers = fc.integer({ min: 1, max: 4294967294 }).filter((n) => n !== 23456 && n !== 65535);
    fc.assert(
      fc.property(numbers, (n) => {
        assert.equal(parseAsn(n), n);
        assert.equal(parseAsn(String(n)), n);
        assert.equal(parseAsn(`${n >>> 16}.${n & 65535}`), n);
      }),
      { numRuns: 500 },
    );
    assert.equal(parseAsn('1.10'), 65546);
  });

  it('is refused where it is reserved, out of range or no number', () => {
    const bad = [
      0,
      -1,
      23456,
      '0.23456',
      65535, // RFC 7300
      '0.65535',
      4294967295,
      '65535.65535',
      4294967296,
      '65536.1',
      '1.65536',
      '1.2.3',
      '1.',
      '.1',
      '',
      ' 1',
      '1\n',
      '+1',
      '-1',
      '1e3',
      '0x10',
      '065000',
      '1.010',
      'AS65000',
      '٦٥٠٠٠',
      Number.NaN,
      1e21,
      1.1, // a YAML 1.10, which meant 65546 and would be 65537
      64512.5,
    ];
    for (const text of bad) assert.throws(() => parseAsn(text), { code: 'NR_CONFIG_INVALID' }, String(text));
    assert.throws(() => parseAsn(1.1), { message: /quotes/ });
  });

  it('of a host is private, and differs within a /6', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 0xffffffffn }),
        fc.bigInt({ min: 1n, max: 0x3ffffffn }),
        (value, delta) => {
          const asn = privateAsn(Address.of(4, value));
          assert.ok(asn >= 4200000000 && asn <= 4294967294);
          assert.equal(parseAsn(asn), asn);
          assert.notEqual(privateAsn(Address.of(4, value ^ delta)), asn);
        },
      ),
    );
  });
});

describe('interface name', () => {
  it('is one that the kernel takes and no file of commands misreads', () => {
    for (const text of [
      'eth0',
      'a',
      'nr0123456789',
      'eth0.100',
      'br-lan',
      '_x',
      '0',
      'a'.repeat(15),
      'Default',
    ]) {
      assert.equal(parseIfname(text), text);
    }
    const bad = [
      '',
      'a'.repeat(16),
      'a b',
      'a\n',
      'a/b',
      '.',
      '..',
      '.a',
      '-a',
      'a%d',
      '#a',
      'a;b',
      'a"b',
      'é',
      'eth0:1', // an alias of old; the kernel refuses it
      'all', // these two are folders of sysctl, and the kernel refuses them
      'default',
    ];
    for (const text of bad) assert.throws(() => parseIfname(text), { code: 'NR_CONFIG_INVALID' }, text);
  });

  it('is never one that iproute2 refuses', function () {
    const link = (name: string) => execFileSync('ip', ['link', 'show', 'dev', name], { stdio: 'pipe' });
    try {
      link('lo');
    } catch {
      return this.skip();
    }
    fc.assert(
      fc.property(fc.oneof(nearly, fc.stringMatching(/^[a-zA-Z0-9_.:-]{1,16}$/)), (text) => {
        let name: string;
        try {
          name = parseIfname(text);
        } catch {
          return;
        }
        try {
          link(name);
        } catch (error) {
          assert.match(String((error as { stderr: Buffer }).stderr), /does not exist/, name);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('of a veth pair is short, and from the id', () => {
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
    fc.assert(
      fc.property(hex, (id) => {
        assert.deepEqual(vethNames(id), { host: `nr${id.slice(0, 10)}`, peer: `nr${id.slice(0, 10)}c` });
      }),
    );
    assert.throws(() => vethNames('../../x'), { code: 'NR_CONFIG_INVALID' });
  });
});

describe('link-local gateway', () => {
  it('is a usable link-local address, the same for the same seed, and walks on', () => {
    const inside = { 4: Prefix.parse('169.254.0.0/16'), 6: Prefix.parse('fe80::/64') };
    fc.assert(
      fc.property(family, fc.string(), fc.nat(70_000), (family, seed, attempt) => {
        const one = linkLocalGateway(family, seed, attempt);
        assert.ok(inside[family].contains(one), String(one));
        assert.ok(linkLocalGateway(family, seed, attempt).equals(one));
        assert.ok(!linkLocalGateway(family, seed, attempt + 1).equals(one));
        const third = Number((one.value >> 8n) & 255n);
        if (family === 4)
          assert.ok(third >= 1 && third <= 254, 'RFC 3927 reserves the first and the last 256');
        else assert.notEqual(one.value & 0xffffffffffffffffn, 0n);
      }),
      { numRuns: 500 },
    );
  });

  it('walks over every one there is', () => {
    const seen = new Set(Array.from({ length: 65_024 }, (_, i) => String(linkLocalGateway(4, 'network', i))));
    assert.equal(seen.size, 65_024);
  });
});
